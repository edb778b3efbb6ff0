import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import {
  isCovered,
  type LogHeader,
  type LogRange,
  loadIndex,
  lsnText,
  mergeRanges,
  type SnapshotWriter,
  type TailEntry,
  WriteSession,
} from '../../repository/index.ts';
import type { LogCluster } from '../../source/index.ts';
import { withLock } from '../locked.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { StoredLog } from './stored-log.ts';
import { type LogMoment, saveWalFiles, segmentName, walSnapshot } from './wal-snapshots.ts';

const FILE_MODE = 0o600;

/**
 * Makes snapshots of the whole segments that the tail holds of a cluster's log, and then removes from the tail what a
 * snapshot covers. Cut off at any instant, the next one goes on: before the snapshot is visible the tail is all there,
 * and what was not removed after it is found to be covered.
 * @returns the ids of the snapshots made
 * @throws repository-locked when somebody has the repository for themselves: nothing is lost by waiting
 */
export async function foldTail(
  workspace: Workspace,
  opened: OpenedRepository,
  source: string,
  cluster: LogCluster,
): Promise<string[]> {
  const owner = { plan: workspace.plan.name, source };
  return withLock(workspace, opened, { exclusive: false }, async (lock) => {
    const read = (): Promise<StoredLog> =>
      StoredLog.read(opened.repository, owner, async () => (await readableSnapshots(opened.repository)).snapshots);
    const stored = await read();
    const made: string[] = [];
    for (const part of wholeSegments(stored, cluster)) {
      const indexed = await loadIndex(opened.repository);
      const session = await WriteSession.begin(indexed, { lock, clock: workspace.environment.clock });
      try {
        const tree = await writeTree(session.writer, stored, cluster, part);
        const moment = await momentOf(stored, cluster.system, part, workspace);
        const snapshot = await session.commit(() =>
          walSnapshot(workspace, source, { system: cluster.system, part, tree, moment }),
        );
        await opened.ledger.append('log.folded', {
          source,
          snapshot,
          tree,
          system: cluster.system,
          timeline: part.timeline,
          start: lsnText(part.start),
          end: lsnText(part.end),
          bytesStored: session.statistics.addedPackedBytes,
        });
        made.push(snapshot);
      } catch (error) {
        await session.abort(error);
        throw error;
      }
    }
    await removeFolded(made.length === 0 ? stored : await read());
    return made;
  });
}

/** What of the tail is whole segments and in no snapshot yet. */
function wholeSegments(stored: StoredLog, { system, segmentBytes }: LogCluster): LogRange[] {
  const size = BigInt(segmentBytes);
  const folded = stored.folded.filter((each) => each.system === system);
  return mergeRanges(stored.entries.filter((each) => each.system === system)).flatMap((range) => {
    const segments: LogRange[] = [];
    const first = range.start + ((size - (range.start % size)) % size);
    for (let start = first; start + size <= range.end; start += size) {
      const segment = { timeline: range.timeline, start, end: start + size };
      if (!isCovered(segment, folded)) segments.push(segment);
    }
    return mergeRanges(segments);
  });
}

async function writeTree(
  writer: SnapshotWriter,
  stored: StoredLog,
  { system, segmentBytes }: LogCluster,
  part: LogRange,
): Promise<string> {
  const time = formatTimeMs(Date.parse((await newestHeader(stored, system, part))?.writtenAt ?? '') || 0);
  const nodes: TreeNode[] = [];
  const add = async (name: string, content: Uint8Array): Promise<void> => {
    const stream = await writer.openFile();
    await stream.write(content);
    const { content: blobs, sizeBytes } = await stream.end();
    nodes.push({
      name,
      type: 'file',
      mode: FILE_MODE,
      mtime: time,
      atime: time,
      ctime: time,
      size: sizeBytes,
      content: blobs,
    });
  };
  for (let start = part.start; start < part.end; start += BigInt(segmentBytes)) {
    const segment = { timeline: part.timeline, start, end: start + BigInt(segmentBytes) };
    await add(segmentName(part.timeline, start, segmentBytes), await stored.read(system, segment));
  }
  for (const history of stored.histories.filter((each) => each.system === system)) {
    const { name, bytes } = await stored.tail.readHistory(history);
    await add(name, bytes);
  }
  return saveWalFiles(writer, nodes, time);
}

/** The moment up to which the part is all that there was, as far as that is known. */
async function momentOf(stored: StoredLog, system: string, part: LogRange, workspace: Workspace): Promise<LogMoment> {
  const header = await newestHeader(stored, system, part);
  const covered = header?.coveredUntil ?? undefined;
  if (covered !== undefined) return { ms: Date.parse(covered), isUndated: false };
  const ms = header === undefined ? workspace.environment.clock.nowMs() : Date.parse(header.writtenAt);
  return { ms, isUndated: true };
}

/** Of the last object that lies within the part: the moment of one that goes on behind it is one that only later bytes reach. */
async function newestHeader(stored: StoredLog, system: string, part: LogRange): Promise<LogHeader | undefined> {
  const within = stored.entries.filter(
    (each) =>
      each.system === system && each.timeline === part.timeline && each.start < part.end && part.start < each.end,
  );
  const [first] = within;
  const last = within.filter(({ end }) => end <= part.end).at(-1);
  if (last !== undefined) return (await stored.tail.read(last)).header;
  return first && { ...(await stored.tail.read(first)).header, coveredUntil: null };
}

/** Removes from a tail what is in one snapshot, or in several that follow one another, whole. */
export async function removeFolded({ entries, folded, tail }: StoredLog): Promise<void> {
  const isFolded = (entry: TailEntry): boolean =>
    isCovered(
      entry,
      folded.filter(({ system }) => system === entry.system),
    );
  for (const entry of entries.filter(isFolded)) await tail.remove(entry);
}
