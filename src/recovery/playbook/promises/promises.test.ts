import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../../test/support/ledger-event.ts';
import { planWith } from '../../../../test/support/plan.ts';
import type { EventBodies, EventKind, LedgerEvent } from '../../../ledger/index.ts';
import { Showings, showingsIn } from '../../../operations/index.ts';
import type { PlaybookFacts } from '../facts.ts';
import { promisesOf } from './index.ts';

const HOUR_MS = 3_600_000;

const plan = planWith({
  sources: new Map([
    ['db', { name: 'db', type: 'files', repository: 'main', objectives: { rtoMs: HOUR_MS } } as never],
  ]),
  verifications: [
    {
      ...{ name: 'weekly', sources: ['db'], pick: 'latest', level: 'proven', sandboxes: new Map() },
      schedule: { kind: 'cron', text: 'weekly', pattern: '0 0 * * 1' },
    },
  ],
  runbooks: new Map([
    [
      'lost',
      {
        ...{ name: 'lost', objectives: { rtoMs: HOUR_MS } },
        steps: [{ id: 'go', withinMs: 60_000, document: { do: 'note' } }],
      } as never,
    ],
  ]),
});

/** Of a day of March, whose 2nd is a Monday. */
function event<Kind extends EventKind>(day: number, kind: Kind, body: Partial<EventBodies[Kind]>): LedgerEvent {
  return ledgerEvent(kind, Date.UTC(2026, 2, day), body);
}

function promises(events: LedgerEvent[], today = 5, unread: string[] = []) {
  const record = { events, sources: new Map(), unread: unread.map((repository) => ({ repository })) };
  const facts = {
    ...{ plan, record, nowMs: Date.parse(`2026-03-${String(today).padStart(2, '0')}T12:00:00Z`) },
    ...{ showings: new Showings(showingsIn(events)), months: [], quarters: [], reviews: [], revisions: [] },
  } as unknown as PlaybookFacts;
  return Object.fromEntries(promisesOf(facts).map((each) => [`${each.kind} ${each.subject}`, each]));
}

const verified = (day: number, outcome: 'done' | 'partial' | 'missed' | 'failed') =>
  event(day, 'verification.finished', { verification: 'weekly', outcome, sources: [], durationMs: 1000 });
const proof = (day: number, state: 'proven' | 'failed', hours = 0.5) =>
  event(day, 'proof.recorded', { source: 'db', state, durationMs: hours * HOUR_MS, checksFailed: ['counts'] });
const drill = (day: number, outcome: 'done' | 'failed' | 'aborted' | 'missed', rtoMs?: number) => [
  event(day, 'drill.started', { drill: `d${day}`, runbook: 'lost' }),
  event(day, 'step.finished', { run: `d${day}`, step: 'go', outcome: 'done', durationMs: 90_000 }),
  event(day, 'drill.finished', { drill: `d${day}`, outcome, ...(rtoMs !== undefined && { rtoMs }) }),
];

describe('what is done by a schedule', () => {
  it('was never shown where it only ever failed, and is missed where the last one did', () => {
    expect(promises([])['verification weekly']).toMatchObject({ state: 'never-shown' });
    expect(promises([verified(2, 'failed')])['verification weekly']).toMatchObject({
      ...{ state: 'never-shown', measured: '2026-03-02: 1 s, failed' },
    });
    expect(promises([verified(2, 'done'), verified(3, 'failed')])['verification weekly']).toMatchObject({
      ...{ state: 'missed', shownAt: '2026-03-02T00:00:00.000Z', measured: '1 s; 2026-03-03: 1 s, failed' },
    });
  });

  it('is missed once a day has passed since it was due', () => {
    const stateOn = (day: number) => promises([verified(2, 'done')], day)['verification weekly']!.state;
    expect([stateOn(9), stateOn(10)]).toEqual(['kept', 'missed']);
  });
});

describe('a recovery time', () => {
  it('is what the last good proof took, whatever failed since', () => {
    const all = promises([proof(1, 'proven', 2), proof(2, 'proven', 0.5), proof(3, 'failed', 9)]);
    expect(all['rto db']).toMatchObject({ state: 'kept', shownAt: '2026-03-02T00:00:00.000Z' });
    expect(promises([proof(1, 'proven', 2)])['rto db']).toMatchObject({ state: 'missed' });
    expect(promises([proof(1, 'failed')])['rto db']).toMatchObject({ state: 'never-shown' });
  });

  it('of a runbook is that of the newest recovery that brought people back, drilled or real', () => {
    const open = event(4, 'incident.opened', { incident: 'i', runbook: 'lost' });
    const closed = event(4, 'incident.closed', { incident: 'i', outcome: 'missed', rtoMs: 2 * HOUR_MS });
    expect(promises([...drill(2, 'done', 60_000), open, closed])['runbook lost']).toMatchObject({
      ...{ state: 'missed', shownAt: '2026-03-04T00:00:00.000Z', measured: expect.stringMatching(/^incident: 2 h/) },
    });
    for (const outcome of ['failed', 'aborted'] as const) {
      expect(promises(drill(2, outcome))['runbook lost']).toMatchObject({ state: 'never-shown' });
    }
    expect(promises(drill(2, 'done', 60_000))).toMatchObject({
      ...{ 'runbook lost': { state: 'kept' }, 'step lost.go': { state: 'missed', measured: '1 min 30 s' } },
    });
  });
});

it('is unknown where what was recorded cannot be read, of a source where its own repository cannot', () => {
  const states = (unread: string[]) => Object.values(promises([], 5, unread)).map(({ state }) => state);
  expect(new Set(states(['main']))).toEqual(new Set(['unknown']));
  expect(promises([], 5, ['other'])['rto db']).toMatchObject({ state: 'never-shown' });
});
