import { type LedgerEvent, mergedByTime } from '../../ledger/index.ts';
import { hasLog, type Objectives, type Source as PlanSource } from '../../plan/index.ts';
import { logStatus } from '../log/log-status.ts';
import { parseMoment, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { type SourceStatus, sourceStatus } from '../status/status.ts';
import type { Workspace } from '../workspace.ts';
import { type Coverage, coverageOf, partsOf } from './coverage.ts';
import { type DrillTimes, drillTimes } from './drill-times.ts';
import { type ForecastReport, reportedForecast } from './near-forecasts.ts';
import { recoveryPoints } from './recovery-points.ts';
import { type Repairs, repairsIn } from './repair-times.ts';
import { median } from './robust-line.ts';
import { rtoForecast } from './rto-forecast.ts';
import { seenLogOf } from './seen-log.ts';
import { type SuccessRates, successRates } from './success.ts';

const DAY_MS = 24 * 3_600_000;
const USUAL_MS = 30 * DAY_MS;

export interface ObjectivesRequest {
  /** Names; all, when left out. */
  sources: readonly string[];
  /** From when on: RFC 3339, or `90d ago`; 30 days ago, when left out. */
  since?: string;
}

/** What was promised, and what was kept of it. Times are RFC 3339. */
export interface ObjectivesReport {
  from: string;
  to: string;
  sources: ObjectivesOfSource[];
  /** Of each runbook that the plan has. */
  runbooks: DrillTimes[];
  repairs: Repairs;
  notes: string[];
}

export interface ObjectivesOfSource {
  source: string;
  objectives: Objectives;
  /** As they are now, and which of them are missed: see `SourceStatus`. */
  actual: SourceStatus['actual'];
  missed: SourceStatus['missed'];
  /** How old the newest complete, and the newest proven recovery point was, from when it was first to be backed up. */
  rpo: CoverageReport;
  proof: CoverageReport;
  rto: MeasuredRto;
  success: SuccessRates;
}

export type CoverageReport = Omit<Coverage, 'series'> & {
  series: { from: string; to: string; maxMs?: number; breachMs?: number; withoutMs: number }[];
};

export interface MeasuredRto {
  /** Every proof of the period, oldest first: what a recovery of all of the source would have taken. */
  proofs: { time: string; durationMs: number; restoreMs: number; validateMs: number; bytes: number }[];
  medianMs?: number;
  maxMs?: number;
  /** Where an RTO is promised; `missedAt` is RFC 3339. */
  forecast?: ForecastReport;
}

/**
 * What the plan promises, and what was kept of it over a period.
 * @throws unknown-source, bad-usage for what is no time; what keeps a repository from being read
 */
export async function objectives(workspace: Workspace, request: ObjectivesRequest): Promise<ObjectivesReport> {
  const nowMs = workspace.environment.clock.nowMs();
  const fromMs = request.since === undefined ? nowMs - USUAL_MS : (parseMoment(request.since, nowMs) ?? nowMs);
  const period = { fromMs: Math.min(fromMs, nowMs), toMs: nowMs };
  const planned = workspace.sources(request.sources);
  // Runs and alerts are recorded in one of them, whichever the source's own is.
  const known = new Map(
    await Promise.all(workspace.homeNames.map(async (name) => [name, await read(workspace, name)] as const)),
  );
  const everywhere = mergedByTime([...known.values()].map(({ events }) => events));
  const runs = everywhere.filter(isRun);
  const notes: string[] = [];
  const sources = await Promise.all(
    planned.map(async (source) => {
      const { opened, snapshots, events } = known.get(source.repository)!;
      const own = snapshotsOf(snapshots, workspace.plan.name, source.name);
      const log = hasLog(source) ? await logStatus(workspace, opened, source, events) : undefined;
      const { actual, missed } = sourceStatus(source, own, events, nowMs, log);
      const points = recoveryPoints(source.name, own, events);
      if (points.vanished > 0) notes.push(vanishedNote(source.name, points.vanished));
      const beganMs = points.beganMs ?? nowMs;
      const parts = partsOf({ ...period, fromMs: Math.max(period.fromMs, beganMs) });
      const { rpoMs, proofMs } = source.objectives;
      return {
        ...{ source: source.name, objectives: source.objectives, actual, missed },
        rpo: reported(coverageOf(points.nominal, parts, { promisedMs: rpoMs, seen: seenLogOf(source.name, events) })),
        proof: reported(
          coverageOf(points.proven, parts, { promisedMs: proofMs, graceUntilMs: beganMs + (proofMs ?? 0) }),
        ),
        rto: measuredRto(source, events, period),
        success: successRates(source.name, [...events.filter((event) => !isRun(event)), ...runs], nowMs),
      };
    }),
  );
  notes.unshift(...[...known.values()].flatMap(({ damaged }) => damaged.map(({ message }) => message)));
  return {
    ...{ from: timeOf(period.fromMs), to: timeOf(nowMs), sources },
    runbooks: drillTimes(workspace.plan.runbooks.values(), everywhere, period.fromMs),
    repairs: repairsIn(everywhere, nowMs),
    notes,
  };
}

async function read(workspace: Workspace, name: string) {
  const opened = await workspace.open(name);
  return { opened, ...(await readableSnapshots(opened.repository)), events: await opened.ledger.read() };
}

function vanishedNote(source: string, count: number): string {
  return `${source}: ${count} of its snapshots are gone and nobody recorded when; they count as if they were there, and RPO now does not`;
}

function measuredRto(
  source: PlanSource,
  events: readonly LedgerEvent[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): MeasuredRto {
  const proofs = events.flatMap((event) => {
    if (event.kind !== 'proof.recorded' || event.body.source !== source.name) return [];
    const { state, part, durationMs, restoreMs, validateMs, bytes } = event.body;
    const isMeant = state === 'proven' && !part && Date.parse(event.time) >= fromMs;
    return isMeant ? [{ time: event.time, durationMs, restoreMs, validateMs, bytes }] : [];
  });
  const durations = proofs.map(({ durationMs }) => durationMs);
  const forecast = rtoForecast(source, events, toMs);
  return {
    proofs,
    ...(durations.length > 0 && { medianMs: Math.round(median(durations)!), maxMs: Math.max(...durations) }),
    ...(forecast && { forecast: reportedForecast(forecast) }),
  };
}

function reported({ series, ...coverage }: Coverage): CoverageReport {
  const parts = series.map(({ fromMs, toMs, ...part }) => ({ from: timeOf(fromMs), to: timeOf(toMs), ...part }));
  return { ...coverage, series: parts };
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function isRun({ kind }: LedgerEvent): boolean {
  return kind === 'run.died' || kind === 'run.missed';
}
