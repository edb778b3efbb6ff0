import { formatTimeMs, type Snapshot, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { currentUser } from '../../foundation/user.ts';
import type { BackupFinished } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import {
  type HeldLock,
  type IndexedRepository,
  lsnText,
  Reader,
  type SnapshotWriter,
  type StoredSnapshot,
  WriteSession,
} from '../../repository/index.ts';
import { type Capture, MANIFEST_DIRECTORY, MANIFEST_NAME, type Problem, type Source } from '../../source/index.ts';
import { withScratch } from '../scratch.ts';
import { HOLDFAST_TAG, PART_TAG, PARTIAL_TAG, sourceTag } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { judgeChange, sizesOfChain } from './judge-change.ts';

export interface BackupOfSource {
  source: string;
  repository: string;
  snapshot: string;
  /** What was asked for, where it was not everything: it is no recovery point of the source then. */
  only?: readonly string[];
  /** RFC 3339: the moment the data is of. */
  time: string;
  durationMs: number;
  bytesProcessed: number;
  /** New plain bytes, and what they take in the repository. */
  bytesAdded: number;
  bytesStored: number;
  files: { new: number; changed: number; unmodified: number };
  problems: Problem[];
  /** Why it differs so much from what is usual that nobody should trust it unseen, if it does. */
  suspect?: string;
}

/** What is captured as directories and files of its own. */
const TREES: ReadonlySet<PlanSource['type']> = new Set(['files', 'git', 'secrets']);

function kindOf(planned: PlanSource, only: readonly string[] | undefined): 'dump' | 'base' | 'tree' {
  if (TREES.has(planned.type)) return 'tree';
  if (planned.type === 'redis') return planned.stream && only === undefined ? 'base' : 'dump';
  const isCluster = planned.type === 'postgres' && planned.method === 'physical' && only === undefined;
  return isCluster ? 'base' : 'dump';
}

/** What the backups of a repository share. */
interface Shared {
  opened: OpenedRepository;
  lock: HeldLock;
  indexed: IndexedRepository;
  parents: ReadonlyMap<string, StoredSnapshot>;
  /** A part of each; everything, when left out. */
  only?: readonly string[] | undefined;
  /** See `CaptureContext`. */
  readAll?: boolean;
  /** What each snapshot gets, beside its usual tags. */
  tag?: string | undefined;
}

/**
 * Captures one source into a snapshot, and records it.
 * @throws whatever the source, the store or the repository throw: then there is none
 */
export async function backupSource(
  workspace: Workspace,
  { planned, source }: { planned: PlanSource; source: Source },
  shared: Shared,
): Promise<BackupOfSource> {
  const parent = shared.only === undefined ? shared.parents.get(planned.name) : undefined;
  const readBefore = parent && (() => sizesOfChain(shared.opened.repository, parent));
  const before = readBefore && awaitedLater(readBefore());
  const { result, event } = await takeSnapshot(workspace, { planned, source }, shared);
  await shared.opened.ledger.append('backup.finished', event);
  // What could not be read meanwhile may be there by now.
  const suspect = await judgeChange(shared.opened, event, before?.catch(readBefore));
  return { ...result, ...(suspect !== undefined && { suspect }) };
}

/** A snapshot that is in the repository, and what the ledger is to say of it. */
export interface Taken {
  result: BackupOfSource;
  event: BackupFinished;
  stored: StoredSnapshot;
  /** See `Capture`. */
  again: readonly string[];
}

/**
 * Captures one source into a snapshot.
 * @param changed see `CaptureContext`
 * @throws whatever the source, the store or the repository throw: then there is none
 */
export async function takeSnapshot(
  workspace: Workspace,
  { planned, source }: { planned: PlanSource; source: Source },
  shared: Shared,
  changed?: ReadonlySet<string>,
): Promise<Taken> {
  const { only, readAll } = shared;
  if (only !== undefined && source.capturesParts !== true) throw wholeOnly(planned);
  const { clock, signal } = workspace.environment;
  const startedMs = clock.nowMs();
  const started = clock.monotonicMs();
  const parent = shared.parents.get(planned.name);
  const previous = parent && new Reader(shared.indexed, parent);
  const session = await WriteSession.begin(shared.indexed, { lock: shared.lock, clock });
  const stop = (): void => void session.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const progress = expecting(workspace.environment.progress(planned.name), parent);
  try {
    const capture = await withScratch((scratchDirectory) =>
      source.capture(session.writer, {
        ...{ clock, progress, signal, scratchDirectory, previous },
        ...(only && { selection: { only } }),
        ...(readAll !== undefined && { readAll }),
        ...(changed && { changed }),
      }),
    );
    const tree = await session.writer.saveTree([
      ...capture.roots,
      await holdfastDirectory(session.writer, capture, only),
    ]);
    signal.throwIfAborted();
    const snapshot = describe(workspace, planned, capture, { tree, parent, only, tag: shared.tag });
    shared.opened.ledger.expectEvent();
    const id = await session.commit(() => {
      snapshot.summary = summarise(capture, session.statistics, startedMs, clock.nowMs());
      return snapshot;
    });
    const stored = { ...snapshot, id };
    const durationMs = clock.monotonicMs() - started;
    const result = resultOf(planned.name, shared.opened.name, { capture, session, durationMs, stored, only });
    return { result, event: eventOf(result, capture, tree), stored, again: capture.again ?? [] };
  } catch (error) {
    await session.abort(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    progress.finish();
    await previous?.close();
  }
}

function resultOf(
  source: string,
  repository: string,
  done: { capture: Capture; session: WriteSession; durationMs: number; stored: StoredSnapshot; only: Shared['only'] },
): BackupOfSource {
  const { counts, timeMs, problems } = done.capture;
  return {
    source,
    repository,
    snapshot: done.stored.id,
    ...(done.only && { only: done.only }),
    time: formatTimeMs(timeMs),
    durationMs: done.durationMs,
    bytesProcessed: counts.bytesProcessed,
    bytesAdded: done.session.statistics.addedBytes,
    bytesStored: done.session.statistics.addedPackedBytes,
    files: { new: counts.filesNew, changed: counts.filesChanged, unmodified: counts.filesUnmodified },
    problems,
  };
}

function eventOf(result: BackupOfSource, { manifest, log }: Capture, tree: string): BackupFinished {
  const { source, snapshot, only, time, durationMs, bytesProcessed, bytesAdded, bytesStored, problems } = result;
  return {
    ...{ source, snapshot, tree },
    ...(only && { only }),
    outcome: problems.length === 0 ? 'complete' : 'partial',
    ...{ time, durationMs, bytesProcessed, bytesAdded, bytesStored, problems: problems.length },
    ...(manifest.clockOffsetMs !== undefined && { clockOffsetMs: manifest.clockOffsetMs }),
    ...(log && { log: { ...log, start: lsnText(log.start), end: lsnText(log.end) } }),
  };
}

function wholeOnly({ name, type }: PlanSource): HoldfastError {
  return new HoldfastError(
    'source-unsupported',
    `of ${name}, a source of type ${type}, no part is backed up by itself`,
    {
      hint: 'Leave `--only` out.',
    },
  );
}

/** Where the size is not known beforehand, the last backup's is the best guess. */
function expecting(
  progress: ReturnType<Workspace['environment']['progress']>,
  parent: StoredSnapshot | undefined,
): typeof progress {
  const bytes = parent?.summary?.total_bytes_processed;
  return {
    ...progress,
    phase: (name, total) => progress.phase(name, total ?? (bytes === undefined ? undefined : { bytes })),
  };
}

/** `/.holdfast`, with the manifest in it. */
async function holdfastDirectory(
  writer: SnapshotWriter,
  { manifest, timeMs }: Capture,
  only: readonly string[] | undefined,
): Promise<TreeNode> {
  const stream = await writer.openFile();
  await stream.write(Buffer.from(`${JSON.stringify({ ...manifest, ...(only && { only }) }, null, 1)}\n`));
  const { content, sizeBytes } = await stream.end();
  const times = { mtime: formatTimeMs(timeMs), atime: formatTimeMs(timeMs), ctime: formatTimeMs(timeMs) };
  const file: TreeNode = { name: MANIFEST_NAME, type: 'file', mode: 0o600, ...times, size: sizeBytes, content };
  const subtree = await writer.saveTree([file]);
  return { name: MANIFEST_DIRECTORY, type: 'dir', mode: 2 ** 31 + 0o700, ...times, content: null, subtree };
}

interface Described {
  tree: string;
  parent: StoredSnapshot | undefined;
  only: readonly string[] | undefined;
  tag: string | undefined;
}

function describe(
  workspace: Workspace,
  planned: PlanSource,
  capture: Capture,
  { tree, parent, only, tag }: Described,
): Snapshot {
  const { username, uid, gid } = currentUser();
  return {
    time: formatTimeMs(capture.timeMs),
    ...(parent !== undefined && { parent: parent.id }),
    tree,
    paths: capture.paths,
    hostname: workspace.plan.name,
    username,
    ...(uid !== undefined && gid !== undefined && { uid, gid }),
    tags: [
      HOLDFAST_TAG,
      sourceTag(planned.name),
      `kind:${kindOf(planned, only)}`,
      ...(capture.problems.length > 0 ? [PARTIAL_TAG] : []),
      ...(only === undefined ? [] : [PART_TAG]),
      ...(tag === undefined ? [] : [tag]),
    ],
    program_version: `holdfast ${workspace.environment.version}`,
  };
}

function summarise(
  { counts }: Capture,
  statistics: WriteSession['statistics'],
  startedMs: number,
  finishedMs: number,
): NonNullable<Snapshot['summary']> {
  return {
    backup_start: formatTimeMs(startedMs),
    backup_end: formatTimeMs(finishedMs),
    files_new: counts.filesNew,
    files_changed: counts.filesChanged,
    files_unmodified: counts.filesUnmodified,
    dirs_new: 0,
    dirs_changed: counts.dirs,
    dirs_unmodified: 0,
    data_blobs: statistics.dataBlobs,
    tree_blobs: statistics.treeBlobs,
    data_added: statistics.addedBytes,
    data_added_packed: statistics.addedPackedBytes,
    total_files_processed: counts.filesNew + counts.filesChanged + counts.filesUnmodified,
    total_bytes_processed: counts.bytesProcessed,
  };
}
