import { parseTimeMs, snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { type Group, hasLog, type Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { isOffline } from '../archives/recall.ts';
import { findWantedPoint, momentOf } from '../restore/recovery-point.ts';
import { parseMoment, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { chooseCoordinated, type DatedSnapshot } from './coordinated.ts';

/** What a source of a group is brought back from. */
export interface GroupPoint {
  source: string;
  /** The backup that it is, or that the log goes on from. */
  snapshot: string;
  /** RFC 3339: the moment that comes back, by Holdfast's clock; of what takes a while to be read, when that began. */
  time: string;
  /** How far before the moment that was asked for that is. */
  skewMs: number;
  /** Of a source with a log: the moment by the server's clock, which the log is replayed to. */
  at?: string;
  /** How far the server's clock was ahead, where that is known. */
  clockOffsetMs?: number;
  /** Taken together with the others. */
  isCoordinated: boolean;
}

/** A source that has no point, and why. */
export interface MissingPoint {
  source: string;
  error: HoldfastError;
}

export interface GroupPoints {
  /** RFC 3339: the moment that was asked for. */
  at: string;
  /** In the order of importance. */
  points: (GroupPoint | MissingPoint)[];
  /** The largest there is. */
  skewMs: number;
}

/**
 * For every source of a group, the recovery point that is nearest to a moment and not after it: of one with a log the moment
 * itself, or the last that the log covers, by its server's clock; of the others a backup that was over by then. Where the
 * oldest of these backups was taken together with the others, those are meant: the group is no newer than its oldest part.
 * @param at RFC 3339, `2h ago`, or `latest` for now
 * A repository that cannot be opened keeps the sources in it from having a point, and no others.
 * @throws bad-usage, unknown-repository
 */
export async function groupPoints(
  workspace: Workspace,
  group: Group,
  { at = 'latest', repository }: { at?: string | undefined; repository?: string | undefined },
): Promise<GroupPoints> {
  const nowMs = workspace.environment.clock.nowMs();
  const atMs = parseMoment(at, nowMs) ?? nowMs;
  if (atMs > nowMs) {
    throw new HoldfastError('bad-usage', `${new Date(atMs).toISOString()} has not come yet`, {
      hint: 'Give a moment that has passed, or `latest`.',
    });
  }
  if (repository !== undefined) workspace.repositoryName(repository);
  const candidates = await Promise.all(
    workspace
      .sources(group.sources)
      .map((planned) =>
        orMissing(workspace, planned.name, () => candidatesOf(workspace, planned, { atMs, repository })),
      ),
  );
  const coordinated = chooseCoordinated(
    group.name,
    candidates.flatMap((each) => ('error' in each ? [[]] : each.isReplayed ? [] : [each.dated])),
  );
  const points = await Promise.all(
    candidates.map((each) => ('error' in each ? each : pointOf(workspace, each, { atMs, coordinated }))),
  );
  const skews = points.map((point) => ('error' in point ? 0 : point.skewMs));
  return { at: new Date(atMs).toISOString(), points, skewMs: Math.max(0, ...skews) };
}

interface Candidates {
  planned: PlanSource;
  repository: string;
  isReplayed: boolean;
  /** Backups that were over by then, oldest first. */
  dated: DatedSnapshot[];
  /** The first backup there is, for who has none that old. */
  first: StoredSnapshot | undefined;
  clockOffsetMs: number | undefined;
}

async function candidatesOf(
  workspace: Workspace,
  planned: PlanSource,
  { atMs, repository: given }: { atMs: number; repository: string | undefined },
): Promise<Candidates> {
  const repository = workspace.repositoryName(given ?? planned.repository);
  const opened = await workspace.openToRead(repository);
  const { snapshots } = await readableSnapshots(opened.repository);
  const own = snapshotsOf(snapshots, workspace.plan.name, planned.name);
  const dated = own
    .filter((snapshot) => overMs(snapshot) <= atMs)
    .map((snapshot) => ({ snapshot, timeMs: snapshotTimeMs(snapshot) }));
  return {
    ...{ planned, repository, dated, first: own[0] },
    isReplayed: hasLog(planned) && !isOffline(workspace, repository),
    clockOffsetMs: clockOffsetOf(planned.name, await opened.ledger.read(), atMs),
  };
}

/** What is read while it goes on changing may hold what came until its end; a dump is of the moment that it says. */
export function overMs(snapshot: StoredSnapshot): number {
  const timeMs = snapshotTimeMs(snapshot);
  if (snapshot.tags?.includes(DUMP_TAG)) return timeMs;
  return Math.max(timeMs, parseTimeMs(snapshot.summary?.backup_end ?? '') ?? timeMs);
}

/** Of what is of one moment. */
const DUMP_TAG = 'kind:dump';

/** As the last backup before a moment measured it. */
function clockOffsetOf(source: string, events: readonly LedgerEvent[], atMs: number): number | undefined {
  const measured = events.flatMap(({ kind, body }) =>
    kind === 'backup.finished' && body.source === source && body.clockOffsetMs !== undefined ? [body] : [],
  );
  return (measured.findLast(({ time }) => Date.parse(time) <= atMs) ?? measured[0])?.clockOffsetMs;
}

async function pointOf(
  workspace: Workspace,
  candidates: Candidates,
  wanted: { atMs: number; coordinated: ReadonlyMap<string, StoredSnapshot> | undefined },
): Promise<GroupPoint | MissingPoint> {
  const { planned, isReplayed } = candidates;
  return orMissing(workspace, planned.name, async () => {
    if (isReplayed) return nearestOfLog(workspace, candidates, wanted.atMs);
    return pointOfBackup(candidates, wanted.atMs, wanted.coordinated?.get(planned.name));
  });
}

/** What concerns one source keeps no other from having a point. */
async function orMissing<T>(workspace: Workspace, source: string, work: () => Promise<T>): Promise<T | MissingPoint> {
  try {
    return await work();
  } catch (error) {
    const reported = reportable(error, workspace.environment.signal);
    if (reported.code === 'interrupted' || reported.code === 'internal') throw error;
    return { source, error: reported };
  }
}

/** @param together the backup that was taken with the others; the nearest, when left out */
function pointOfBackup(
  { planned, dated, first, clockOffsetMs }: Candidates,
  atMs: number,
  together?: StoredSnapshot,
): GroupPoint {
  const snapshot = together ?? dated.at(-1)?.snapshot;
  if (snapshot === undefined) throw noBackup(planned.name, first);
  const timeMs = snapshotTimeMs(snapshot);
  return {
    ...{ source: planned.name, snapshot: snapshot.id, time: new Date(timeMs).toISOString() },
    ...{ skewMs: atMs - timeMs, isCoordinated: together !== undefined },
    ...(clockOffsetMs !== undefined && { clockOffsetMs }),
  };
}

/** The moment itself; else the last that the log covers before it, or a backup, where that is nearer. */
async function nearestOfLog(workspace: Workspace, candidates: Candidates, atMs: number): Promise<GroupPoint> {
  const { dated, clockOffsetMs = 0 } = candidates;
  try {
    return await pointOfLog(workspace, candidates, { atMs, momentMs: atMs });
  } catch (error) {
    const until = isHoldfastError(error, 'log-missing') ? error.context['until'] : undefined;
    if (typeof until !== 'string') throw error;
    const coveredMs = Date.parse(until) - clockOffsetMs;
    const newest = dated.at(-1)?.snapshot;
    if (newest !== undefined && overMs(newest) >= coveredMs) return pointOfBackup(candidates, atMs);
    return pointOfLog(workspace, candidates, { atMs, momentMs: coveredMs });
  }
}

/** @param momentMs by Holdfast's clock, as `atMs` */
async function pointOfLog(
  workspace: Workspace,
  { planned, repository, clockOffsetMs = 0 }: Candidates,
  { atMs, momentMs }: { atMs: number; momentMs: number },
): Promise<GroupPoint> {
  const opened = await workspace.openToRead(repository);
  const at = new Date(momentMs + clockOffsetMs).toISOString();
  const point = await findWantedPoint(workspace, opened, planned, { at, chosen: undefined });
  await point.log.close();
  const serverMs = momentOf(point, undefined);
  // Clocks differ by fractions of a millisecond too: rounded down, it is not after what was asked for.
  const timeMs = Math.floor(serverMs - clockOffsetMs);
  return {
    ...{ source: planned.name, snapshot: point.base.id, time: new Date(timeMs).toISOString() },
    ...{ skewMs: atMs - timeMs, at: new Date(serverMs).toISOString(), clockOffsetMs, isCoordinated: false },
  };
}

function noBackup(source: string, first: StoredSnapshot | undefined): HoldfastError {
  return new HoldfastError('unknown-snapshot', `${source} has no backup that was over by then`, {
    hint: first === undefined ? `Take one with \`holdfast backup ${source}\`.` : `Its first one is of ${first.time}.`,
  });
}
