/** What was promised and kept in each month and quarter. Pure. */
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Plan, Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { type CalendarPeriod, newestPeriods, type PeriodKind } from './calendar-periods.ts';
import { type CoveragePart, coverageOf, type Period } from './coverage.ts';
import { recoveryPoints } from './recovery-points.ts';
import { knownRepairs, type TimesTaken, timesIn } from './repair-times.ts';
import { median } from './robust-line.ts';
import { seenLogOf } from './seen-log.ts';
import { type AttemptCounts, attemptsIn, triedOf } from './success.ts';

/** The kinds of events that it takes. */
export const PERIOD_KINDS: readonly LedgerEvent['kind'][] = [
  ...(['backup.finished', 'backup.failed', 'proof.recorded', 'restore.finished', 'restore.failed'] as const),
  ...(['retention.decided', 'run.died', 'run.missed', 'watch.summarised'] as const),
  ...(['alert.raised', 'alert.updated', 'alert.resolved', 'incident.closed'] as const),
];

/** A month or a quarter; times are RFC 3339. */
export interface PeriodFigures {
  kind: PeriodKind;
  /** `2026-03`, or `2026-Q1`. */
  period: string;
  from: string;
  to: string;
  isOver: boolean;
  sources: SourceInPeriod[];
  /** Of all sources: the mean of `recoveries` is the mean time to recovery. */
  repairs: Record<'recoveries' | 'alerts' | 'restores', TimesTaken>;
}

export interface SourceInPeriod {
  source: string;
  /** How old the newest complete, and the newest proven recovery point was at most. */
  rpo: KeptInPeriod;
  proof: KeptInPeriod;
  /** What a recovery took, by every proof. */
  rto: { promisedMs?: number; count: number; medianMs?: number; maxMs?: number };
  success: Record<'backup' | 'restore' | 'verify', AttemptCounts>;
}

export interface KeptInPeriod {
  promisedMs?: number;
  maxMs?: number;
  /** For how long it was older than promised; absent where nothing is. */
  breachMs?: number;
}

export interface PeriodFacts {
  plan: Pick<Plan, 'timezone'>;
  /** Those that could be looked at, with their own recovery points, oldest first. */
  sources: readonly { source: PlanSource; snapshots: readonly StoredSnapshot[] }[];
  /** Of all repositories, oldest first. */
  events: readonly LedgerEvent[];
  nowMs: number;
}

/** @param count how many months, or quarters, up to now */
export function figuresByPeriod(kind: PeriodKind, count: number, facts: PeriodFacts): PeriodFigures[] {
  const { plan, events, nowMs } = facts;
  const periods = newestPeriods(kind, count, { nowMs, timezone: plan.timezone });
  const bySource = facts.sources.map(({ source, snapshots }) => sourceInPeriods(source, snapshots, events, periods));
  const { open: _open, ...ended } = knownRepairs(events);
  return periods.map((period, index) => ({
    ...{ kind, period: period.name, isOver: period.isOver },
    ...{ from: new Date(period.fromMs).toISOString(), to: new Date(period.toMs).toISOString() },
    sources: bySource.map((inPeriods) => inPeriods[index]!),
    repairs: {
      recoveries: timesIn(ended.recoveries, period),
      alerts: timesIn(ended.alerts, period),
      restores: timesIn(ended.restores, period),
    },
  }));
}

function sourceInPeriods(
  source: PlanSource,
  snapshots: readonly StoredSnapshot[],
  events: readonly LedgerEvent[],
  periods: readonly CalendarPeriod[],
): SourceInPeriod[] {
  const points = recoveryPoints(source.name, snapshots, events);
  const beganMs = points.beganMs ?? Number.POSITIVE_INFINITY;
  const { rpoMs, proofMs, rtoMs } = source.objectives;
  const parts = periods.map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, Math.min(beganMs, toMs)), toMs }));
  const nominal = coverageOf(points.nominal, parts, { promisedMs: rpoMs, seen: seenLogOf(source.name, events) });
  const proven = coverageOf(points.proven, parts, { promisedMs: proofMs, graceUntilMs: beganMs + (proofMs ?? 0) });
  const tried = triedOf(source.name, events);
  return periods.map((period, index) => ({
    source: source.name,
    rpo: keptIn(nominal.series[index]!, rpoMs),
    proof: keptIn(proven.series[index]!, proofMs),
    rto: { ...(rtoMs !== undefined && { promisedMs: rtoMs }), ...proofTimes(source.name, events, period) },
    success: {
      backup: attemptsIn(tried, 'backup', period),
      restore: attemptsIn(tried, 'restore', period),
      verify: attemptsIn(tried, 'verify', period),
    },
  }));
}

function keptIn({ fromMs, toMs, maxMs, breachMs }: CoveragePart, promisedMs: number | undefined): KeptInPeriod {
  // Before the first backup nothing is late.
  if (fromMs >= toMs) return promisedMs === undefined ? {} : { promisedMs };
  return {
    ...(promisedMs !== undefined && { promisedMs }),
    ...(maxMs !== undefined && { maxMs }),
    ...(breachMs !== undefined && { breachMs }),
  };
}

function proofTimes(source: string, events: readonly LedgerEvent[], { fromMs, toMs }: Period) {
  const durations = events.flatMap(({ kind, body, time }) => {
    if (kind !== 'proof.recorded' || body.source !== source || body.state !== 'proven' || body.part) return [];
    const atMs = Date.parse(time);
    return atMs >= fromMs && atMs < toMs ? [body.durationMs] : [];
  });
  if (durations.length === 0) return { count: 0 };
  return { count: durations.length, medianMs: Math.round(median(durations)!), maxMs: Math.max(...durations) };
}
