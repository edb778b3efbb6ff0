import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LedgerEvent } from '../../ledger/index.ts';
import { parsePlan } from '../../plan/index.ts';
import { lastDue, nextDue, parseSchedule, type Schedule } from '../../schedule/index.ts';
import { backOffMs, type Due, dueOf } from './due.ts';
import { KnownRuns } from './known-runs.ts';
import { PRIORITY, type Task } from './task.ts';
import { tasksOfPlan } from './tasks-of-plan.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const ID = 'backup:db';

function scheduleOf(text: string): Schedule {
  const parsed = parseSchedule(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.schedule;
}

function taskOf(text: string, kind: Task['kind'] = 'backup'): Task {
  return {
    id: `${kind}:db`,
    kind,
    subject: 'db',
    schedule: scheduleOf(text),
    sources: ['db'],
    priority: PRIORITY.backup,
  };
}

type Event = Pick<LedgerEvent, 'kind' | 'body' | 'time'>;

/** Events of one task, each at a time of its own. */
const planned = (time: string, schedule: string, timezone = 'UTC', task = ID): Event => ({
  kind: 'tasks.changed',
  time,
  body: { timezone, planned: [{ task, schedule }], removed: [] },
});
const started = (time: string, due: string, attempt = 1, run = `${due} ${attempt}`): Event => ({
  kind: 'run.started',
  time,
  body: { run, task: ID, due, attempt },
});
const finished = (time: string, due: string, how: object = { outcome: 'done' }, attempt = 1): Event => ({
  kind: 'run.finished',
  time,
  body: { run: `${due} ${attempt}`, task: ID, durationMs: 1, ...how } as never,
});

interface Asked {
  at: string;
  timezone?: string;
  /** Since when somebody was there; all the time without it. */
  presentSince?: string;
}

/** What is due, with its times as RFC 3339. */
function ask(task: Task, events: Event[], { at, timezone = 'UTC', presentSince }: Asked) {
  const runs = new KnownRuns(events as LedgerEvent[]);
  const nowMs = Date.parse(at);
  runs.bringBackTo(nowMs);
  const presentSinceMs = presentSince === undefined ? Number.NEGATIVE_INFINITY : Date.parse(presentSince);
  return shown(dueOf(task, runs.of(task.id), { nowMs, timezone, presentSinceMs }));
}

function shown({ now, atMs }: Due) {
  const text = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  const missed = now?.missed && { ...now.missed, fromMs: text(now.missed.fromMs), toMs: text(now.missed.toMs) };
  return { ...(now && { due: text(now.dueMs), attempt: now.attempt }), ...(missed && { missed }), next: text(atMs!) };
}

const PLANNED = planned('2026-03-01T00:30:00Z', 'hourly');
const NOON = '2026-03-02T12:00:00Z';
const RAN = [PLANNED, started(NOON, NOON), finished('2026-03-02T12:05:00Z', NOON)];

describe('a task', () => {
  it('is due at once when its source was never backed up, and else at the first moment after the plan had it', () => {
    const at = '2026-03-01T00:40:00Z';
    expect(ask(taskOf('hourly'), [PLANNED], { at })).toMatchObject({ due: '2026-03-01T00:30', attempt: 1 });
    const verify = planned('2026-03-01T00:30:00Z', 'hourly', 'UTC', 'verify:db');
    expect(ask(taskOf('hourly', 'verify'), [verify], { at })).toEqual({ next: '2026-03-01T01:00' });
    expect(ask(taskOf('hourly', 'verify'), [verify], { at: '2026-03-01T01:00:00Z' })).toMatchObject({
      due: '2026-03-01T01:00',
    });
  });

  it('is due once at each moment', () => {
    expect(ask(taskOf('hourly'), RAN, { at: '2026-03-02T12:59:59Z' })).toEqual({ next: '2026-03-02T13:00' });
    expect(ask(taskOf('hourly'), RAN, { at: '2026-03-02T13:00:00Z' })).toEqual({
      ...{ due: '2026-03-02T13:00', attempt: 1 },
      next: '2026-03-02T14:00',
    });
  });

  it('makes up once for all that passed while nobody was there, and says what was missed', () => {
    const at = '2026-03-03T12:20:00Z';
    expect(ask(taskOf('hourly'), RAN, { at, presentSince: at })).toEqual({
      ...{ due: '2026-03-03T12:00', attempt: 1 },
      missed: { fromMs: '2026-03-02T13:00', toMs: '2026-03-03T12:00', count: 24, reason: 'away' },
      next: '2026-03-03T13:00',
    });
    // What was said already is not said again.
    const said: Event = {
      kind: 'run.missed',
      time: at,
      body: { task: ID, from: '2026-03-02T13:00:00Z', to: '2026-03-03T12:00:00Z', count: 24, reason: 'away' },
    };
    expect(ask(taskOf('hourly'), [...RAN, said], { at, presentSince: at })).not.toHaveProperty('missed');
  });

  it('counts what a run that took too long kept from beginning apart from what nobody was there for', () => {
    const long = [...RAN.slice(0, 2), finished('2026-03-02T15:10:00Z', NOON)];
    expect(ask(taskOf('hourly'), long, { at: '2026-03-02T15:10:00Z' })).toMatchObject({
      due: '2026-03-02T15:00',
      missed: { fromMs: '2026-03-02T13:00', toMs: '2026-03-02T14:00', count: 2, reason: 'busy' },
    });
  });

  it('takes a backup by hand for what was due before it began', () => {
    const byHand = { source: 'db', snapshot: '', tree: '', outcome: 'complete', time: '', durationMs: 5 * MINUTE_MS };
    const event = (more: object): Event => ({
      kind: 'backup.finished',
      time: '2026-03-02T13:12:00Z',
      body: { ...byHand, bytesProcessed: 0, bytesAdded: 0, problems: 0, ...more } as never,
    });
    const asked = { at: '2026-03-02T13:20:00Z' };
    expect(ask(taskOf('hourly'), [...RAN, event({})], asked)).toEqual({ next: '2026-03-02T14:00' });
    expect(ask(taskOf('hourly'), [...RAN, event({ only: ['x'] })], asked)).toMatchObject({ due: '2026-03-02T13:00' });
    const before = event({ durationMs: 20 * MINUTE_MS });
    expect(ask(taskOf('hourly'), [...RAN, before], asked)).toMatchObject({ due: '2026-03-02T13:00' });
  });

  it('goes by a schedule that the plan changed from the last run on, and misses nothing that was not planned', () => {
    const changed = [...RAN, planned('2026-03-02T12:30:00Z', 'daily at 02:00')];
    expect(ask(taskOf('daily at 02:00'), changed, { at: '2026-03-02T12:31:00Z' })).toEqual({
      next: '2026-03-03T02:00',
    });
    const denser = [...RAN, planned('2026-03-02T12:30:00Z', 'every 5m')];
    const asked = { at: '2026-03-02T12:31:00Z', presentSince: '2026-03-02T12:30:00Z' };
    expect(ask(taskOf('every 5m'), denser, asked)).toMatchObject({ due: '2026-03-02T12:30', attempt: 1 });
    expect(ask(taskOf('every 5m'), denser, asked)).not.toHaveProperty('missed');
  });

  it('is not due when the plan has it no more, and begins anew when it has it again', () => {
    const removed: Event = {
      kind: 'tasks.changed',
      time: '2026-03-02T12:30:00Z',
      body: { timezone: 'UTC', planned: [], removed: [ID] },
    };
    const runs = new KnownRuns([...RAN, removed] as LedgerEvent[]);
    const context = { nowMs: Date.parse('2026-03-05T00:00:00Z'), timezone: 'UTC', presentSinceMs: 0 };
    expect(dueOf(taskOf('hourly'), runs.of(ID), context)).toEqual({ atMs: undefined });
    const again = [...RAN, removed, planned('2026-03-05T00:00:00Z', 'hourly')];
    expect(ask(taskOf('hourly'), again, { at: '2026-03-05T00:00:00Z', presentSince: '2026-03-05T00:00:00Z' })).toEqual({
      ...{ due: '2026-03-05T00:00', attempt: 1 },
      next: '2026-03-05T01:00',
    });
  });
});

describe('a run that failed', () => {
  const failed = (retryable: boolean, attempt = 1): Event[] => [
    ...RAN,
    started('2026-03-02T13:00:00Z', '2026-03-02T13:00:00Z', attempt),
    finished(
      '2026-03-02T13:01:00Z',
      '2026-03-02T13:00:00Z',
      { outcome: 'failed', code: 'store-unreachable', retryable },
      attempt,
    ),
  ];

  it('is tried again for the same moment after a while, and for the next moment at the latest', () => {
    const soon = ask(taskOf('hourly'), failed(true), { at: '2026-03-02T13:01:01Z' });
    expect(soon).not.toHaveProperty('due');
    expect(soon.next.slice(0, 14)).toBe('2026-03-02T13:');
    expect(ask(taskOf('hourly'), failed(true), { at: '2026-03-02T13:02:01Z' })).toMatchObject({
      due: '2026-03-02T13:00',
      attempt: 2,
    });
    // Only a person can mend the other kind: there is less haste.
    expect(ask(taskOf('hourly'), failed(false), { at: '2026-03-02T13:10:00Z' })).not.toHaveProperty('due');
    expect(ask(taskOf('hourly'), failed(true, 9), { at: '2026-03-02T13:40:00Z' })).not.toHaveProperty('due');
    expect(ask(taskOf('hourly'), failed(true, 9), { at: '2026-03-02T14:00:00Z' })).toMatchObject({
      due: '2026-03-02T14:00',
      attempt: 1,
    });
  });

  it('has not been missed', () => {
    expect(ask(taskOf('hourly'), failed(true), { at: '2026-03-02T14:00:00Z' })).not.toHaveProperty('missed');
  });

  it('is run again at once when it died or was interrupted, but not at once each time it dies', () => {
    const open = [...RAN, started('2026-03-02T13:00:00Z', '2026-03-02T13:00:00Z')];
    const died = (attempt: number): Event => ({
      kind: 'run.died',
      time: '2026-03-02T13:05:00Z',
      body: { run: `2026-03-02T13:00:00Z ${attempt}`, task: ID },
    });
    const at = '2026-03-02T13:05:00Z';
    expect(ask(taskOf('hourly'), [...open, died(1)], { at })).toMatchObject({ due: '2026-03-02T13:00', attempt: 2 });
    const second = [...open, died(1), started(at, '2026-03-02T13:00:00Z', 2), died(2)];
    expect(ask(taskOf('hourly'), second, { at })).not.toHaveProperty('due');
    const interrupted = { outcome: 'failed', code: 'interrupted' };
    const stopped = [...open, finished('2026-03-02T13:01:00Z', '2026-03-02T13:00:00Z', interrupted)];
    expect(ask(taskOf('hourly'), stopped, { at })).toMatchObject({ due: '2026-03-02T13:00', attempt: 2 });
  });

  it('waits longer each time, up to an hour, and neither less than most of it nor more', () => {
    const waits = [1, 2, 3, 7, 50].map((attempt) => backOffMs(ID, { attempt, endedMs: 0, retry: 'soon', dueMs: 1 }));
    for (const [index, most] of [1, 2, 4, 60, 60].entries()) {
      expect(waits[index]).toBeLessThanOrEqual(most * MINUTE_MS);
      expect(waits[index]).toBeGreaterThanOrEqual(0.8 * most * MINUTE_MS);
    }
    expect(new Set(waits.map((wait) => wait % MINUTE_MS)).size).toBeGreaterThan(1);
  });
});

describe('a clock', () => {
  it('that goes back an hour or a year has what was done count as of now, and the next moment is due', () => {
    expect(ask(taskOf('hourly'), RAN, { at: '2026-03-02T11:10:00Z' })).toEqual({ next: '2026-03-02T12:00' });
    const back = [...RAN, { kind: 'daemon.started', time: '2025-03-02T11:10:00Z', body: {} } as unknown as Event];
    expect(ask(taskOf('hourly'), back, { at: '2025-03-02T11:59:00Z' })).toEqual({ next: '2025-03-02T12:00' });
    expect(ask(taskOf('hourly'), back, { at: '2025-03-02T12:00:00Z' })).toMatchObject({ due: '2025-03-02T12:00' });
  });

  it('that goes on a year has one run made up for all of it', () => {
    const at = '2027-03-02T12:00:30Z';
    expect(ask(taskOf('hourly'), RAN, { at, presentSince: at })).toMatchObject({
      due: '2027-03-02T12:00',
      missed: { fromMs: '2026-03-02T13:00', toMs: '2027-03-02T12:00', count: 400 },
    });
  });

  it.each([
    ['forward', '2026-03-28T12:00:00Z', ['2026-03-29T01:00', '2026-03-30T00:30']],
    ['back', '2026-10-24T12:00:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
  ])('that changes %s for the summer has a daily task run once a day', (_, from, expected) => {
    const events = [planned(from, 'daily at 02:30', 'Europe/Berlin', 'verify:db')];
    const dues: string[] = [];
    for (let nowMs = Date.parse(from); nowMs < Date.parse(from) + 40 * HOUR_MS; nowMs += 30 * MINUTE_MS) {
      const at = new Date(nowMs).toISOString();
      const { due } = ask(taskOf('daily at 02:30', 'verify'), events, { at, timezone: 'Europe/Berlin' });
      if (due === undefined) continue;
      dues.push(due);
      const run = { ...started(at, `${due}:00Z`), body: { run: at, task: 'verify:db', due: `${due}:00Z`, attempt: 1 } };
      const end = { ...finished(at, at), body: { run: at, task: 'verify:db', outcome: 'done', durationMs: 1 } };
      events.push(run as Event, end as Event);
    }
    expect(dues).toEqual(expected);
  });
});

describe('the last moment', () => {
  const schedules = [
    'hourly',
    'daily at 02:30',
    'every 7m',
    '*/20 * * * *',
    '30 2 * * 0',
    '0 0 29 2 *',
    '15 1,2,3 * * *',
  ];
  const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];

  it('is the one behind which the next is later', () => {
    const moment = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2027, 0) });
    fc.assert(
      fc.property(fc.constantFrom(...schedules), fc.constantFrom(...zones), moment, (text, zone, atMs) => {
        const schedule = scheduleOf(text);
        const lastMs = lastDue(schedule, atMs, zone)!;
        expect(lastMs).toBeLessThanOrEqual(atMs);
        expect(nextDue(schedule, lastMs, zone)).toBeGreaterThan(atMs);
        expect(nextDue(schedule, lastMs - 1, zone)).toBe(lastMs);
        expect(lastDue(schedule, lastMs, zone)).toBe(lastMs);
      }),
      { numRuns: 150 },
    );
  });
});

it('that verifies a repository is not under way beside one that tidies it up, and a backup is beside both', () => {
  const { plan } = parsePlan(
    `version: 1
name: test
repositories: { main: { store: /main, password: { env: P } } }
sources: { db: { type: files, paths: [/db], schedule: hourly, retention: { last: 1 } } }
verification: [{ name: daily, sources: "*", level: checked, schedule: daily }]
`,
    { file: 'holdfast.yaml', directory: '/' },
  );
  const sources = Object.fromEntries(tasksOfPlan(plan).map((each) => [each.id, each.sources]));
  expect(sources['verify:daily']).toEqual(sources['retain:main']);
  expect(sources['backup:db']).toEqual(['db']);
});
