import { resolve } from 'node:path';
import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { firestoreUrl, parseFirestoreDatabase } from '../../foundation/firestore-database.ts';
import type { Target } from '../../foundation/target.ts';
import type { EventBodies } from '../../ledger/index.ts';
import { hasLog, type Source as PlanSource } from '../../plan/index.ts';
import { findSnapshot, type Selection, type StoredSnapshot } from '../../repository/index.ts';
import { isOffline, type RecallOptions, recallContent } from '../archives/recall.ts';
import { Reading } from '../reading.ts';
import { locate } from '../snapshots/snapshots.ts';
import {
  damageNote,
  isPart,
  isPartial,
  isWal,
  newestSnapshot,
  parseMoment,
  readableSnapshots,
  snapshotsOf,
  sourceOf,
} from '../snapshots-of.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { findWantedPoint, momentOf, type RecoveryPoint } from './recovery-point.ts';
import { refuseLogTarget } from './recovery-target.ts';
import { type Replacement, refuseReplacing, refuseReplacingOrigin } from './replace.ts';
import { type SnapshotRequest, SnapshotRestore, type SnapshotRestored } from './restore-snapshot.ts';

export interface RestoreRequest extends Replacement {
  /** A source of the plan; left out, the snapshot is taken as it is, whoever wrote it. */
  source?: string;
  /** An id or the beginning of one. */
  snapshot?: string;
  /** A moment: RFC 3339, `2h ago` or `latest`; of a source with a log, also a position in it: see `parseRecoveryTarget`. */
  at?: string;
  /** A directory, a database URL or the name of a Firestore database, as given. */
  to: string;
  /** What is wanted: files by their paths, or of a database schemas and tables; everything, when left out. */
  selection?: Selection;
  /** That a database is made where it is missing, and where. Of Firestore. */
  create?: { location?: string };
  /** Writes begin slowly. Of Firestore. */
  rampUp?: boolean;
  /** Another name for the one table or schema that is selected, in a database that may hold anything else. */
  as?: string;
  /** Which run it is of, where that may be killed and go on: see `RestoreContext`. */
  begunBy?: string;
  /** Makes it durable that all of it is there, before what marks a target as being filled goes: see `begunBy`. */
  keepEnd?(ended: RestoreEnd): Promise<void>;
  /** Where the repository is not the source's own, or there is no source. */
  repository?: string;
  /** How content is asked for that must be. */
  recall?: Partial<RecallOptions>;
}

/** What came back: the snapshot, the moment of it (RFC 3339), and how much. */
export type RestoreEnd = Pick<RestoreResult, 'snapshot' | 'time' | 'bytes' | 'outcome'>;

/** Of a dry run: what would be restored, and in `surplus` what would be removed; of an estimate nothing but that. */
export interface RestoreResult extends SnapshotRestored {
  source?: string;
  snapshot: string;
  /** RFC 3339: the moment that was restored. */
  time: string;
  target: string;
  durationMs: number;
  outcome: 'complete' | 'partial';
  /** Whether the target might hold something, which is gone then. */
  replaced?: boolean;
}

/** Brings a snapshot, or a part of it, back to a place that is empty or new, or that the same restore was interrupted in, or that is to be replaced. */
export async function restore(workspace: Workspace, request: RestoreRequest): Promise<RestoreResult> {
  const { clock } = workspace.environment;
  const startedMs = clock.monotonicMs();
  const asked = await accepted(workspace, request);
  const opened = await workspace.openToRead(asked.repository, { willLock: true });
  const reading = await Reading.begin(opened, clock);
  try {
    const chosen = await choose(workspace, opened, { asked, reading });
    if (!asked.dryRun) {
      const { planned, selection } = asked;
      const part = planned === undefined || planned.type === 'files' ? selection : undefined;
      const { recall: options } = request;
      await recallContent(workspace, opened, { snapshots: [chosen.snapshot], selection: part, options });
    }
    const brought = await bringBack(workspace, opened, { asked, chosen, reading, startedMs });
    return { ...brought, notes: [...brought.notes, ...reading.notes] };
  } finally {
    await reading.end();
  }
}

/** A request that may be tried. */
interface Asked {
  request: RestoreRequest;
  planned: PlanSource | undefined;
  target: Target;
  selection: Selection | undefined;
  repository: string;
  /** Whether what is wanted is more than one backup. */
  isReplayed: boolean;
  /** Nothing is written. */
  dryRun: boolean;
}

interface Chosen {
  snapshot: StoredSnapshot;
  /** Of a source with a log. */
  point: RecoveryPoint | undefined;
}

/** @throws bad-usage, unknown-source, unknown-repository, and as `refuseReplacing` */
async function accepted(workspace: Workspace, request: RestoreRequest): Promise<Asked> {
  const planned = request.source === undefined ? undefined : workspace.sources([request.source])[0]!;
  const target = targetOf(request.to);
  const selection = selectionOf(request, planned, target);
  const dryRun = request.dryRun === true || request.estimate === true;
  await refuseReplacing(workspace, request, { target, planned });
  const repository = await repositoryOf(workspace, request, planned);
  const isReplayed = replaysLog(planned, request) && !isOffline(workspace, repository);
  if (!isReplayed) refuseLogTarget(request.at, planned?.name);
  return { request, planned, target, selection, repository, isReplayed, dryRun };
}

/** A snapshot alone is found in whichever repository has it. @throws unknown-repository, unknown-snapshot, bad-usage */
async function repositoryOf(
  workspace: Workspace,
  { repository, snapshot }: RestoreRequest,
  planned: PlanSource | undefined,
): Promise<string> {
  const named = repository ?? planned?.repository;
  const isAnywhere = named === undefined && snapshot !== undefined && workspace.homeNames.length > 1;
  return isAnywhere ? (await locate(workspace, snapshot)).repository : workspace.repositoryName(named);
}

/** @throws unknown-snapshot, bad-usage, target-unsuitable, and as `pointOf` */
async function choose(
  workspace: Workspace,
  opened: OpenedRepository,
  { asked, reading }: { asked: Asked; reading: Reading },
): Promise<Chosen> {
  const { request, planned, target, isReplayed } = asked;
  const { snapshots, damaged } = await readableSnapshots(opened.repository);
  reading.notes.push(...damaged.map(damageNote));
  const point = isReplayed ? await pointOf(workspace, opened, planned!, { request, snapshots }) : undefined;
  const snapshot = point?.base ?? chooseSnapshot(snapshots, workspace, request);
  if (request.replace !== true) return { snapshot, point };
  refuseReplacingOrigin(target, snapshot.paths);
  if (isPart(snapshot)) throw partReplaces(snapshot);
  if (isPartial(snapshot)) reading.notes.push('the snapshot is partial: it lacks what could not be read then');
  return { snapshot, point };
}

/** Does it, and records how it ended. */
async function bringBack(
  workspace: Workspace,
  opened: OpenedRepository,
  work: { asked: Asked; chosen: Chosen; reading: Reading; startedMs: number },
): Promise<RestoreResult> {
  const { asked, chosen, reading, startedMs } = work;
  const { request, planned, target, dryRun } = asked;
  const { snapshot, point } = chosen;
  const { clock, signal } = workspace.environment;
  const sourceName = planned && { source: planned.name };
  const about = {
    ...{ ...sourceName, snapshot: snapshot.id, target: labelOf(target) },
    ...(request.replace === true && !dryRun && { replaced: true }),
  };
  await using attempt = new SnapshotRestore(workspace, opened, { planned, snapshot, point, target, how: howOf(asked) });
  const restored = await attempt.run().catch(async (error: unknown) => {
    const { code, message } = reportable(error, signal);
    const durationMs = clock.monotonicMs() - startedMs;
    if (!dryRun) await reading.record('restore.failed', { ...about, code, message, durationMs });
    throw error;
  });
  const outcome = restored.problems.length === 0 ? 'complete' : 'partial';
  const durationMs = clock.monotonicMs() - startedMs;
  const time = timeOf(chosen, restored);
  const { bytes } = restored;
  if (dryRun) await reading.recordShown({ snapshot: snapshot.id, ...sourceName });
  else {
    await recordEnd(workspace, reading, { ...about, time, bytes, durationMs, outcome }, request);
    await request.keepEnd?.({ snapshot: snapshot.id, time, bytes, outcome });
    await attempt.release();
  }
  return { ...about, ...restored, time, durationMs, outcome };
}

function howOf({ request, selection, dryRun }: Asked): SnapshotRequest['how'] {
  const { replace = false, diff = false, estimate = false, rampUp = false, as, create, begunBy } = request;
  return {
    ...{ replace, diff, dryRun, estimate, rampUp },
    ...{ ...(selection && { selection }), ...(as !== undefined && { as }), ...(create && { create }) },
    ...(begunBy !== undefined && { begunBy }),
  };
}

/** RFC 3339: the moment that came back, as far as a log was replayed. */
function timeOf({ snapshot, point }: Chosen, { unrecovered, recovered }: SnapshotRestored): string {
  if (point === undefined || unrecovered !== undefined) return snapshot.time;
  return new Date(momentOf(point, recovered)).toISOString();
}

/** A run that goes on has to find the end that it came to, also where the repository takes no record: then on this machine, if it can. */
async function recordEnd(
  workspace: Workspace,
  reading: Reading,
  ended: EventBodies['restore.finished'],
  { source, begunBy }: RestoreRequest,
): Promise<void> {
  const body = { ...ended, ...(begunBy !== undefined && { begunBy }) };
  const isRecorded = await reading.record('restore.finished', body);
  if (isRecorded || begunBy === undefined || source === undefined) return;
  const home = workspace.repositoryName(workspace.sources([source])[0]!.repository);
  try {
    await workspace.recorder(home).record('restore.finished', body);
  } catch (error) {
    // That it is not recorded is noted already, and what is back is back.
    if (!isHoldfastError(error)) throw error;
  }
}

/** What is not in it was not asked for, and is not to go. */
function partReplaces({ id }: StoredSnapshot): HoldfastError {
  return new HoldfastError('bad-usage', `snapshot ${id.slice(0, 8)} holds a part of its source, and replaces nothing`, {
    hint: 'Restore it to a new place, or leave `--snapshot` out.',
  });
}

/** @throws unknown-snapshot, bad-usage */
export function chooseSnapshot(
  snapshots: StoredSnapshot[],
  workspace: Workspace,
  { source, snapshot, at }: Pick<RestoreRequest, 'source' | 'snapshot' | 'at'>,
): StoredSnapshot {
  if (snapshot !== undefined && at !== undefined) {
    throw new HoldfastError('bad-usage', '--snapshot and --at exclude each other', { hint: 'Give one of the two.' });
  }
  if (snapshot !== undefined && snapshot !== 'latest') {
    const found = findSnapshot(snapshots, snapshot);
    if (source !== undefined && sourceOf(found) !== source) {
      throw new HoldfastError('bad-usage', `snapshot ${found.id.slice(0, 8)} is not of ${source}`, {
        hint: `List the snapshots of ${source} with \`holdfast snapshots ${source}\`.`,
      });
    }
    if (source !== undefined && isWal(found)) {
      throw new HoldfastError('bad-usage', `snapshot ${found.id.slice(0, 8)} holds a part of the log of ${source}`, {
        hint: 'By itself it is no recovery point. Choose one with the tag `kind:base`; the segments themselves come with `holdfast restore --snapshot ID --to DIRECTORY`.',
      });
    }
    return found;
  }
  const candidates =
    source === undefined
      ? snapshots.filter((each) => !isWal(each) && !isPart(each))
      : snapshotsOf(snapshots, workspace.plan.name, source);
  return newestSnapshot(
    candidates,
    source ?? 'the repository',
    parseMoment(at ?? 'latest', workspace.environment.clock.nowMs()),
  );
}

/** @throws bad-usage */
function selectionOf(
  { selection, as, create, rampUp = false }: RestoreRequest,
  planned: PlanSource | undefined,
  target: Target,
): Selection | undefined {
  if (as !== undefined) refuseAs(selection, planned, target);
  if ((create !== undefined || rampUp) && !(planned?.type === 'firestore' && target.kind === 'database')) {
    throw new HoldfastError('bad-usage', `${rampUp ? '--ramp-up' : '--create'} is for a Firestore database`, {
      hint: 'Leave it out: other targets are made by the restore, or must be there.',
    });
  }
  if (selection?.exclude !== undefined && planned?.type === 'postgres') {
    throw new HoldfastError('bad-usage', `--exclude is for files, and ${planned.name} is a database`, {
      hint: 'Name what you want of it with `--only schema` or `--only schema.table`.',
    });
  }
  return selection;
}

/** @throws bad-usage */
function refuseAs(selection: Selection | undefined, planned: PlanSource | undefined, target: Target): void {
  const isDatabase = planned?.type === 'postgres' && target.kind === 'database';
  if (isDatabase && selection?.only?.length === 1) return;
  throw new HoldfastError('bad-usage', '--as gives another name to one table or schema of a database', {
    hint: 'Name it with `--only schema.table` or `--only schema`, and give `--to` the URL of the database that takes it.',
  });
}

/** Whether what is wanted is more than one backup. `--snapshot` alone takes that backup as it is. */
export function replaysLog(
  planned: PlanSource | undefined,
  { at, snapshot }: Pick<RestoreRequest, 'at' | 'snapshot'>,
): boolean {
  if (planned === undefined || !hasLog(planned)) return false;
  return at !== undefined || snapshot === undefined;
}

/**
 * The point that a request means, of a source with a log; undefined where it is the very moment of a backup that no log leads
 * to: then it is that backup.
 * @throws as `findWantedPoint`, unknown-snapshot
 */
export async function pointOf(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  { request, snapshots }: { request: Pick<RestoreRequest, 'at' | 'snapshot'>; snapshots: StoredSnapshot[] },
): Promise<RecoveryPoint | undefined> {
  const { at = 'latest', snapshot } = request;
  const chosen =
    snapshot === undefined ? undefined : chooseSnapshot(snapshots, workspace, { source: planned.name, snapshot });
  try {
    return await findWantedPoint(workspace, opened, planned, { at, chosen });
  } catch (error) {
    const isOut = isHoldfastError(error, 'unknown-snapshot') || isHoldfastError(error, 'log-missing');
    const own = snapshotsOf(snapshots, workspace.plan.name, planned.name);
    if (isOut && snapshot === undefined && isMomentOfOne(own, at)) return undefined;
    throw error;
  }
}

/** @param at RFC 3339; another way of saying a time is the moment of none */
function isMomentOfOne(snapshots: readonly StoredSnapshot[], at: string): boolean {
  const atMs = Date.parse(at);
  return snapshots.some((each) => snapshotTimeMs(each) === atMs);
}

/** What restores go to that is no directory, by the schemes of URLs. The source says whether it can take its own. */
const DATABASE_SCHEMES: readonly string[] = [
  ...['postgres', 'postgresql', 'firestore', 'secretmanager'],
  ...['redis', 'rediss', 'valkey', 'valkeys', 'redis+unix', 'valkey+unix', 'redis+socket', 'unix'],
];

/** @param to as given on the command line; a path is relative to the working directory */
export function targetOf(to: string): Target {
  const database = parseFirestoreDatabase(to);
  if (database !== undefined) {
    const url = firestoreUrl(database);
    return { kind: 'database', url, label: url, sandbox: false };
  }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(to)?.[1]?.toLowerCase();
  if (scheme !== undefined && DATABASE_SCHEMES.includes(scheme)) {
    return { kind: 'database', url: to, label: withoutSecrets(to), sandbox: false };
  }
  if (scheme !== undefined && scheme !== 'file') {
    throw new HoldfastError('bad-usage', 'the target is neither a directory nor the URL of a database', {
      hint: `Give a path, or a URL that begins with ${DATABASE_SCHEMES.map((each) => `${each}://`).join(' or ')}.`,
    });
  }
  return { kind: 'directory', path: resolve(to.replace(/^file:\/\//, '')) };
}

/** What a target is, and how it may be shown. @throws bad-usage */
export async function describeTarget(to: string): Promise<{ kind: Target['kind']; label: string }> {
  const target = targetOf(to);
  return { kind: target.kind, label: labelOf(target) };
}

export function labelOf(target: Target): string {
  return target.kind === 'directory' ? target.path : target.label;
}

/** A URL that may be shown. */
function withoutSecrets(url: string): string {
  try {
    const parsed = new URL(url);
    parsed.password = '';
    parsed.search = '';
    return parsed.toString();
  } catch {
    // What is no URL may hold anything.
    return 'the database given';
  }
}
