import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import { planWith } from '../../../test/support/plan.ts';
import type { EventBodies, EventKind, LedgerEvent } from '../../ledger/index.ts';
import type { Plan, Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { coverageOf, type KnownPoint, type Period, partsOf, type SeenLog } from './coverage.ts';
import { growthSummary } from './growth-summary.ts';
import { forecastsNear } from './near-forecasts.ts';
import { recoveryPoints } from './recovery-points.ts';
import { repairsIn } from './repair-times.ts';
import { median, robustLine } from './robust-line.ts';
import { forecastRto, rtoForecast } from './rto-forecast.ts';
import { seenLogOf } from './seen-log.ts';
import { successRates } from './success.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW = Date.parse('2026-03-31T00:00:00Z');

function event<Kind extends EventKind>(kind: Kind, daysAgo: number, body: Partial<EventBodies[Kind]>): LedgerEvent {
  return ledgerEvent(kind, NOW - daysAgo * DAY_MS, body);
}

/** A backup of a moment an hour before it was stored. */
function backup(id: string, daysAgo: number, more: Partial<EventBodies['backup.finished']> = {}): LedgerEvent {
  const time = new Date(NOW - daysAgo * DAY_MS - HOUR_MS).toISOString();
  const body = { source: 'db', snapshot: id, tree: `tree-${id}`, outcome: 'complete' as const, time, ...more };
  return event('backup.finished', daysAgo, body);
}

function proof(id: string, daysAgo: number, more: Partial<EventBodies['proof.recorded']> = {}): LedgerEvent {
  const body = { source: 'db', snapshot: id, tree: `tree-${id}`, state: 'proven' as const, durationMs: 1000, ...more };
  return event('proof.recorded', daysAgo, body);
}

function stored(...ids: string[]): StoredSnapshot[] {
  return ids.map((id) => ({ id, tree: `tree-${id}`, time: '2026-01-01T00:00:00Z', paths: [], hostname: 'test' }));
}

describe('how old the newest recovery point was', () => {
  /** The same, looked at in every whole moment of the period. */
  function byLooking(points: KnownPoint[], { fromMs, toMs }: Period, promisedMs: number, graceUntilMs: number) {
    let [maxMs, breachMs, withoutMs] = [-1, 0, 0];
    for (let atMs = fromMs; atMs < toMs; atMs += 1) {
      const there = points.filter(({ sinceMs, untilMs = Infinity }) => sinceMs <= atMs && atMs < untilMs);
      if (there.length === 0) {
        withoutMs += 1;
        breachMs += atMs >= graceUntilMs ? 1 : 0;
        continue;
      }
      const newestMs = Math.max(...there.map(({ timeMs }) => timeMs));
      maxMs = Math.max(maxMs, atMs + 1 - newestMs);
      breachMs += atMs + 1 - newestMs > promisedMs ? 1 : 0;
    }
    return { ...(maxMs >= 0 && { maxMs }), breachMs, withoutMs };
  }

  it('is what looking at every moment gives, in all and in each part', () => {
    const point = fc
      .record({ timeMs: fc.nat(60), lateMs: fc.nat(20), stayMs: fc.option(fc.nat(40), { nil: undefined }) })
      .map(({ timeMs, lateMs, stayMs }): KnownPoint => {
        const sinceMs = timeMs + lateMs;
        return { timeMs, sinceMs, ...(stayMs !== undefined && { untilMs: sinceMs + stayMs }) };
      });
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 80 }), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(point, { maxLength: 8 }),
        cuts,
        fc.nat(30),
        fc.nat(60),
        (points, unordered, promisedMs, grace) => {
          const edges = unordered.sort((a, b) => a - b);
          const parts = edges.slice(1).map((toMs, index) => ({ fromMs: edges[index]!, toMs }));
          const { series, ...all } = coverageOf(points, parts, { promisedMs, graceUntilMs: grace });
          expect(all).toEqual(byLooking(points, { fromMs: edges[0]!, toMs: edges.at(-1)! }, promisedMs, grace));
          for (const [index, part] of parts.entries()) {
            expect(series[index]).toEqual({ ...part, ...byLooking(points, part, promisedMs, grace) });
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is no more than was seen of its log, as long as somebody looked', () => {
    const points = [{ timeMs: 0, sinceMs: 0 }];
    const seen: SeenLog[] = [
      { fromMs: 10, toMs: 20, maxMs: 3, breachShare: 0 },
      { fromMs: 20, toMs: 30, maxMs: 8, breachShare: 0.5 },
    ];
    const parts = [
      { fromMs: 0, toMs: 15 },
      { fromMs: 15, toMs: 40 },
    ];
    const { series, ...all } = coverageOf(points, parts, { promisedMs: 5, seen });
    // From 0 to 10 it grows to 10, five of them too old; then nobody looks from 30 to 40.
    expect(series.map(({ maxMs, breachMs }) => [maxMs, breachMs])).toEqual([
      [10, 5],
      [40, 5 + 10],
    ]);
    expect(all).toEqual({ maxMs: 40, breachMs: 20, withoutMs: 0 });
  });

  it('is parted by hours where the period is short, and by days where it is long', () => {
    const fromMs = Date.parse('2026-03-01T10:30:00Z');
    const hours = partsOf({ fromMs, toMs: fromMs + 2 * HOUR_MS });
    expect(hours.map((part) => new Date(part.fromMs).toISOString().slice(11, 16))).toEqual(['10:30', '11:00', '12:00']);
    const days = partsOf({ fromMs, toMs: fromMs + 4 * DAY_MS });
    expect(days.map(({ toMs }) => new Date(toMs).toISOString().slice(8, 16))).toEqual([
      '02T00:00',
      '03T00:00',
      '04T00:00',
      '05T00:00',
      '05T10:30',
    ]);
  });
});

describe('the recovery points of a source', () => {
  it('are its complete backups until they are removed, and the proven ones from their proof on', () => {
    const events = [
      event('backup.failed', 20, { source: 'db' }),
      backup('a', 10),
      backup('part', 9, { only: ['x'] }),
      backup('b', 8, { outcome: 'partial' }),
      backup('other', 8, { source: 'files' }),
      proof('a', 7),
      proof('a', 6, { log: { target: 'x', time: new Date(NOW - 6.5 * DAY_MS).toISOString() } }),
      proof('a', 5, { state: 'failed' }),
      event('retention.decided', 2, { source: 'db', removed: [{ snapshot: 'a', tree: 'tree-a', time: '' }] }),
      backup('ahead', 1, { time: new Date(NOW + DAY_MS).toISOString() }),
    ];
    const { nominal, proven, vanished, beganMs } = recoveryPoints('db', [], events);
    const days = (ms: number | undefined) => (ms === undefined ? undefined : (NOW - ms) / DAY_MS);
    expect(nominal.map((each) => [days(each.timeMs), days(each.sinceMs), days(each.untilMs)])).toEqual([
      [10 + 1 / 24, 10, 2],
    ]);
    expect(proven.map((each) => [days(each.timeMs), days(each.sinceMs), days(each.untilMs)])).toEqual([
      [10 + 1 / 24, 7, 2],
      [6.5, 6, 2],
    ]);
    expect([days(beganMs), vanished]).toEqual([20, 0]);
  });

  it('are also snapshots that the ledger does not know, and those that are gone without a record are counted', () => {
    const { nominal, vanished } = recoveryPoints('db', stored('foreign', 'a'), [backup('a', 3), backup('gone', 2)]);
    expect(nominal.map(({ timeMs }) => timeMs)).toContain(Date.parse('2026-01-01T00:00:00Z'));
    expect([nominal.length, vanished]).toEqual([3, 1]);
  });

  it('are told of a log by what was seen of it, the last word for each day', () => {
    const day = '2026-03-30T00:00:00Z';
    const summary = (most: number) =>
      event('watch.summarised', 0, { kind: 'source', name: 'db', day, hours: [null, [10, 2, 1, 2, most]] });
    const fromMs = Date.parse(day) + HOUR_MS;
    expect(seenLogOf('db', [summary(9), summary(3)])).toEqual([
      { fromMs, toMs: fromMs + HOUR_MS, maxMs: 3, breachShare: 0.2 },
    ]);
    expect(seenLogOf('other', [summary(9)])).toEqual([]);
  });
});

describe('the forecast of an RTO', () => {
  const GB = 1e9;
  /** A backup each day, of what grows by so much a day. */
  const grown = (days: number, startBytes: number, perDayBytes: number) =>
    Array.from({ length: days }, (_, day) => ({
      timeMs: NOW - (days - 1 - day) * DAY_MS,
      bytes: startBytes + day * perDayBytes,
    }));
  const proofsAt = (bytes: readonly number[], fixedMs: number, perByteMs: number) =>
    bytes.map((each) => ({ bytes: each, durationMs: fixedMs + perByteMs * each }));

  const growing = fc.record({
    days: fc.integer({ min: 10, max: 80 }),
    start: fc.integer({ min: 1, max: 1000 }).map((gigabytes) => gigabytes * GB),
    perDay: fc.integer({ min: 1, max: 500 }).map((each) => each * 1e7),
    perByteMs: fc.integer({ min: 1, max: 100 }).map((each) => each / 1e6),
    leftDays: fc.integer({ min: -5, max: 2000 }),
  });

  it('names the day of steady growth, whatever a fifth of the backups and proofs say', () => {
    fc.assert(
      fc.property(growing, fc.infiniteStream(fc.double({ min: 0, max: 50, noNaN: true })), (given, noise) => {
        const { days, start, perDay, perByteMs, leftDays } = given;
        const sizes = grown(days, start, perDay);
        const nowBytes = sizes.at(-1)!.bytes;
        const promisedMs = perByteMs * (nowBytes + leftDays * perDay);
        fc.pre(promisedMs > 0);
        const proofs = proofsAt([start, start, start, nowBytes, nowBytes, nowBytes, nowBytes], 0, perByteMs);
        const wild = sizes.map((each, day) =>
          day % 5 === 2 ? { ...each, bytes: each.bytes * noise.next().value } : each,
        );
        const slow = proofs.map((each, index) => (index === 1 ? { ...each, durationMs: each.durationMs * 30 } : each));
        const found = forecastRto(wild, slow, { promisedMs, nowMs: NOW });
        expect(found).toMatchObject({ state: 'missed' });
        const offDays = ((found as { missedAtMs: number }).missedAtMs - NOW) / DAY_MS - leftDays;
        // What is left of the noise is in proportion to how far away it is.
        expect(Math.abs(offDays)).toBeLessThan(1 + 0.35 * (Math.abs(leftDays) + days));
        const exact = forecastRto(sizes, proofs, { promisedMs, nowMs: NOW }) as { missedAtMs: number };
        expect((exact.missedAtMs - NOW) / DAY_MS).toBeCloseTo(leftDays, 3);
      }),
      { numRuns: 60 },
    );
  });

  it('does not depend on the unit of sizes, nor on the order of proofs, and is later for who promises less', () => {
    fc.assert(
      fc.property(growing, fc.integer({ min: 2, max: 1024 }), ({ days, start, perDay, perByteMs, leftDays }, unit) => {
        const sizes = grown(days, start, perDay);
        const proofs = proofsAt([start, 2 * start, 3 * start, start * 1.5, start * 1.2], 60_000, perByteMs);
        const promisedMs = 60_000 + perByteMs * (start + (days + leftDays + 10) * perDay);
        const atOf = (sized: typeof sizes, measured: typeof proofs, promised: number) =>
          (forecastRto(sized, measured, { promisedMs: promised, nowMs: NOW }) as { missedAtMs?: number }).missedAtMs ??
          Number.POSITIVE_INFINITY;
        const at = atOf(sizes, proofs, promisedMs);
        const inUnits = <T extends { bytes: number }>(all: T[]) =>
          all.map((each) => ({ ...each, bytes: each.bytes / unit }));
        expect(Math.abs(atOf(inUnits(sizes), inUnits(proofs), promisedMs) - at)).toBeLessThan(HOUR_MS);
        expect(atOf(sizes, proofs.toReversed(), promisedMs)).toBe(at);
        expect(atOf(sizes, proofs, promisedMs * 1.1)).toBeGreaterThan(at);
      }),
      { numRuns: 60 },
    );
  });

  it('tells what a recovery takes anyway from what each byte takes', () => {
    const proofs = proofsAt([10 * GB, 20 * GB, 30 * GB, 40 * GB, 50 * GB], 600_000, 1e-5);
    const found = forecastRto(grown(30, 21 * GB, GB), proofs, { promisedMs: 600_000 + 60 * GB * 1e-5, nowMs: NOW });
    expect(found).toEqual({
      state: 'missed',
      ...{ nowMs: 600_000 + 50 * GB * 1e-5, bytes: 50 * GB, bytesPerDay: GB, missedAtMs: NOW + 10 * DAY_MS },
    });
  });

  it('keeps what does not grow, and misses at once what takes too long already', () => {
    const proofs = proofsAt([GB, GB, GB], 0, 1e-6);
    const ask = (perDay: number, promisedMs: number) =>
      forecastRto(grown(20, GB, perDay), proofs, { promisedMs, nowMs: NOW });
    expect(ask(0, 1001)).toMatchObject({ state: 'kept', nowMs: 1000 });
    expect(ask(0, 999)).toMatchObject({ state: 'missed', missedAtMs: NOW });
    expect(ask(-1e7, 2000)).toMatchObject({ state: 'kept' });
    // Eleven years away.
    expect(ask(1e6, 1000 + 19 + 11 * 365)).toMatchObject({ state: 'kept' });
  });

  it('says that it is not enough to say, rather than nothing or a guess', () => {
    const proofs = proofsAt([GB, GB, GB], 0, 1e-6);
    const state = (...given: Parameters<typeof forecastRto>) => forecastRto(...given).state;
    const promised = { promisedMs: 1, nowMs: NOW };
    expect(state(grown(20, GB, 1), proofs.slice(1), promised)).toBe('not-enough');
    expect(state(grown(6, GB, 1), proofs, promised)).toBe('not-enough');
    expect(state([...grown(4, GB, 1), ...grown(1, GB, 1)], proofs, promised)).toBe('not-enough');
    expect(
      state(
        grown(20, GB, 1).map((each) => ({ ...each, timeMs: each.timeMs - 100 * DAY_MS })),
        proofs,
        promised,
      ),
    ).toBe('not-enough');
    expect(state(grown(20, GB, 1), proofs, promised)).toBe('missed');
  });

  it('goes by complete backups and by proofs that came back, of the source alone', () => {
    const days = Array.from({ length: 20 }, (_, index) => 20 - index);
    const events = days.flatMap((day) => [
      backup(`s${day}`, day, { bytesProcessed: (40 - day) * GB }),
      backup(`p${day}`, day - 0.1, { bytesProcessed: GB / 100, outcome: 'partial' }),
      backup(`o${day}`, day - 0.2, { bytesProcessed: 1, only: ['x'] }),
    ]);
    const proofs = [20, 15, 10, 8].map((day) => proof(`s${day}`, day - 0.5, { durationMs: (40 - day) * 1000 }));
    const wrong = [20, 15, 10, 8, 7].map((day) => proof(`s${day}`, 1, { state: 'failed', durationMs: 1 }));
    const source = { name: 'db', objectives: { rtoMs: 60_000 } };
    const found = rtoForecast(source, [...events, ...proofs, ...wrong], NOW) as { missedAtMs: number };
    // A second and a gigabyte a day: 40 s now, an hour before which the last moment is.
    expect(Math.abs(found.missedAtMs - (NOW - HOUR_MS + 20 * DAY_MS))).toBeLessThan(HOUR_MS);
    expect(rtoForecast({ name: 'db', objectives: {} }, events, NOW)).toBeUndefined();
    expect(rtoForecast({ ...source, name: 'other' }, [...events, ...proofs], NOW)?.state).toBe('not-enough');
  });
});

describe('what is remembered of a ledger for forecasts', () => {
  it('foretells the same as all of it', () => {
    const source = { name: 'db', objectives: { rtoMs: 60_000 } };
    fc.assert(
      fc.property(
        fc.record({
          days: fc.integer({ min: 60, max: 150 }),
          perDay: fc.integer({ min: 20, max: 30 }),
          seed: fc.nat(),
        }),
        ({ days, perDay, seed }) => {
          const random = randomFrom(seed);
          const events: LedgerEvent[] = [];
          for (let hours = days * 24; hours > 0; hours -= 24 / perDay) {
            const bytesProcessed = Math.round((2 * days - hours / 24) * 1e9 * (1 + random() / 10));
            const outcome = random() < 0.1 ? ('partial' as const) : ('complete' as const);
            events.push(backup(`b${hours}`, hours / 24, { bytesProcessed, outcome }));
            if (random() > 0.05) continue;
            const recent = events.filter(({ kind }) => kind === 'backup.finished').slice(-7 * perDay);
            const { snapshot } = recent[Math.floor(random() * recent.length)]!.body as { snapshot: string };
            const state = random() < 0.2 ? ('failed' as const) : ('proven' as const);
            events.push(proof(snapshot, hours / 24, { state, durationMs: Math.round(40_000 * random()) }));
          }
          const remembered = growthSummary.initial();
          for (const each of events) growthSummary.add(remembered, each);
          const kept = remembered.get('db')!.events;
          expect(kept.length).toBeLessThan(2500);
          expect(rtoForecast(source, kept, NOW)).toEqual(rtoForecast(source, events, NOW));
        },
      ),
      { numRuns: 20 },
    );
  });
});

/** The same numbers from 0 to 1 for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the forecasts that a plan wants to hear of', () => {
  it('are those within its rule, and those that are missed already', () => {
    const source = (name: string, rtoMs: number) =>
      [name, { name, repository: 'main', objectives: { rtoMs } } as unknown as PlanSource] as const;
    const events = [20, 15, 10, 5, 1].flatMap((day) => [
      backup(`s${day}`, day, { bytesProcessed: (40 - day) * 1000 }),
      proof(`s${day}`, day - 0.5, { durationMs: (40 - day) * 1000 }),
    ]);
    const near = (withinMs: number | undefined) => {
      const rules = new Map(withinMs === undefined ? [] : [['rto-forecast', { name: 'rto-forecast', withinMs }]]);
      const sources = new Map([source('late', 60_000), source('db', 60_000), source('far', 3_600_000)]);
      const plan = planWith({ sources, alerts: { ...planWith({}).alerts, rules } as unknown as Plan['alerts'] });
      const late = events.map((each) => ({ ...each, body: { ...each.body, source: 'late', durationMs: 90_000 } }));
      return forecastsNear(plan, () => [...events, ...(late as LedgerEvent[])], NOW).map(({ source: name }) => name);
    };
    expect(near(30 * DAY_MS)).toEqual(['late', 'db']);
    expect(near(10 * DAY_MS)).toEqual(['late']);
    expect(near(undefined)).toEqual(['late', 'db']);
  });
});

describe('a robust line', () => {
  it('is the line of points on one, and there is none through one moment', () => {
    expect(
      robustLine([
        [1, 3],
        [2, 5],
        [4, 9],
      ]),
    ).toEqual({ slope: 2, intercept: 1 });
    expect(
      robustLine([
        [1, 3],
        [1, 5],
      ]),
    ).toBeUndefined();
    expect([median([]), median([4, 1]), median([9, 1, 2])]).toEqual([undefined, 2.5, 2]);
  });
});

describe('success rates', () => {
  it('count what was missed or died as not done, and parts and what was stopped by hand not at all', () => {
    const events = [
      backup('old', 40),
      backup('a', 3),
      backup('b', 2, { outcome: 'partial' }),
      backup('c', 2, { only: ['x'] }),
      event('backup.failed', 2, { source: 'db', code: 'source-unreachable' }),
      event('backup.failed', 2, { source: 'db', code: 'interrupted' }),
      event('run.died', 2, { task: 'backup:db' }),
      event('run.missed', 1, { task: 'backup:db', count: 3 }),
      event('run.missed', 1, { task: 'backup:other', count: 9 }),
      event('restore.finished', 1, { source: 'db', outcome: 'complete' }),
      proof('a', 1),
      proof('b', 1, { state: 'not-provable' }),
      proof('c', 1, { part: true, state: 'failed' }),
    ];
    const { backup: backups, restore, verify } = successRates('db', events, NOW);
    expect(backups.map(({ days, rate }) => [days, rate])).toEqual([
      [7, 1 / 7],
      [30, 1 / 7],
      [365, 2 / 8],
    ]);
    expect(backups[0]).toMatchObject({ succeeded: 1, partial: 1, failed: 2, missed: 3 });
    expect([restore[0]!.rate, verify[0]!.rate]).toEqual([1, 0.5]);
    expect(successRates('none', events, NOW).backup[2]).toEqual({
      ...{ days: 365, succeeded: 0, partial: 0, failed: 0, missed: 0 },
    });
  });
});

it('counts no restore as failed that was refused, or interrupted, before it could show anything', () => {
  const failed = (code: string) => event('restore.failed', 1, { source: 'db', code, durationMs: 1 });
  const refused = ['interrupted', 'bad-usage', 'unknown-source', 'target-not-empty'].map(failed);
  expect(successRates('db', refused, NOW).restore[0]).toEqual({
    ...{ days: 7, succeeded: 0, partial: 0, failed: 0, missed: 0 },
  });
  const tried = ['target-failed', 'repository-damaged', 'written by a later version'].map(failed);
  expect(successRates('db', tried, NOW).restore[0]).toMatchObject({ failed: 3, rate: 0 });
});

describe('how long repairs take', () => {
  it('is from raised to resolved, of what was of severity p1 at any time, and names what is open', () => {
    const raised = (alert: string, daysAgo: number, severity: string) =>
      event('alert.raised', daysAgo, { alert, severity, rule: 'availability', subject: 'api' });
    const events = [
      raised('1', 5, 'p1'),
      event('alert.resolved', 4, { alert: '1' }),
      raised('2', 4, 'p3'),
      event('alert.updated', 3.5, { alert: '2', severity: 'p1', message: '' }),
      event('alert.resolved', 1, { alert: '2' }),
      raised('3', 3, 'p2'),
      event('alert.resolved', 2, { alert: '3' }),
      raised('4', 1, 'p1'),
      event('restore.finished', 9, { source: 'db', outcome: 'complete', durationMs: 500 }),
      event('restore.finished', 9, { source: 'db', outcome: 'partial', durationMs: 1 }),
    ];
    const { alerts, restores, open } = repairsIn(events, NOW);
    expect(alerts[0]).toEqual({ days: 7, count: 2, meanMs: 2 * DAY_MS, medianMs: 2 * DAY_MS, longestMs: 3 * DAY_MS });
    expect(restores).toMatchObject([{ count: 0 }, { count: 1, meanMs: 500 }, { count: 1 }]);
    expect(open).toEqual([{ alert: '4', rule: 'availability', subject: 'api', since: events[7]!.time }]);
  });
});
