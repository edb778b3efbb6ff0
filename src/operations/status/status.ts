import { snapshotTimeMs } from '../../format/index.ts';
import { CLOCK_TOLERANCE_MS } from '../../foundation/clock.ts';
import type { HoldfastError } from '../../foundation/errors.ts';
import { allOver } from '../../foundation/promises.ts';
import { type LedgerEvent, mergedByTime } from '../../ledger/index.ts';
import { hasLog, type Objectives, type Source as PlanSource } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { type LostBackup, lostNewest } from '../acknowledged.ts';
import { type ArchiveStatus, archiveStatus } from '../archives/archive-status.ts';
import {
  attemptEach,
  eachRepository,
  type OfRepositories,
  type RepositoryFailure,
  refuseFailures,
} from '../attempt-each.ts';
import { hasCheckpoint } from '../ledger/checkpoints.ts';
import { logStall } from '../log/log-stall.ts';
import { type LogStatus, logStatus } from '../log/log-status.ts';
import { type HealedStatus, healedStatus } from '../mirrors/healed-status.ts';
import { type MirrorStatus, mirrorStatus, mirrorsAlone } from '../mirrors/mirror-status.ts';
import { moveIn, placeText } from '../moves/moves.ts';
import { hiddenAtOnce } from '../object-lock/keep-locked.ts';
import { type DrillTimes, drillTimes } from '../objectives/drill-times.ts';
import { forecastsNear, type NearForecast } from '../objectives/near-forecasts.ts';
import { momentProofsOf, newestProvenMoment, type ProofEvent, proofsOf, statesOf } from '../proofs.ts';
import { isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { capacitiesOf } from './capacities.ts';
import type { RepositoryCapacity } from './capacity.ts';
import { STATUS_KINDS } from './status-kinds.ts';

/** What is known of a recovery point. */
export type ProofState = 'stored' | 'checked' | 'proven' | 'failed' | 'not-provable';

export interface SourceStatus {
  source: string;
  type: PlanSource['type'];
  repository: string;
  snapshots: number;
  /** The newest snapshot. */
  last?: { snapshot: string; time: string; outcome: 'complete' | 'partial'; proof: ProofState };
  /** The last attempt, when it failed after the newest snapshot was taken. */
  failure?: { time: string; code: string; message: string };
  /** The newest backup that was acknowledged, where it is gone and nobody recorded that it was to be removed. */
  lost?: LostBackup;
  /** The newest snapshot that is proven. */
  proven?: { snapshot: string; time: string; provenAt: string };
  /** The newest moment that its log was proven to lead to, from a backup that is still there. */
  provenMoment?: { snapshot: string; time: string; provenAt: string };
  /** The last proof of a moment, where it did not succeed: it says nothing of the backup that it began with. */
  unprovenMoment?: {
    state: 'failed' | 'not-provable';
    snapshot: string;
    target: string;
    time?: string;
    triedAt: string;
  };
  objectives: Objectives;
  /** RFC 3339: the time of the newest snapshot, where it has not come yet. The age of such snapshots is not known. */
  ahead?: string;
  actual: {
    /** Age of the newest complete recovery point, and of the newest proven one. */
    rpoMs?: number;
    provenRpoMs?: number;
    /** What the last proof took, from the start of the restore until everything was validated. */
    rtoMs?: number;
  };
  /** Of a source whose log is captured; why it cannot be told to go on, where nothing came for as long as the plan allows. */
  log?: LogStatus & { stall?: { since: string } | { ahead: string } };
  /** Where its server is, and since when (RFC 3339), where that is not what the plan says. */
  moved?: { to: string; since: string };
  /** The objectives that are missed now. */
  missed: ('rpo' | 'rto' | 'proof')[];
}

export interface Status {
  sources: SourceStatus[];
  mirrors: MirrorStatus[];
  /** Of sources whose RTO will be missed before long, if the data grows as it did. */
  forecasts: NearForecast[];
  /** What drills of the plan's runbooks have measured. */
  runbooks: DrillTimes[];
  /** What was put back from another copy, until all of that repository is read and found clean. */
  healed: HealedStatus[];
  archives: ArchiveStatus[];
  /** Why snapshots that there are could not be read: they count for nothing. */
  damaged: HoldfastError[];
  /** Of the repositories, mirrors and archives that the plan names a capacity of. */
  capacity: RepositoryCapacity[];
  /** Keys of objects that somebody hid, as far as a quick look tells, by repository. */
  hidden: { repository: string; objects: string[] }[];
  /** Repositories whose ledger holds events, and of which no checkpoint was ever made: nobody could tell whether it was cut. */
  unsigned: string[];
  /** Repositories whose objects are locked, and of which these credentials cannot tell whether anything is hidden. */
  unseen: string[];
}

/** Of what can be read, and what cannot. */
export interface ReachableStatus extends Status {
  /** Repositories that could not be read, and their sources: nothing is known of those. */
  failures: (RepositoryFailure & { sources: string[] })[];
}

/** A repository, and what is read of it before all else. */
interface KnownRepository {
  opened: OpenedRepository;
  snapshots: StoredSnapshot[];
  damaged: HoldfastError[];
  events: LedgerEvent[];
}

type ReadEvents = (opened: OpenedRepository) => Promise<LedgerEvent[]>;

const readStatusKinds: ReadEvents = ({ ledger }) => ledger.events({ kinds: STATUS_KINDS });

/**
 * Of all sources of the plan.
 * @param read events of a ledger of these kinds, those of one source or repository oldest first; all of them, when left out
 * @throws what keeps any of the repositories from being read
 */
export async function status(workspace: Workspace, read = readStatusKinds): Promise<Status> {
  const { status: found, failures } = await statusOf(workspace, read);
  refuseFailures(failures);
  return found;
}

/**
 * The same of the sources whose repository can be read to the end, and of the mirrors of the others what they hold.
 * @throws what keeps all from it, where that is of one kind
 */
export async function reachableStatus(workspace: Workspace): Promise<ReachableStatus> {
  const { status: found, failures } = await statusOf(workspace, readStatusKinds);
  const sourcesIn = (name: string): string[] =>
    [...workspace.plan.sources.values()].flatMap((source) => (source.repository === name ? [source.name] : []));
  const left = await Promise.all(failures.map(({ repository }) => mirrorsAlone(workspace, repository)));
  return {
    ...found,
    mirrors: [...found.mirrors, ...left.flat()],
    failures: failures.map((each) => ({ ...each, sources: sourcesIn(each.repository) })),
  };
}

function knownRepositories(workspace: Workspace, read: ReadEvents): Promise<OfRepositories<KnownRepository>> {
  const { plan } = workspace;
  const limited = [...plan.repositories.values()].filter(({ capacity }) => capacity !== undefined);
  const limitedHomes = limited.filter(({ archive }) => archive === undefined);
  const used = [...plan.sources.values()].map(({ repository }) => repository);
  const mirrored = [...plan.mirrors.values()].map(({ of }) => of);
  const names = new Set([...used, ...mirrored, ...limitedHomes.map(({ name }) => name)]);
  return eachRepository(
    workspace,
    names,
    async (name) => {
      const opened = await workspace.open(name);
      return { opened, ...(await readableSnapshots(opened.repository)), events: await read(opened) };
    },
    { sideBySide: true },
  );
}

async function statusOf(
  workspace: Workspace,
  read: ReadEvents,
): Promise<{ status: Status; failures: RepositoryFailure[] }> {
  const { plan } = workspace;
  const { repositories, failures: unread } = await knownRepositories(workspace, read);
  const known = new Map(repositories.map((each) => [each.opened.name, each]));
  const archives = await Promise.all(
    [...plan.repositories.values()].flatMap(({ name, archive }) =>
      archive === undefined ? [] : [archiveStatus(workspace, name, archive, known.get(archive.from)?.events ?? [])],
    ),
  );
  const lookedAt = archives.flatMap(({ known: each }) => each ?? []);
  for (const each of lookedAt) known.set(each.opened.name, { ...each, snapshots: [] });
  // A store may be lost after it was opened, too.
  const { results: looked, failures: lost } = await attemptEach(
    workspace,
    known.values(),
    (each) => lookInto(workspace, each),
    { sideBySide: true },
  );
  const order = [...plan.sources.keys()];
  const inOrder = (one: SourceStatus, other: SourceStatus) => order.indexOf(one.source) - order.indexOf(other.source);
  const named = <Name extends 'isUnsigned' | 'isUnseen'>(state: Name): string[] =>
    looked.flatMap((each) => (each[state] ? [each.repository] : []));
  const forecasts = forecastsNear(plan, (name) => known.get(name)?.events ?? [], workspace.environment.clock.nowMs());
  const everywhere = mergedByTime([...known.values()].map(({ events }) => events));
  return {
    status: {
      sources: looked.flatMap(({ sources }) => sources).toSorted(inOrder),
      runbooks: drillTimes(plan.runbooks.values(), everywhere),
      mirrors: looked.flatMap(({ mirrors }) => mirrors),
      forecasts,
      archives: archives.map((each) => each.status),
      healed: [...known.values()].flatMap(({ events }) => healedStatus(events)),
      damaged: [...known.values()].flatMap((each) => each.damaged),
      capacity: looked.flatMap(({ capacity }) => capacity),
      hidden: looked.flatMap(({ repository, hidden }) => (hidden.length > 0 ? [{ repository, objects: hidden }] : [])),
      unsigned: named('isUnsigned'),
      unseen: named('isUnseen'),
    },
    failures: [...unread, ...lost.map(({ of, error }) => ({ repository: of.opened.name, error }))],
  };
}

/** What is known of one repository once it was looked into. */
interface LookedInto extends Pick<Status, 'sources' | 'mirrors'> {
  repository: string;
  capacity: RepositoryCapacity[];
  /** Keys of objects. */
  hidden: string[];
  isUnsigned: boolean;
  isUnseen: boolean;
}

async function lookInto(workspace: Workspace, known: KnownRepository): Promise<LookedInto> {
  const { plan, environment, homeNames } = workspace;
  const { opened, events } = known;
  const { name } = opened;
  const own = [...plan.sources.values()].filter(({ repository }) => repository === name);
  const nowMs = environment.clock.nowMs();
  const [sources, mirrors, capacity, hidden, hasSignature] = await allOver([
    Promise.all(own.map((source) => statusOfSource(workspace, source, known, nowMs))),
    mirrorStatus(workspace, opened, events),
    capacitiesOf(workspace, opened, events),
    hiddenAtOnce(workspace, name),
    !homeNames.includes(name) || events.length === 0 || hasCheckpoint(opened),
  ]);
  return {
    repository: name,
    ...{ sources, mirrors, capacity },
    hidden: (hidden ?? []).map(({ key }) => key),
    isUnsigned: !hasSignature,
    isUnseen: hidden === undefined,
  };
}

async function statusOfSource(
  workspace: Workspace,
  source: PlanSource,
  { opened, snapshots, events }: KnownRepository,
  nowMs: number,
): Promise<SourceStatus> {
  const [log, lost] = await Promise.all([
    hasLog(source) ? logStatus(workspace, opened, source, events) : undefined,
    lostNewest(workspace, opened, source.name, { events, snapshots }),
  ]);
  const own = snapshotsOf(snapshots, workspace.plan.name, source.name);
  const found = { ...sourceStatus(source, own, events, nowMs, log), ...(lost && { lost }) };
  return withStall(found, nowMs, workspace.plan.alerts.rules.get('log-stalled')?.afterMs);
}

/** Says of a log that does not go on that it does not, unless the plan wants to hear nothing of that. Pure. */
export function withStall(status: SourceStatus, nowMs: number, afterMs: number | undefined): SourceStatus {
  const { log, last } = status;
  if (log === undefined || afterMs === undefined) return status;
  const stall = logStall(log, last?.time, { nowMs, afterMs });
  if (stall === undefined) return status;
  const [key, timeMs] =
    stall.kind === 'ahead' ? (['ahead', stall.momentMs] as const) : (['since', stall.sinceMs] as const);
  const shown = { [key]: new Date(timeMs).toISOString() } as { since: string } | { ahead: string };
  return { ...status, log: { ...log, stall: shown } };
}

/**
 * A source's status from what is stored. Pure.
 * @param snapshots the source's own, oldest first
 * @param events of its repository's ledger, oldest first
 */
export function sourceStatus(
  source: PlanSource,
  snapshots: StoredSnapshot[],
  events: LedgerEvent[],
  nowMs: number,
  log?: LogStatus,
): SourceStatus {
  const proofs = proofsOf(source.name, events);
  const states = statesOf(source.name, events);
  const lastCheckMs = lastCleanCheckMs(source.repository, events);
  const proofState = (snapshot: StoredSnapshot): ProofState =>
    states.get(snapshot.tree) ?? (snapshotTimeMs(snapshot) <= lastCheckMs ? 'checked' : 'stored');
  const last = snapshots.at(-1);
  const complete = snapshots.findLast((snapshot) => !isPartial(snapshot));
  const proven = snapshots.findLast(({ tree }) => states.get(tree) === 'proven');
  const provenEvent = proven && proofs.get(proven.tree);
  const failure = failureAfter(source.name, events);
  const moments = momentProofsOf(source.name, events, snapshots);
  const newestMoment = newestProvenMoment(moments);
  const provenEvents = new Set([...proofs.values(), ...moments].filter(({ body }) => body.state === 'proven'));
  const newestProof = events.findLast((event) => provenEvents.has(event as ProofEvent)) as ProofEvent | undefined;
  const actual: SourceStatus['actual'] = {
    ...(complete && newestAge('rpoMs', [snapshotTimeMs(complete), coveredMs(log)], nowMs)),
    ...newestAge('provenRpoMs', [proven && snapshotTimeMs(proven), newestMoment?.timeMs], nowMs),
    ...(newestProof && { rtoMs: newestProof.body.durationMs }),
  };
  const oldest = snapshots[0];
  const move = moveIn(events, source);
  const oldestMs = oldest && (ageMs(snapshotTimeMs(oldest), nowMs) ?? Number.POSITIVE_INFINITY);
  return {
    source: source.name,
    type: source.type,
    repository: source.repository,
    snapshots: snapshots.length,
    ...(last && {
      last: {
        snapshot: last.id,
        time: last.time,
        outcome: isPartial(last) ? 'partial' : 'complete',
        proof: proofState(last),
      },
    }),
    ...(failure && { failure }),
    ...(proven && provenEvent && { proven: { snapshot: proven.id, time: proven.time, provenAt: provenEvent.time } }),
    ...momentsOf(newestMoment?.proof, moments.at(-1)),
    objectives: source.objectives,
    actual,
    ...(log && { log }),
    ...(move && { moved: { to: placeText(move.to), since: move.since } }),
    ...(last && ageMs(snapshotTimeMs(last), nowMs) === undefined && { ahead: last.time }),
    missed: missedObjectives(source.objectives, actual, oldestMs),
  };
}

/**
 * Undefined for a time that has not come: a clock was set back, or was ahead. Taken for new until its time
 * comes, it would hide that nothing is backed up.
 */
function ageMs(timeMs: number, nowMs: number): number | undefined {
  const milliseconds = nowMs - timeMs;
  return milliseconds < -CLOCK_TOLERANCE_MS ? undefined : Math.max(0, milliseconds);
}

function newestAge<Name extends string>(
  name: Name,
  timesMs: readonly (number | undefined)[],
  nowMs: number,
): { [name in Name]?: number } {
  const ages = timesMs.flatMap((timeMs) => (timeMs === undefined ? [] : (ageMs(timeMs, nowMs) ?? [])));
  return (ages.length === 0 ? {} : { [name]: Math.min(...ages) }) as { [name in Name]?: number };
}

function momentsOf(
  newest: ProofEvent | undefined,
  last: ProofEvent | undefined,
): Pick<SourceStatus, 'provenMoment' | 'unprovenMoment'> {
  const { state, snapshot, log } = last?.body ?? {};
  return {
    ...(newest && {
      provenMoment: { snapshot: newest.body.snapshot, time: newest.body.log!.time!, provenAt: newest.time },
    }),
    ...(last &&
      (state === 'failed' || state === 'not-provable') && {
        unprovenMoment: { state, snapshot: snapshot!, ...log!, triedAt: last.time },
      }),
  };
}

function coveredMs(log: LogStatus | undefined): number | undefined {
  return log?.time === undefined ? undefined : Date.parse(log.time);
}

/**
 * When the newest check began that read all of a repository, as long as none since, of whatever level, has found anything;
 * 0 when there is none.
 */
function lastCleanCheckMs(repository: string, events: LedgerEvent[]): number {
  for (const event of events.toReversed()) {
    if (event.kind !== 'check.finished' || event.body.repository !== repository) continue;
    const { clean, readData, subset, durationMs } = event.body;
    if (!clean) return 0;
    if (readData && subset === undefined) return Date.parse(event.time) - durationMs;
  }
  return 0;
}

function failureAfter(source: string, events: LedgerEvent[]): SourceStatus['failure'] {
  const last = events.findLast(
    ({ kind, body }) =>
      (kind === 'backup.failed' || kind === 'backup.finished') && body.source === source && body.only === undefined,
  );
  return last?.kind === 'backup.failed'
    ? { time: last.time, code: last.body.code, message: last.body.message }
    : undefined;
}

function missedObjectives(
  promised: Objectives,
  actual: SourceStatus['actual'],
  oldestMs: number | undefined,
): SourceStatus['missed'] {
  const missed: SourceStatus['missed'] = [];
  if (promised.rpoMs !== undefined && (actual.rpoMs ?? Number.POSITIVE_INFINITY) > promised.rpoMs) missed.push('rpo');
  if (promised.rtoMs !== undefined && actual.rtoMs !== undefined && actual.rtoMs > promised.rtoMs) missed.push('rto');
  // What was never proven is overdue once it could have been for as long as the objective allows.
  const proofAgeMs = actual.provenRpoMs ?? oldestMs ?? 0;
  if (promised.proofMs !== undefined && proofAgeMs > promised.proofMs) missed.push('proof');
  return missed;
}
