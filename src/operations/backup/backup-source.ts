import { formatTimeMs, type Snapshot, type TreeNode } from '../../format/index.ts';
import { currentUser } from '../../foundation/user.ts';
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
import { type Capture, MANIFEST_DIRECTORY, MANIFEST_NAME, type Problem } from '../../source/index.ts';
import { withScratch } from '../scratch.ts';
import { HOLDFAST_TAG, PARTIAL_TAG, sourceTag } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface BackupOfSource {
  source: string;
  repository: string;
  snapshot: string;
  /** RFC 3339: the moment the data is of. */
  time: string;
  durationMs: number;
  bytesProcessed: number;
  /** New plain bytes, and what they take in the repository. */
  bytesAdded: number;
  bytesStored: number;
  files: { new: number; changed: number; unmodified: number };
  problems: Problem[];
}

function kindOf(planned: PlanSource): 'dump' | 'base' | 'tree' {
  if (planned.type === 'files') return 'tree';
  if (planned.type === 'redis') return planned.stream ? 'base' : 'dump';
  return planned.method === 'physical' ? 'base' : 'dump';
}

/** Captures one source into a snapshot. @throws whatever the source, the store or the repository throw: then there is none */
export async function backupSource(
  workspace: Workspace,
  planned: PlanSource,
  shared: {
    opened: OpenedRepository;
    lock: HeldLock;
    indexed: IndexedRepository;
    parents: ReadonlyMap<string, StoredSnapshot>;
  },
): Promise<BackupOfSource> {
  const { clock, signal } = workspace.environment;
  const startedMs = clock.nowMs();
  const started = clock.monotonicMs();
  const source = await workspace.createSource(planned);
  const parent = shared.parents.get(planned.name);
  const previous = parent && new Reader(shared.indexed, parent);
  const session = await WriteSession.begin(shared.indexed, { lock: shared.lock, clock });
  const stop = (): void => void session.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const progress = expecting(workspace.environment.progress(planned.name), parent);
  try {
    const capture = await withScratch((scratchDirectory) =>
      source.capture(session.writer, { clock, progress, signal, scratchDirectory, previous }),
    );
    const tree = await session.writer.saveTree([...capture.roots, await holdfastDirectory(session.writer, capture)]);
    signal.throwIfAborted();
    const snapshot = await session.commit(() => ({
      ...describe(workspace, planned, capture, { tree, parent, startedMs }),
      summary: summarise(capture, session.statistics, startedMs, clock.nowMs()),
    }));
    const { bytesProcessed } = capture.counts;
    const result: BackupOfSource = {
      source: planned.name,
      repository: shared.opened.name,
      snapshot,
      time: formatTimeMs(capture.timeMs),
      durationMs: clock.monotonicMs() - started,
      bytesProcessed,
      bytesAdded: session.statistics.addedBytes,
      bytesStored: session.statistics.addedPackedBytes,
      files: {
        new: capture.counts.filesNew,
        changed: capture.counts.filesChanged,
        unmodified: capture.counts.filesUnmodified,
      },
      problems: capture.problems,
    };
    await shared.opened.ledger.append('backup.finished', {
      source: planned.name,
      snapshot,
      tree,
      outcome: capture.problems.length === 0 ? 'complete' : 'partial',
      time: result.time,
      durationMs: result.durationMs,
      bytesProcessed,
      bytesAdded: result.bytesAdded,
      bytesStored: result.bytesStored,
      problems: capture.problems.length,
      ...(capture.manifest.clockOffsetMs !== undefined && { clockOffsetMs: capture.manifest.clockOffsetMs }),
      ...(capture.log && {
        log: { ...capture.log, start: lsnText(capture.log.start), end: lsnText(capture.log.end) },
      }),
    });
    return result;
  } catch (error) {
    await session.abort(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    progress.finish();
    await previous?.close();
  }
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
async function holdfastDirectory(writer: SnapshotWriter, { manifest, timeMs }: Capture): Promise<TreeNode> {
  const stream = await writer.openFile();
  await stream.write(Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
  const { content, sizeBytes } = await stream.end();
  const times = { mtime: formatTimeMs(timeMs), atime: formatTimeMs(timeMs), ctime: formatTimeMs(timeMs) };
  const file: TreeNode = { name: MANIFEST_NAME, type: 'file', mode: 0o600, ...times, size: sizeBytes, content };
  const subtree = await writer.saveTree([file]);
  return { name: MANIFEST_DIRECTORY, type: 'dir', mode: 2 ** 31 + 0o700, ...times, content: null, subtree };
}

function describe(
  workspace: Workspace,
  planned: PlanSource,
  capture: Capture,
  { tree, parent }: { tree: string; parent: StoredSnapshot | undefined; startedMs: number },
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
      `kind:${kindOf(planned)}`,
      ...(capture.problems.length > 0 ? [PARTIAL_TAG] : []),
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
