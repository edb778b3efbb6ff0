import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, notesOf, Reader, type StoredSnapshot } from '../../repository/index.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import { type RestoreContext, type Restored, readManifest, type Source } from '../../source/index.ts';
import { withScratch } from '../scratch.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { databaseOf, inSandbox } from './in-sandbox.ts';
import { openServer, prepareRecovery, type Recovered, type Unrecovered } from './recover.ts';
import { describePoint, type RecoveryPoint } from './recovery-point.ts';
import { targetText } from './recovery-target.ts';
import { ReplayedStream, recoveredTo } from './replayed-stream.ts';
import { sandboxNeed } from './sandbox-need.ts';

export interface SnapshotRestored extends Restored {
  /** How far the log was replayed on the backup, where it was. */
  recovered?: { to: string; lastTransaction?: string };
  /** What is still to be done, where no server of this machine could replay the log. */
  unrecovered?: { to: string; log: string; next: string };
}

export interface SnapshotRequest {
  /** Left out, the snapshot is taken as it is, whoever wrote it. */
  planned: PlanSource | undefined;
  snapshot: StoredSnapshot;
  /** Where the log behind the snapshot leads to. */
  point: RecoveryPoint | undefined;
  target: Target;
  how: Pick<
    RestoreContext,
    'selection' | 'replace' | 'diff' | 'dryRun' | 'estimate' | 'as' | 'begunBy' | 'keepsMark' | 'create' | 'rampUp'
  >;
}

/**
 * A restore of a snapshot, or of a point that the log behind it leads to: straight to its target, or by way of a sandbox. What
 * it marks its target with goes by `release` alone: who is killed before goes on with it, or begins it anew.
 */
export class SnapshotRestore implements AsyncDisposable {
  readonly #workspace: Workspace;
  readonly #opened: OpenedRepository;
  readonly #request: SnapshotRequest;
  readonly #progress: Progress;
  #reader: Reader | undefined;

  constructor(workspace: Workspace, opened: OpenedRepository, request: SnapshotRequest) {
    const { planned, snapshot, how } = request;
    this.#workspace = workspace;
    this.#opened = opened;
    this.#request = { ...request, how: { ...how, keepsMark: true } };
    this.#progress = workspace.environment.progress(planned?.name ?? snapshot.id.slice(0, 8));
  }

  /** @throws what keeps it from being restored */
  async run(): Promise<SnapshotRestored> {
    const { planned, snapshot, point, target } = this.#request;
    const [workspace, opened, request, progress] = [this.#workspace, this.#opened, this.#request, this.#progress];
    const reader = new Reader(await loadIndex(opened.repository), snapshot);
    this.#reader = reader;
    if (point !== undefined) progress.note(describePoint(point));
    if (planned === undefined) return extract(workspace, request, reader, progress);
    const work = { workspace, opened, request, planned, reader, progress };
    return target.kind === 'directory' ? toDirectory(work, target) : toDatabase(work, target);
  }

  /** Once it is recorded that it has come to its end. @throws target-failed, target-unsuitable */
  async release(): Promise<void> {
    const { planned, target, how } = this.#request;
    const { signal } = this.#workspace.environment;
    await this.#reader?.release();
    if (planned === undefined || this.#reader === undefined) return;
    const source = await this.#workspace.createSource(planned);
    await source.release?.(this.#reader, target, { ...how, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#progress.finish();
    await this.#reader?.close();
  }
}

interface Work {
  workspace: Workspace;
  opened: OpenedRepository;
  request: SnapshotRequest;
  planned: PlanSource;
  reader: Reader;
  progress: Progress;
}

async function extract(
  { environment: { signal } }: Workspace,
  { target, how }: SnapshotRequest,
  reader: Reader,
  progress: Progress,
): Promise<Restored> {
  if (target.kind !== 'directory') {
    throw new HoldfastError('bad-usage', 'a snapshot can be restored to a database only as the source it is of', {
      hint: 'Name the source: `holdfast restore SOURCE --snapshot ID --to URL`.',
    });
  }
  const extracted = await reader.extract(target.path, { progress, signal, ...how, leavesOutLost: true });
  const { bytes, files, directories, others, problems, surplus } = extracted;
  const items = files + directories + others;
  return { bytes, items, notes: notesOf(extracted), problems, ...(surplus && { surplus }) };
}

/** What a restore without a sandbox does. */
async function straight(work: Work, source: Source, more: Partial<RestoreContext> = {}): Promise<Restored> {
  const { workspace, request, reader, progress } = work;
  const { clock, signal } = workspace.environment;
  const context = { clock, progress, signal, isReplayed: request.point !== undefined, ...request.how, ...more };
  return withScratch((scratchDirectory) => source.restore(reader, request.target, { ...context, scratchDirectory }));
}

async function toDirectory(work: Work, { path }: Extract<Target, { kind: 'directory' }>): Promise<SnapshotRestored> {
  const { workspace, opened, request, planned, reader, progress } = work;
  const { point, how } = request;
  const source = await workspace.createSource(planned);
  // A dry run starts no server: what is there is not touched.
  if (point === undefined || how.dryRun === true) return straight(work, source);
  const manifest = await readManifest(reader);
  const need = sandboxNeed(planned, manifest);
  if (need.kind !== 'postgres-data') return replayedToDirectory(work, source, { need, point });
  await using recovery = await prepareRecovery(workspace, opened, { planned, manifest, point, path }, progress);
  const restored = await straight(work, source, recovery.settings && { recoverySettings: recovery.settings });
  const ended = await recovery.run();
  return 'reached' in ended ? withRecovery(restored, point, ended) : withoutRecovery(restored, point, path, ended);
}

/** The source replays its stream on a server of this machine; where there is none, it lays the stream beside what is restored. */
async function replayedToDirectory(
  work: Work,
  source: Source,
  { need, point }: { need: SandboxNeed; point: RecoveryPoint },
): Promise<SnapshotRestored> {
  const { workspace, progress } = work;
  const { clock, signal, adapters } = workspace.environment;
  const sandbox = await adapters.createSandbox({ clock, signal });
  const place = await openServer(sandbox, need, progress);
  const isHere = !isHoldfastError(place);
  try {
    const restored = await replayed(work, source, { point, ...(isHere && { sandbox: databaseOf(place) }) });
    return isHere ? restored : laidOnly(restored, point, place);
  } finally {
    if (isHere) await place.close();
  }
}

/** What was asked for is there, and no server has read it yet: that is no complete restore. */
function laidOnly(restored: SnapshotRestored, { target }: RecoveryPoint, reason: HoldfastError): SnapshotRestored {
  const { laid, ...rest } = restored;
  if (laid === undefined) return restored;
  const to = targetText(target);
  const problem = { path: laid.log, message: `it was not replayed: ${reason.message}` };
  return {
    ...rest,
    notes: [`NOT RECOVERED: ${laid.log} is the backup with its stream until ${to}`, laid.next, ...rest.notes],
    problems: [...rest.problems, problem],
    unrecovered: { to, ...laid },
  };
}

/** What a source restores that replays its stream by itself. */
async function replayed(
  work: Work,
  source: Source,
  { point, ...more }: { point: RecoveryPoint } & Pick<RestoreContext, 'sandbox'>,
): Promise<SnapshotRestored> {
  const log = new ReplayedStream(work.workspace, work.opened, point, work.progress);
  try {
    const restored = await straight(work, source, { ...more, log });
    return restored.laid === undefined ? withRecovery(restored, point, recoveredTo(log)) : restored;
  } finally {
    await log.close();
  }
}

/** A cluster recovers in a sandbox, and is copied from there; so does what gets another name. */
async function toDatabase(work: Work, target: Extract<Target, { kind: 'database' }>): Promise<SnapshotRestored> {
  const { workspace, request, planned, reader } = work;
  const source = await workspace.createSource(planned);
  const need = sandboxNeed(planned, await readManifest(reader));
  const isCluster = need.kind === 'postgres-data';
  if (!isCluster && request.how.as === undefined) {
    return request.point === undefined ? straight(work, source) : replayed(work, source, { point: request.point });
  }
  const { signal } = workspace.environment;
  await source.refuse?.(reader, target, { ...request.how, signal });
  try {
    return isCluster ? await recoveredFirst(work) : await renamedFirst(work, source, need);
  } catch (error) {
    throw isHoldfastError(error, 'not-provable') ? withoutSandbox(error) : error;
  }
}

async function recoveredFirst({
  workspace,
  opened,
  request,
  planned,
  reader,
  progress,
}: Work): Promise<SnapshotRestored> {
  const { snapshot, point, target, how } = request;
  return inSandbox(workspace, opened, { planned, snapshot, point }, { reader, progress }, async (came) => {
    const context = { ...came.context, ...how, sandbox: databaseOf(came) };
    const copied = await came.source.restore(reader, target, context);
    const restored = { ...copied, problems: [...came.restored.problems, ...copied.problems] };
    return point === undefined ? restored : withRecovery(restored, point, came.recovered!);
  });
}

async function renamedFirst(work: Work, source: Source, need: SandboxNeed): Promise<Restored> {
  const { clock, signal, adapters } = work.workspace.environment;
  const sandbox = await adapters.createSandbox({ clock, signal });
  const place = await sandbox.open(need, work.progress);
  try {
    return await straight(work, source, { sandbox: databaseOf(place) });
  } finally {
    await place.close();
  }
}

function withRecovery(
  restored: Restored,
  { target }: RecoveryPoint,
  { reached, lastTransaction }: Pick<Recovered, 'reached' | 'lastTransaction'>,
): SnapshotRestored {
  const last = lastTransaction === undefined ? '' : `; its last transaction was at ${lastTransaction}`;
  return {
    ...restored,
    notes: [`its log was replayed: ${reached}${last}`, ...restored.notes],
    recovered: { to: targetText(target), ...(lastTransaction !== undefined && { lastTransaction }) },
  };
}

/** What was asked for is not there yet: that is no complete restore. */
function withoutRecovery(
  restored: Restored,
  { target }: RecoveryPoint,
  path: string,
  { reason, log, next }: Unrecovered,
): SnapshotRestored {
  const to = targetText(target);
  const notes = [
    `NOT RECOVERED: ${path} is the backup, and its log until ${to} is in ${log}; the first server that starts there replays it`,
    next,
    'it has come to the target once its log says so and `SELECT pg_is_in_recovery()` gives false; a failure to start is one of the recovery',
  ];
  if (target.kind === 'time' || target.kind === 'lsn') {
    notes.push(
      `should it say that recovery ended before the target was reached, nothing was committed behind the last of the log: take the line of recovery_target_${target.kind} out of ${path}/postgresql.auto.conf, and start it again`,
    );
  }
  const problem = { path, message: `its log was not replayed: ${reason}` };
  return {
    ...restored,
    notes: [...notes, ...restored.notes],
    problems: [...restored.problems, problem],
    unrecovered: { to, log, next },
  };
}

/** Nothing was to be proven: what is not on this machine keeps a restore from being done here. */
function withoutSandbox(error: HoldfastError): HoldfastError {
  return new HoldfastError(
    'program-missing',
    `it takes a server of this machine, which cannot be had: ${error.message}`,
    {
      ...(error.hint !== undefined && { hint: error.hint }),
      context: error.context,
      cause: error,
    },
  );
}
