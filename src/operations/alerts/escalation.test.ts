import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/plan.ts';
import type { ChannelPlan, Plan, Rung } from '../../plan/index.ts';
import { AlertBook, type AlertEvent } from './book.ts';
import { type Telling, tellingsNow } from './escalation.ts';

const MINUTE_MS = 60_000;
const START = Date.parse('2026-03-10T12:00:00Z');

const contact = (id: string) => [id, { id, role: id, channel: `${id}-channel` }] as const;
const channel = (name: string): [string, ChannelPlan] => [name, { name, type: 'command', command: ['true'] }];

/** A plan with the ladder of the playbooks. */
function planned(escalation: Rung[], routes: Plan['alerts']['routes'] = []): Plan {
  const base = planWith({});
  const names = ['oncall', 'lead', 'cto'];
  return {
    ...base,
    contacts: new Map(names.map(contact)),
    alerts: {
      ...base.alerts,
      channels: new Map([...names.map((name) => `${name}-channel`), 'team', 'users'].map(channel)),
      ...{ escalation, routes },
    },
  };
}

const LADDER: Rung[] = [
  { afterMs: 0, notify: ['oncall'], untilResolved: false },
  { afterMs: 0, notify: ['lead'], severity: 'p1', untilResolved: false },
  { afterMs: 30 * MINUTE_MS, notify: ['lead'], untilResolved: false },
  { afterMs: 60 * MINUTE_MS, notify: ['cto'], untilResolved: true },
];

/** A ledger that a test writes, and the ticks of whoever reads it. */
class Story {
  readonly events: AlertEvent[] = [];
  readonly plan: Plan;

  constructor(plan: Plan) {
    this.plan = plan;
  }

  add(atMs: number, kind: AlertEvent['kind'], body: object): void {
    const time = new Date(START + atMs).toISOString();
    this.events.push({ kind, body, time, actor: 'a@b' } as AlertEvent);
  }

  raise(id: string, severity = 'p2', more: object = {}): void {
    const text = { message: 'm', endangers: 'e', command: 'c', since: new Date(START).toISOString() };
    this.add(0, 'alert.raised', { alert: id, rule: 'backup-failed', subject: id, severity, ...text, ...more });
  }

  /** @returns what was told, as `channel news reason` */
  tick(atMs: number, refuses: (telling: Telling) => boolean = () => false): string[] {
    // A book made anew: as if the process had begun just now.
    return tellingsNow(this.plan, AlertBook.of(this.events), START + atMs).flatMap((telling) => {
      const { channel: to, news, alerts, reason } = telling;
      const outcome = refuses(telling) ? 'failed' : 'delivered';
      this.add(atMs, 'alert.notified', { alerts, news, channel: to, reason, outcome, attempts: 1 });
      return [`${to} ${news} ${reason}${outcome === 'failed' ? ' refused' : ''}`];
    });
  }
}

describe('who is told when', () => {
  it('is the ladder by time: on-call at once, the lead at 30 minutes, the CTO at 60; each once', () => {
    const story = new Story(planned(LADDER));
    story.raise('a');
    expect(story.tick(0)).toEqual(['oncall-channel raised 0m, oncall']);
    expect(story.tick(29 * MINUTE_MS)).toEqual([]);
    expect(story.tick(30 * MINUTE_MS)).toEqual(['lead-channel raised 30m, lead']);
    expect(story.tick(61 * MINUTE_MS)).toEqual(['cto-channel raised 1h, cto']);
    expect(story.tick(600 * MINUTE_MS)).toEqual([]);
    story.add(601 * MINUTE_MS, 'alert.resolved', { alert: 'a' });
    expect(story.tick(601 * MINUTE_MS).sort()).toEqual(
      ['cto', 'lead', 'oncall'].map((name) => `${name}-channel resolved told before`),
    );
    expect(story.tick(602 * MINUTE_MS)).toEqual([]);
  });

  it('is told once that somebody sees to it, also where that is dated later than what was told of it', () => {
    const story = new Story(planned(LADDER));
    story.raise('a');
    story.tick(0);
    story.add(2 * MINUTE_MS, 'alert.acknowledged', { alert: 'a', by: 'anna' });
    expect(story.tick(MINUTE_MS)).toEqual(['oncall-channel acknowledged told before']);
    story.events.sort((one, other) => one.time.localeCompare(other.time));
    expect(story.tick(3 * MINUTE_MS)).toEqual([]);
  });

  it('is the lead at once for p1, also when it becomes one', () => {
    const story = new Story(planned(LADDER));
    story.raise('a', 'p1');
    story.raise('b', 'p2');
    expect(story.tick(0)).toEqual(['oncall-channel raised 0m, oncall', 'lead-channel raised 0m, lead']);
    story.add(MINUTE_MS, 'alert.updated', { alert: 'b', message: 'worse', severity: 'p1' });
    expect(story.tick(MINUTE_MS).sort()).toEqual([
      'lead-channel raised 0m, lead',
      'oncall-channel updated told before',
    ]);
  });

  it('stops with an acknowledgement, but for those who hear of it until it is resolved', () => {
    const story = new Story(planned(LADDER));
    story.raise('a');
    story.tick(0);
    story.add(10 * MINUTE_MS, 'alert.acknowledged', { alert: 'a', by: 'me' });
    expect(story.tick(11 * MINUTE_MS)).toEqual(['oncall-channel acknowledged told before']);
    expect(story.tick(31 * MINUTE_MS)).toEqual([]);
    expect(story.tick(61 * MINUTE_MS)).toEqual(['cto-channel raised 1h, cto']);
    expect(story.tick(62 * MINUTE_MS)).toEqual([]);
  });

  it('is routes beside the ladder, by rule and severity; and never a heartbeat', () => {
    const routes: Plan['alerts']['routes'] = [
      { to: 'team' },
      { to: 'users', rules: ['availability'] },
      { to: 'users', severity: 'p1' },
      { to: 'beat' },
    ];
    const plan = planned(LADDER, routes);
    const channels = new Map(plan.alerts.channels).set('beat', {
      name: 'beat',
      type: 'heartbeat',
      url: 'u',
      everyMs: 1,
    });
    const story = new Story({ ...plan, alerts: { ...plan.alerts, channels } });
    story.raise('a');
    expect(story.tick(0)).toEqual(['team raised route', 'oncall-channel raised 0m, oncall']);
    story.raise('b', 'p1');
    story.raise('c', 'p2', { rule: 'availability' });
    expect(story.tick(0).filter((told) => told.startsWith('users'))).toEqual(['users raised route']);
    expect(AlertBook.of(story.events).get('a')?.told.has('users')).toBe(false);
  });

  it('tells one message of what was raised together', () => {
    const story = new Story(planned(LADDER));
    for (const id of ['a', 'b', 'c']) story.raise(id);
    const [telling, ...others] = tellingsNow(story.plan, AlertBook.of(story.events), START);
    expect([telling?.alerts, others]).toEqual([['a', 'b', 'c'], []]);
  });

  it('tells what was missed once, in one message for each channel', () => {
    const story = new Story(planned([...LADDER, { afterMs: 45 * MINUTE_MS, notify: ['lead'], untilResolved: false }]));
    story.raise('a', 'p1');
    expect(story.tick(120 * MINUTE_MS)).toEqual([
      'oncall-channel raised 0m, oncall',
      'lead-channel raised 0m, lead; 30m, lead; 45m, lead',
      'cto-channel raised 1h, cto',
    ]);
    expect(story.tick(121 * MINUTE_MS)).toEqual([]);
  });

  it('tries again what was refused, at longer and longer intervals, and tells nobody of the end who never heard of it', () => {
    const story = new Story(planned(LADDER));
    story.raise('a');
    const at = Array.from({ length: 25 }, (_, minute) => story.tick(minute * MINUTE_MS, () => true).length);
    expect(at.flatMap((told, minute) => (told > 0 ? [minute] : []))).toEqual([0, 1, 3, 7, 15]);
    const done = new Story(planned(LADDER));
    done.events.push(...story.events);
    expect(done.tick(30 * MINUTE_MS)[0]).toBe('oncall-channel raised 0m, oncall');
    story.add(26 * MINUTE_MS, 'alert.resolved', { alert: 'a' });
    expect(story.tick(40 * MINUTE_MS)).toEqual([]);
  });

  it('has another one told once more where a channel takes what it is told again, and fails again', () => {
    const story = new Story(planned(LADDER));
    const covered = () => AlertBook.of(story.events).get('a')!.told.get('oncall-channel')!.covered;
    const notified = (channel: string, more: object) =>
      story.add(0, 'alert.notified', { alerts: ['a'], news: 'raised', channel, reason: 'r', attempts: 1, ...more });
    story.raise('a');
    notified('oncall-channel', { outcome: 'failed' });
    notified('lead-channel', { outcome: 'delivered', insteadOf: 'oncall-channel' });
    expect(covered()).toBe(true);
    notified('oncall-channel', { outcome: 'delivered' });
    expect(covered()).toBe(false);
  });

  it('is nobody while it is muted; the ladder goes on from there when that is over', () => {
    const story = new Story(planned(LADDER));
    story.add(-MINUTE_MS, 'alert.muted', { rule: 'backup-failed', subject: 'a', until: at(30), why: 'w' });
    story.raise('a');
    story.raise('b');
    expect(story.tick(0)).toHaveLength(1);
    expect(AlertBook.of(story.events).get('a')!.told.size).toBe(0);
    expect(story.tick(31 * MINUTE_MS).sort()).toEqual([
      'lead-channel raised 30m, lead',
      'oncall-channel raised 0m, oncall',
    ]);
    expect(AlertBook.of(story.events).get('a')!.told.has('lead-channel')).toBe(false);
    expect(story.tick(60 * MINUTE_MS).filter((told) => told.startsWith('lead'))).toHaveLength(1);
    expect(AlertBook.of(story.events).get('a')!.told.has('lead-channel')).toBe(true);
  });

  const at = (minutes: number) => new Date(START + minutes * MINUTE_MS).toISOString();

  it('is each rung once and none left out, whatever the ticks, acknowledgements, restarts and refusals', () => {
    const minutes = fc.integer({ min: 0, max: 200 });
    const rung = fc.record({
      afterMs: fc.constantFrom(0, 15, 30, 60).map((each) => each * MINUTE_MS),
      notify: fc.subarray(['oncall', 'lead', 'cto'], { minLength: 1 }),
      untilResolved: fc.boolean(),
      severity: fc.constantFrom(undefined, 'p1', 'p2'),
    }) as fc.Arbitrary<Rung>;
    const ladder = fc.array(rung, { maxLength: 5 });
    const when = fc.record({
      ack: fc.option(minutes),
      resolved: fc.option(minutes),
      ticks: fc.array(minutes, { maxLength: 12 }),
    });
    fc.assert(
      fc.property(
        ladder,
        when,
        fc.constantFrom('p1', 'p2'),
        fc.array(fc.boolean()),
        (rungs, story, severity, refusals) => {
          const { ack, resolved, ticks } = story;
          const told = new Story(planned(rungs));
          told.raise('a', severity);
          const delivered: string[] = [];
          const steps = [
            ...ticks.map((minute) => ({ minute, step: 'tick' })),
            ...(ack === null ? [] : [{ minute: ack, step: 'alert.acknowledged' }]),
            ...(resolved === null ? [] : [{ minute: resolved, step: 'alert.resolved' }]),
          ].sort((a, b) => a.minute - b.minute || (a.step === 'tick' ? 1 : -1));
          const answers = refusals.values();
          for (const { minute, step } of steps) {
            const refuses = () => answers.next().value ?? false;
            if (step === 'tick')
              delivered.push(...told.tick(minute * MINUTE_MS, refuses).filter((each) => !each.endsWith('refused')));
            else told.add(minute * MINUTE_MS, step as AlertEvent['kind'], { alert: 'a', by: 'me' });
          }
          const reasons = delivered.flatMap((each) => {
            const [to, news, ...reason] = each.split(' ');
            return news === 'raised'
              ? reason
                  .join(' ')
                  .split('; ')
                  .map((one) => `${to} ${one}`)
              : [];
          });
          expect(new Set(reasons).size).toBe(reasons.length);
          if (refusals.some(Boolean)) return;
          const first = { p1: rungs, p2: rungs.filter((each) => each.severity !== 'p1') }[severity] ?? [];
          const expected = first.flatMap(({ afterMs, notify, untilResolved }) => {
            const endMs = Math.min(resolved ?? Infinity, untilResolved ? Infinity : (ack ?? Infinity)) * MINUTE_MS;
            const isTold = ticks.some((minute) => minute * MINUTE_MS >= afterMs && minute * MINUTE_MS < endMs);
            const name = { 0: '0m', 15: '15m', 30: '30m', 60: '1h' }[afterMs / MINUTE_MS];
            return isTold ? notify.map((who) => `${who}-channel ${name}, ${who}`) : [];
          });
          expect(new Set(reasons)).toEqual(new Set(expected));
        },
      ),
      { numRuns: 300 },
    );
  });
});
