import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import {
  earlier,
  encodeStamps,
  isCovered,
  type LogHeader,
  type LogRange,
  later,
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
import { without } from './holes.ts';
import { StoredLog } from './stored-log.ts';
import { type LogMoment, saveWalFiles, segmentName, stampsName, streamName, walSnapshot } from './wal-snapshots.ts';

const FILE_MODE = 0o600;
/** A stream has no segments: its files are no longer than that. */
const STREAM_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Makes snapshots of the whole segments, or commands, that the tail holds of a cluster's log, and then removes from the tail what a
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
    for (const part of await foldableParts(stored, cluster)) {
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

/** What of the tail is in no snapshot yet, and may become one: whole segments, or a stream up to where it may be cut. */
async function foldableParts(stored: StoredLog, { system, segmentBytes }: LogCluster): Promise<LogRange[]> {
  const folded = stored.folded.filter((each) => each.system === system);
  const inTail = mergeRanges(stored.entries.filter((each) => each.system === system));
  if (segmentBytes !== undefined) return inTail.flatMap((range) => wholeSegments(range, folded, BigInt(segmentBytes)));
  const last = await stored.lastStamp(system);
  return inTail.flatMap((range) => {
    const isOpen = last === undefined || (last.timeline === range.timeline && last.lsn < range.end);
    const whole = isOpen ? { ...range, end: later(range.start, last?.lsn ?? range.start) } : range;
    return without(
      whole,
      folded.filter(({ timeline }) => timeline === range.timeline),
    );
  });
}

function wholeSegments(range: LogRange, folded: readonly LogRange[], size: bigint): LogRange[] {
  const segments: LogRange[] = [];
  const first = range.start + ((size - (range.start % size)) % size);
  for (let start = first; start + size <= range.end; start += size) {
    const segment = { timeline: range.timeline, start, end: start + size };
    if (!isCovered(segment, folded)) segments.push(segment);
  }
  return mergeRanges(segments);
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
    const times = { mtime: time, atime: time, ctime: time };
    nodes.push({ name, type: 'file', mode: FILE_MODE, ...times, size: sizeBytes, content: blobs });
  };
  const size = segmentBytes ?? STREAM_FILE_BYTES;
  for (const range of cut(part, BigInt(size))) {
    const bytes = await stored.read(system, range);
    if (segmentBytes !== undefined) await add(segmentName(part.timeline, range.start, segmentBytes), bytes);
    else {
      const name = streamName(range);
      await add(name, bytes);
      await add(stampsName(name), encodeStamps(await stored.stampsIn(system, range)));
    }
  }
  for (const history of stored.histories.filter((each) => each.system === system)) {
    const { name, bytes } = await stored.tail.readHistory(history);
    await add(name, bytes);
  }
  return saveWalFiles(writer, nodes, time);
}

/** Parts of a length; the last one may be shorter. */
function cut({ timeline, start, end }: LogRange, size: bigint): LogRange[] {
  const parts: LogRange[] = [];
  for (let at = start; at < end; at += size) parts.push({ timeline, start: at, end: earlier(at + size, end) });
  return parts;
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
