import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { type LogPosition, loadIndex, lsnText, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type LogMark, logEndOf, type Manifest, readManifest } from '../../source/index.ts';
import { againAfterFold, StoredLog } from '../log/stored-log.ts';
import { readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { parseRecoveryTarget, type RecoveryTarget, targetText } from './recovery-target.ts';

/** A base backup, the log behind it, and how far that is to be replayed. */
export interface RecoveryPoint {
  base: StoredSnapshot;
  system: string;
  /** The backup by itself comes to here. */
  baseEnd: LogPosition;
  /** The log behind it goes on without a gap until here. */
  reach: LogPosition;
  /** Up to which moment, by the server's clock, all of it is known to be there. */
  coveredUntilMs: number | undefined;
  target: RecoveryTarget;
  /** Where the target was found in the log, where it was searched for. */
  found?: LogPosition;
  log: StoredLog;
  /** How long the server's segments are; of a stream nothing depends on it. */
  segmentBytes: number;
  /** How far a stream is replayed; a log of segments until its server says that it is enough. */
  cut: LogPosition;
}

/** Where nothing is stored of a server's log, nothing depends on it. */
const USUAL_SEGMENT_BYTES = 16 * 1024 * 1024;

export interface Base {
  snapshot: StoredSnapshot;
  system: string;
  end: LogPosition;
  /** By the server's clock; the backup holds nothing of what was committed later. */
  finishedMs: number;
}

/**
 * Chooses the backup and the log that lead to a target: the newest backup that ended before it.
 * @param chosen a snapshot that a person chose, instead
 * @throws unknown-snapshot, log-missing where the log does not reach the target: nothing has been written then
 */
function findRecoveryPoint(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  wanted: { target: RecoveryTarget; chosen?: StoredSnapshot | undefined },
): Promise<RecoveryPoint> {
  return againAfterFold(() => findNow(workspace, opened, planned, wanted));
}

/**
 * The same, for a target as a person gives it.
 * @throws bad-usage
 */
export function findWantedPoint(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { at, chosen }: { at: string; chosen: StoredSnapshot | undefined },
): Promise<RecoveryPoint> {
  const target = parseRecoveryTarget(at, workspace.environment.clock.nowMs());
  return findRecoveryPoint(workspace, opened, planned, { target, chosen });
}

/**
 * The moment that was recovered, as far as it is known, by the server's clock.
 * @param recovered what the server said of it
 */
export function momentOf(
  { target, coveredUntilMs, base }: RecoveryPoint,
  recovered: { lastTransaction?: string } | undefined,
): number {
  if (target.kind === 'time') return target.timeMs;
  if (target.kind === 'latest' && coveredUntilMs !== undefined) return coveredUntilMs;
  const lastMs = Date.parse(recovered?.lastTransaction?.replace(/\+00$/, 'Z') ?? '');
  return Number.isNaN(lastMs) ? snapshotTimeMs(base) : lastMs;
}

async function findNow(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { target, chosen }: Parameters<typeof findRecoveryPoint>[3],
): Promise<RecoveryPoint> {
  const owner = { plan: workspace.plan.name, source: planned.name };
  const { repository } = opened;
  const log = await StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots);
  const snapshots =
    chosen === undefined
      ? snapshotsOf((await readableSnapshots(repository)).snapshots, owner.plan, owner.source)
      : [chosen];
  try {
    const bases = basesBefore(opened, { log, snapshots }, target);
    const point =
      isMark(target) && chosen === undefined
        ? await pointOfMark(workspace, planned, { log, target, bases })
        : await pointOfFirst(log, target, bases);
    if (point === undefined) throw noBackup(planned.name, target, snapshots[0]);
    refuseUnreached(point, planned.name);
    return point;
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** Backups from which a target may be reached, newest first. Only what is read of one tells where it ended. */
export async function* basesBefore(
  { repository }: OpenedRepository,
  { log, snapshots }: { log: StoredLog; snapshots: readonly StoredSnapshot[] },
  target: RecoveryTarget,
): AsyncGenerator<Base> {
  const indexed = await loadIndex(repository);
  for (const snapshot of snapshots.toReversed()) {
    if (target.kind === 'time' && snapshotTimeMs(snapshot) > target.timeMs + WIDEST_CLOCK_OFFSET_MS) continue;
    const reader = new Reader(indexed, snapshot);
    let base: Base | undefined;
    try {
      base = await baseOf(log, snapshot, await readManifest(reader));
    } finally {
      await reader.close();
    }
    if (base !== undefined && isBefore(base, target)) yield base;
  }
}

async function pointOfFirst(
  log: StoredLog,
  target: RecoveryTarget,
  bases: AsyncIterable<Base>,
): Promise<RecoveryPoint | undefined> {
  for await (const base of bases) return pointOf(log, target, base);
  return undefined;
}

async function pointOf(log: StoredLog, target: RecoveryTarget, base: Base): Promise<RecoveryPoint> {
  const { snapshot, system, end: baseEnd } = base;
  const reach = log.reachFrom(system, baseEnd) ?? baseEnd;
  const coveredUntilMs = await log.coveredUntilMs(system, reach);
  const segmentBytes = await log.segmentBytes(system);
  const cut = segmentBytes === undefined ? await cutOf(log, target, base) : reach;
  const about = { base: snapshot, system, baseEnd, reach, cut, coveredUntilMs, target, log };
  return { ...about, segmentBytes: segmentBytes ?? USUAL_SEGMENT_BYTES };
}

/**
 * Where a stream is cut so that it has all that had happened by the target, and nothing else.
 * @throws log-missing where nobody was there to see when it happened
 */
async function cutOf(log: StoredLog, target: RecoveryTarget, { system, end, finishedMs }: Base): Promise<LogPosition> {
  let cut = end;
  let beforeMs = finishedMs;
  for await (const { timeline, lsn, ms, isLate = false } of log.stampsFrom(system, end)) {
    if (target.kind === 'lsn' && lsn > target.lsn) return cut;
    if (target.kind === 'time' && ms > target.timeMs) {
      if (isLate && beforeMs < target.timeMs) throw unwatched(log.tail.owner.source, target, { beforeMs, ms });
      return cut;
    }
    cut = { timeline, lsn };
    beforeMs = ms;
  }
  return cut;
}

function unwatched(
  source: string,
  target: RecoveryTarget,
  { beforeMs, ms }: { beforeMs: number; ms: number },
): HoldfastError {
  const [before, after] = [beforeMs, ms].map((each) => new Date(each).toISOString());
  return new HoldfastError(
    'log-missing',
    `nobody followed ${source} at ${targetText(target)}: what happened between ${before} and ${after} is there, and not when`,
    { hint: `Restore to \`--at ${before}\`, or to \`--at ${after}\`.`, context: { before, after } },
  );
}

/**
 * The newest backup whose log has a mark behind it. What comes behind each backup is searched, the newest first, up to
 * where the one before it began.
 * @throws log-missing when none has it
 */
async function pointOfMark(
  workspace: Workspace,
  planned: PlanSource,
  { log, target, bases }: { log: StoredLog; target: LogMark & RecoveryTarget; bases: AsyncIterable<Base> },
): Promise<RecoveryPoint | undefined> {
  const { signal } = workspace.environment;
  const source = await workspace.createSource(planned);
  const progress = workspace.environment.progress(planned.name);
  let newer: RecoveryPoint | undefined;
  try {
    for await (const base of bases) {
      const point = await pointOf(log, target, base);
      const { system, baseEnd: from, reach, segmentBytes } = point;
      progress.phase(`searching the log behind the backup of ${point.base.time}`);
      const found = await source.findMark?.(target, {
        ...{ from, segmentBytes, signal, end: newer !== undefined && leadsTo(point, newer) ? newer.baseEnd : reach },
        readSegment: (timeline, start) => log.readSegment(system, timeline, start, segmentBytes),
        readHistory: (timeline) => log.readHistory(system, timeline),
      });
      if (found !== undefined) return { ...point, found };
      newer = point;
    }
  } finally {
    progress.finish();
  }
  if (newer === undefined) return undefined;
  const { base, baseEnd } = newer;
  throw new HoldfastError('log-missing', `the log of ${planned.name} does not have ${targetText(target)}`, {
    hint: `It was searched from the oldest backup on, that of ${base.time}, and wherever it goes on from a later one. If \`holdfast follow\` runs, what is missing may still come.`,
    context: { snapshot: base.id.slice(0, 8), start: lsnText(baseEnd.lsn) },
  });
}

/** Whether the log behind a backup goes on through where a newer one ended. */
function leadsTo({ system, reach }: RecoveryPoint, newer: RecoveryPoint): boolean {
  return system === newer.system && reach.timeline === newer.reach.timeline && reach.lsn === newer.reach.lsn;
}

function isMark(target: RecoveryTarget): target is LogMark & RecoveryTarget {
  return target.kind === 'xid' || target.kind === 'name';
}

function noBackup(source: string, target: RecoveryTarget, first: StoredSnapshot | undefined): HoldfastError {
  return new HoldfastError(
    'unknown-snapshot',
    `${source} has no backup with a log that ended before ${targetText(target)}`,
    {
      hint:
        first === undefined
          ? `Take one with \`holdfast backup ${source}\`.`
          : `Its first one is of ${first.time}: a moment during a backup is reached only from an older one.`,
    },
  );
}

/** Backups whose moment is later by so much need not be looked at. */
const WIDEST_CLOCK_OFFSET_MS = 24 * 3_600_000;

async function baseOf(log: StoredLog, snapshot: StoredSnapshot, manifest: Manifest): Promise<Base | undefined> {
  const said = logEndOf(manifest);
  if (said === undefined) return undefined;
  const { system, timeline, lsn } = await log.locate(said);
  return { snapshot, system, end: { timeline, lsn }, finishedMs: said.ms };
}

function isBefore({ end, finishedMs }: Base, target: RecoveryTarget): boolean {
  if (target.kind === 'time') return finishedMs <= target.timeMs;
  if (target.kind === 'lsn') return end.lsn <= target.lsn;
  return true;
}

/** @throws log-missing */
function refuseUnreached({ target, reach, coveredUntilMs, baseEnd, base }: RecoveryPoint, source: string): void {
  const covered = coveredUntilMs ?? snapshotTimeMs(base);
  if (target.kind === 'time' && covered < target.timeMs + target.microseconds / 1000) {
    const until = new Date(covered).toISOString();
    throw new HoldfastError(
      'log-missing',
      `the log of ${source} is there until ${until}, and not until ${targetText(target)}`,
      {
        hint: `Restore to \`--at ${until}\`, or to \`--at latest\`, which is the end of what there is. If \`holdfast follow\` runs, what is missing may still come.`,
        context: { snapshot: base.id.slice(0, 8), until },
      },
    );
  }
  if (target.kind === 'lsn' && reach.lsn < target.lsn) {
    throw new HoldfastError(
      'log-missing',
      `the log of ${source} ends at ${lsnText(reach.lsn)}, before ${targetText(target)}`,
      {
        hint: 'Restore to `--at latest`, which is the end of what there is. If `holdfast follow` runs, what is missing may still come.',
        context: { snapshot: base.id.slice(0, 8), end: lsnText(baseEnd.lsn) },
      },
    );
  }
}

/** What is going to be done, for a person to see before it is. */
export function describePoint({ base, baseEnd, reach, target, found, coveredUntilMs }: RecoveryPoint): string {
  const until = coveredUntilMs === undefined ? '' : `, which is all until ${new Date(coveredUntilMs).toISOString()}`;
  const length = formatSize(Number(reach.lsn - baseEnd.lsn));
  const place = found === undefined ? '' : `, which is at ${lsnText(found.lsn)} on timeline ${found.timeline}`;
  return `recovering to ${targetText(target)}${place}: the backup of ${base.time} (snapshot ${base.id.slice(0, 8)}), then its log from ${lsnText(baseEnd.lsn)} on timeline ${baseEnd.timeline}; there is ${length} up to ${lsnText(reach.lsn)} on timeline ${reach.timeline}${until}`;
}
