import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import type { EventBodies, EventKind, LedgerEvent } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { figuresByPeriod, type PeriodFigures } from './by-period.ts';
import { newestPeriods } from './calendar-periods.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.parse('2026-05-20T12:00:00Z');

const db = {
  ...{ name: 'db', type: 'files', repository: 'main', paths: [], exclude: [], validate: [] },
  objectives: { rpoMs: DAY_MS + HOUR_MS, rtoMs: 2 * HOUR_MS, proofMs: 40 * DAY_MS },
} as PlanSource;

function event<Kind extends EventKind>(kind: Kind, atMs: number, body: Partial<EventBodies[Kind]>): LedgerEvent {
  return ledgerEvent(kind, atMs, body);
}

function backup(atMs: number): LedgerEvent {
  const time = new Date(atMs).toISOString();
  const id = String(atMs);
  return event('backup.finished', atMs, { source: 'db', snapshot: id, tree: id, outcome: 'complete', time });
}

function figures(kind: PeriodFigures['kind'], count: number, events: LedgerEvent[], timezone = 'UTC') {
  const inOrder = events.toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  const facts = { plan: { timezone }, sources: [{ source: db, snapshots: [] }], events: inOrder, nowMs: NOW };
  return figuresByPeriod(kind, count, facts);
}

const daysFrom = (from: string, count: number) =>
  Array.from({ length: count }, (_, day) => Date.parse(from) + day * DAY_MS);

describe('months and quarters', () => {
  it('are those of the calendar on the clocks of the plan, and the last goes up to now', () => {
    const names = (kind: PeriodFigures['kind'], count: number, timezone = 'UTC') =>
      newestPeriods(kind, count, { nowMs: NOW, timezone }).map(({ name, fromMs, toMs, isOver }) => [
        ...[name, new Date(fromMs).toISOString().slice(0, 16), new Date(toMs).toISOString().slice(0, 16), isOver],
      ]);
    expect(names('month', 2)).toEqual([
      ['2026-04', '2026-04-01T00:00', '2026-05-01T00:00', true],
      ['2026-05', '2026-05-01T00:00', '2026-05-20T12:00', false],
    ]);
    expect(names('quarter', 2, 'Europe/Berlin')).toEqual([
      ['2026-Q1', '2025-12-31T23:00', '2026-03-31T22:00', true],
      ['2026-Q2', '2026-03-31T22:00', '2026-05-20T12:00', false],
    ]);
    expect(names('month', 1, 'Pacific/Kiritimati')).toEqual([
      ['2026-05', '2026-04-30T10:00', '2026-05-20T12:00', false],
    ]);
  });

  it('have the worst RPO and RTO of each, and for how long more was lost than promised', () => {
    const backups = [...daysFrom('2026-03-10T00:00:00Z', 40), ...daysFrom('2026-04-20T00:00:00Z', 31)].map(backup);
    const proof = (at: string, hours: number) =>
      event('proof.recorded', Date.parse(at), {
        ...{ source: 'db', snapshot: 'x', tree: String(Date.parse('2026-04-20T00:00:00Z')), state: 'proven' },
        durationMs: hours * HOUR_MS,
      });
    const all = [...backups, proof('2026-04-21T00:00:00Z', 1), proof('2026-05-02T00:00:00Z', 3)];
    const [february, march, april, may] = figures('month', 4, all).map(({ sources }) => sources[0]!);
    expect(february).toMatchObject({ rpo: { promisedMs: DAY_MS + HOUR_MS }, rto: { count: 0 } });
    expect(february!.rpo).not.toHaveProperty('breachMs');
    expect(march!.rpo).toMatchObject({ maxMs: DAY_MS, breachMs: 0 });
    // Two days without a backup, of which the first day and an hour are promised.
    expect(april!.rpo).toMatchObject({ maxMs: 2 * DAY_MS, breachMs: DAY_MS - HOUR_MS });
    expect(april!.rto).toEqual({ promisedMs: 2 * HOUR_MS, count: 1, medianMs: HOUR_MS, maxMs: HOUR_MS });
    expect(may!.rto).toMatchObject({ count: 1, maxMs: 3 * HOUR_MS });
    expect(may!.success.backup).toMatchObject({ succeeded: 20, rate: 1 });
    expect(april!.success.verify).toMatchObject({ succeeded: 1, rate: 1 });
  });

  it('have the mean time to recovery of the incidents that ended in each', () => {
    const closed = (at: string, minutes: number) =>
      event('incident.closed', Date.parse(at), { incident: at, outcome: 'done', rtoMs: minutes * 60_000 });
    const all = [
      closed('2026-04-02T00:00:00Z', 10),
      closed('2026-04-30T23:59:59Z', 30),
      closed('2026-05-01T00:00:00Z', 7),
    ];
    const [april, may] = figures('month', 2, all).map(({ repairs }) => repairs.recoveries);
    expect(april).toMatchObject({ count: 2, meanMs: 20 * 60_000, longestMs: 30 * 60_000 });
    expect(may).toMatchObject({ count: 1, meanMs: 7 * 60_000 });
  });

  it('come to the same in quarters as in their months', () => {
    const attempt = fc.record({
      atMs: fc.integer({ min: Date.parse('2026-01-01T00:00:00Z'), max: NOW }),
      what: fc.constantFrom('backup.finished', 'backup.failed', 'run.missed', 'incident.closed'),
    });
    fc.assert(
      fc.property(
        fc.array(attempt, { maxLength: 20 }),
        fc.constantFrom('UTC', 'America/New_York'),
        (attempts, zone) => {
          const events = attempts.map(({ atMs, what }) => {
            if (what === 'backup.finished') return backup(atMs);
            if (what === 'backup.failed') return event('backup.failed', atMs, { source: 'db', code: 'x', message: '' });
            if (what === 'run.missed') return event('run.missed', atMs, { task: 'backup:db', count: 2 });
            return event('incident.closed', atMs, { incident: 'i', rtoMs: 1000 });
          });
          const [first, second] = figures('quarter', 2, events, zone);
          const months = figures('month', 5, events, zone);
          for (const [quarter, own] of [[first!, months.slice(0, 3)] as const, [second!, months.slice(3)] as const]) {
            const sum = (value: (each: PeriodFigures) => number) => own.reduce((total, each) => total + value(each), 0);
            for (const result of ['succeeded', 'failed', 'missed'] as const)
              expect(quarter.sources[0]!.success.backup[result]).toBe(
                sum((each) => each.sources[0]!.success.backup[result]),
              );
            expect(quarter.repairs.recoveries.count).toBe(sum((each) => each.repairs.recoveries.count));
            expect(quarter.sources[0]!.rpo.breachMs ?? 0).toBe(sum((each) => each.sources[0]!.rpo.breachMs ?? 0));
            const worst = own.flatMap((each) => each.sources[0]!.rpo.maxMs ?? []);
            expect(quarter.sources[0]!.rpo.maxMs).toBe(worst.length === 0 ? undefined : Math.max(...worst));
          }
        },
      ),
    );
  });
});
