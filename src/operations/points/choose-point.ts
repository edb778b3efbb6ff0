import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { type Choice, hasLog, type Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { isOffline } from '../archives/recall.ts';
import { groupPoints } from '../groups/group-points.ts';
import { marksOf } from '../marks/marks.ts';
import { momentProofsOf, statesOf } from '../proofs.ts';
import { findWantedPoint, momentOf } from '../restore/recovery-point.ts';
import { isPartial, parseMoment, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type Candidate, type Chosen, choose, timeText } from './choose.ts';

export interface PointRequest {
  /** One of the two. */
  source?: string;
  group?: string;
  choose: Choice;
  /** Not after this moment: RFC 3339 or `2h ago`. */
  before?: string;
  /** Of `at`. */
  at?: string;
  /** When the incident began, milliseconds since 1970: `latest-clean` is from before it. */
  sinceMs: number;
  repository?: string;
}

export interface ChosenPoint {
  /** RFC 3339. */
  time: string;
  timeMs: number;
  /** The backup; of a group there is none that all have. */
  snapshot?: string;
  /** In words. */
  reason: string;
}

/**
 * Chooses a recovery point of a source, or one moment for a group, and says why it is this one.
 * @throws unknown-snapshot where none is as it is wanted, with why; log-missing; bad-usage
 */
export async function choosePoint(workspace: Workspace, request: PointRequest): Promise<ChosenPoint> {
  const nowMs = workspace.environment.clock.nowMs();
  if (request.choose === 'at' && request.at === undefined) {
    throw new HoldfastError('bad-usage', 'a recovery point is chosen by a time that is not given', {
      hint: 'Give `at`, or choose another way.',
    });
  }
  const given = request.before === undefined ? undefined : parseMoment(request.before, nowMs);
  const isClean = request.choose === 'latest-clean';
  const atMs = request.choose === 'at' ? parseMoment(request.at!, nowMs) : undefined;
  const beforeMs = leastOf([given, atMs, isClean ? request.sinceMs : undefined]);
  const wanted = { choose: request.choose, beforeMs };
  if (request.group !== undefined) return chooseForGroup(workspace, request, wanted);
  const planned = workspace.sources([request.source!])[0]!;
  return chooseForSource(workspace, planned, wanted, request.repository);
}

interface Limited {
  choose: Choice;
  beforeMs: number | undefined;
}

async function chooseForSource(
  workspace: Workspace,
  planned: PlanSource,
  wanted: Limited,
  repository: string | undefined,
): Promise<ChosenPoint> {
  const opened = await workspace.openToRead(workspace.repositoryName(repository ?? planned.repository));
  const known = await knownOf(workspace, opened, planned);
  if (hasLog(planned) && !isOffline(workspace, opened.name))
    return chooseInLog(workspace, opened, planned, { known, wanted });
  return pointOf(choose(planned.name, known.backups, wanted, known.suspectFromMs));
}

interface Known {
  /** Oldest first. */
  backups: Candidate[];
  /** Moments behind them that were proven. */
  moments: Candidate[];
  suspectFromMs: number | undefined;
  snapshots: StoredSnapshot[];
}

async function knownOf({ plan }: Workspace, opened: OpenedRepository, { name }: PlanSource): Promise<Known> {
  const own = snapshotsOf((await readableSnapshots(opened.repository)).snapshots, plan.name, name);
  const events = await opened.ledger.read();
  const states = statesOf(name, events);
  const { suspected } = marksOf(events);
  const backups = own.map((snapshot) => ({
    snapshot: snapshot.id,
    timeMs: snapshotTimeMs(snapshot),
    state: states.get(snapshot.tree),
    isPartial: isPartial(snapshot),
    isSuspect: suspected.has(snapshot.tree),
  }));
  const suspectTimes = [...suspected.values()].flatMap(({ source, time }) =>
    source === name ? [Date.parse(time)] : [],
  );
  return { backups, moments: momentsOf(name, events, own), suspectFromMs: leastOf(suspectTimes), snapshots: own };
}

function momentsOf(source: string, events: readonly LedgerEvent[], own: readonly StoredSnapshot[]): Candidate[] {
  return momentProofsOf(source, events, own).flatMap(({ body: { snapshot, state, log } }) =>
    log?.time === undefined
      ? []
      : [{ snapshot, timeMs: Date.parse(log.time), state, isPartial: false, isSuspect: false }],
  );
}

/**
 * Of a source with a log any second: the newest that the log leads to. A clean one goes on from a backup that is proven, and
 * ends before anything is suspect; a proven one was proven itself.
 */
async function chooseInLog(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { known, wanted }: { known: Known; wanted: Limited },
): Promise<ChosenPoint> {
  const { backups, moments, suspectFromMs, snapshots } = known;
  const all = [...backups, ...moments].sort((a, b) => a.timeMs - b.timeMs);
  if (wanted.choose === 'latest-proven') return pointOf(choose(planned.name, all, wanted, suspectFromMs));
  const isClean = wanted.choose === 'latest-clean';
  const base = isClean ? choose(planned.name, backups, wanted, suspectFromMs) : undefined;
  // What came between the last backup that is not suspect and the one that is may be what makes it so.
  if (base !== undefined && suspectFromMs !== undefined && suspectFromMs <= (wanted.beforeMs ?? suspectFromMs))
    return pointOf(base);
  const chosen = base && snapshots.find(({ id }) => id === base.point.snapshot);
  const at = wanted.beforeMs === undefined ? 'latest' : new Date(wanted.beforeMs).toISOString();
  try {
    const reached = await newestReached(workspace, opened, planned, { at, chosen, isExact: wanted.choose === 'at' });
    if (base !== undefined && reached.timeMs <= base.point.timeMs) return pointOf(base);
    const from = base === undefined ? '' : ', by the log behind the backup of ';
    const backup =
      base === undefined
        ? ''
        : `${timeText(base.point.timeMs)}, which is proven and not suspect; the second itself was not proven`;
    const limit = wanted.beforeMs === undefined ? '' : ` not after ${timeText(wanted.beforeMs)}`;
    return {
      ...reached,
      reason: `${timeText(reached.timeMs)}: the newest moment that the log leads to${limit}${from}${backup}`,
    };
  } catch (error) {
    // No log leads on from it: nobody has followed since, or nothing of it is there yet.
    const isUnreached = isHoldfastError(error, 'log-missing') || isHoldfastError(error, 'unknown-snapshot');
    if (base === undefined || !isUnreached) throw error;
    return pointOf(base);
  }
}

/** The moment itself, or the last before it that the log covers. @throws log-missing, unknown-snapshot */
async function newestReached(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { at, chosen, isExact }: { at: string; chosen: StoredSnapshot | undefined; isExact: boolean },
): Promise<Omit<ChosenPoint, 'reason'>> {
  const find = async (wanted: string) => {
    const point = await findWantedPoint(workspace, opened, planned, { at: wanted, chosen });
    await point.log.close();
    const timeMs = Math.floor(momentOf(point, undefined));
    return { timeMs, time: new Date(timeMs).toISOString(), snapshot: point.base.id };
  };
  try {
    return await find(at);
  } catch (error) {
    const until = isHoldfastError(error, 'log-missing')
      ? (error.context['until'] ?? error.context['before'])
      : undefined;
    if (isExact || typeof until !== 'string') throw error;
    return find(until);
  }
}

/**
 * One moment at which each source of a group has a recovery point that is as it is wanted: the newest of those at which one of
 * them was captured, or, where all have logs, the limit itself.
 */
async function chooseForGroup(
  workspace: Workspace,
  { group, repository }: PointRequest,
  wanted: Limited,
): Promise<ChosenPoint> {
  const planned = workspace.group(group!);
  const nowMs = workspace.environment.clock.nowMs();
  const limitMs = Math.min(wanted.beforeMs ?? nowMs, nowMs);
  const members = await Promise.all(
    workspace.sources(planned.sources).map(async (source) => {
      const opened = await workspace.openToRead(workspace.repositoryName(repository ?? source.repository));
      return { source, ...(await knownOf(workspace, opened, source)) };
    }),
  );
  const momentsMs = [limitMs, ...members.flatMap(({ backups }) => backups.map(({ timeMs }) => timeMs))]
    .filter((timeMs) => timeMs <= limitMs)
    .sort((a, b) => b - a);
  for (const [passed, atMs] of momentsMs.entries()) {
    if (!members.every((member) => isWanted(member, wanted, atMs))) continue;
    const at = new Date(atMs).toISOString();
    const { points, skewMs } = await groupPoints(workspace, planned, { at, repository });
    if (points.some((point) => 'error' in point)) continue;
    const over = passed === 0 ? '' : `; ${passed} newer were passed over, at which one of them is not`;
    const what = { latest: 'there', at: 'there', 'latest-proven': 'proven', 'latest-clean': 'proven and not suspect' }[
      wanted.choose
    ];
    const reason = `${timeText(atMs)}: the newest moment not after ${timeText(limitMs)} at which each of ${planned.sources.join(', ')} is ${what}${over}; they are up to ${Math.ceil(skewMs / 1000)} s apart`;
    return { time: at, timeMs: atMs, reason };
  }
  throw new HoldfastError(
    'unknown-snapshot',
    `the group ${planned.name} has no moment not after ${timeText(limitMs)} that is as it is wanted`,
    {
      hint: `Look at what there is of each: ${planned.sources.map((each) => `\`holdfast snapshots ${each}\``).join(', ')}.`,
    },
  );
}

/** Whether what a restore of the group would take of a source at a moment, or what its log goes on from, is as it is wanted. */
function isWanted(
  { source, backups, suspectFromMs }: Known & { source: PlanSource },
  wanted: Limited,
  atMs: number,
): boolean {
  const newest = backups.findLast(({ timeMs }) => timeMs <= atMs);
  if (newest === undefined) return false;
  try {
    choose(source.name, [newest], { ...wanted, beforeMs: atMs }, suspectFromMs);
    return suspectFromMs === undefined || wanted.choose !== 'latest-clean' || !hasLog(source) || atMs < suspectFromMs;
  } catch (error) {
    if (isHoldfastError(error, 'unknown-snapshot')) return false;
    throw error;
  }
}

function pointOf({ point: { snapshot, timeMs }, reason }: Chosen): ChosenPoint {
  return { snapshot, timeMs, time: new Date(timeMs).toISOString(), reason };
}

function leastOf(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
