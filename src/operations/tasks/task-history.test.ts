import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { KnownRuns } from './known-runs.ts';
import { knownRunsOf, type TaskHistories, taskSummary } from './task-history.ts';

const TASKS = ['backup:db', 'verify:db'];
const task = fc.constantFrom(...TASKS);
const run = fc.nat(4).map(String);
const time = (ms: number) => new Date(Date.parse('2026-03-01T00:00:00Z') + ms).toISOString();
const due = fc.nat(1_000_000).map(time);

const event = fc
  .oneof(
    fc.record({ kind: fc.constant('run.started'), body: fc.record({ task, run, due, attempt: fc.nat(3) }) }),
    fc.record({
      kind: fc.constant('run.finished'),
      body: fc.record({ task, run, outcome: fc.constantFrom('done', 'failed'), retryable: fc.boolean() }),
    }),
    fc.record({ kind: fc.constant('run.died'), body: fc.record({ task, run }) }),
    fc.record({ kind: fc.constant('run.missed'), body: fc.record({ task, from: due, to: due }) }),
    fc.record({
      kind: fc.constant('backup.finished'),
      body: fc.record({ source: fc.constant('db'), durationMs: fc.nat(9) }),
    }),
    fc.record({ kind: fc.constant('daemon.started'), body: fc.constant({}) }),
    fc.record({
      kind: fc.constant('tasks.changed'),
      body: fc.record({
        timezone: fc.constant('UTC'),
        planned: fc.array(fc.record({ task, schedule: fc.constantFrom('hourly', 'daily') }), { maxLength: 2 }),
        removed: fc.array(task, { maxLength: 1 }),
      }),
    }),
  )
  .chain((each) => fc.nat(1_000_000).map((ms) => ledgerEvent(each.kind, time(ms), each.body)));

function historiesOf(events: readonly LedgerEvent[]): TaskHistories {
  let histories = taskSummary.initial();
  for (const [index, each] of events.entries()) {
    taskSummary.add(histories, each);
    if (index % 17 === 0) histories = taskSummary.copy(histories);
  }
  return histories;
}

const byTask = (runs: KnownRuns) => new Map([...runs.tasks].sort(([a], [b]) => (a < b ? -1 : 1)));

describe('what one ledger says of tasks', () => {
  it('is what all its events come to, however many there are and whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 0, maxLength: 400, size: 'max' }), (events) => {
        const known = knownRunsOf([historiesOf(events)]);
        expect(byTask(known)).toEqual(byTask(new KnownRuns(events)));
      }),
      { numRuns: 60 },
    );
  });

  it('is put together with others by the times of their events', () => {
    const events = fc.array(event, { maxLength: 45 }).map((all) => all.sort((a, b) => (a.time < b.time ? -1 : 1)));
    fc.assert(
      fc.property(events, fc.infiniteStream(fc.boolean()), (all, isFirst) => {
        const ofFirst = new Map(all.map((each) => [each, isFirst.next().value!]));
        const ledgers = [true, false].map((which) => historiesOf(all.filter((each) => ofFirst.get(each) === which)));
        const distinct = new Set(all.map((each) => each.time)).size === all.length;
        const isShared = all.some(({ kind }) => kind === 'daemon.started');
        fc.pre(distinct && !isShared);
        expect(byTask(knownRunsOf(ledgers))).toEqual(byTask(new KnownRuns(all)));
      }),
    );
  });
});
