import { formatTimeMs, type Snapshot, snapshotTimeMs, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { currentUser } from '../../foundation/user.ts';
import {
  compareRanges,
  isCovered,
  type LogRange,
  lsnDigits,
  type SnapshotReader,
  type SnapshotWriter,
  type StoredSnapshot,
} from '../../repository/index.ts';
import { HOLDFAST_TAG, isWal, sourceTag, WAL_TAG, walSnapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';

const DIRECTORY_MODE = 2 ** 31 + 0o700;
const DIRECTORY = 'wal';
const STREAM_SUFFIX = '.aof';
const SEGMENT_NAME = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;
const STREAM_NAME = /^([0-9A-F]{8})-([0-9A-F]{16})-([0-9A-F]{16})\.aof$/;

/** The part of a log that is in a snapshot, as its tag says: known without reading its tree. */
export interface FoldedRange extends LogRange {
  system: string;
  snapshot: StoredSnapshot;
  /** All that was committed by then lies before its end; undefined where that is not known. */
  coveredMs: number | undefined;
}

/** Of a snapshot whose time is only when it was stored. */
export const UNDATED_TAG = 'wal-undated';

const TAG = /^wal:(\d{1,20}):([0-9A-F]{8}):([0-9A-F]{16})-([0-9A-F]{16})$/;

function walTag(system: string, { timeline, start, end }: LogRange): string {
  return `wal:${system}:${timelineDigits(timeline)}:${lsnDigits(start)}-${lsnDigits(end)}`;
}

/** What the snapshots of a source's log hold. */
export function foldedRanges(snapshots: readonly StoredSnapshot[], plan: string, source: string): FoldedRange[] {
  return walSnapshotsOf(snapshots, plan, source).flatMap((snapshot) => foldedRangeOf(snapshot) ?? []);
}

/** What a snapshot holds of a log, if its tags say so. */
export function foldedRangeOf(snapshot: StoredSnapshot): FoldedRange | undefined {
  const match = snapshot.tags?.map((tag) => TAG.exec(tag)).find((found) => found !== null);
  if (match == null || !isWal(snapshot)) return undefined;
  const [, system, timeline, start, end] = match;
  return {
    snapshot,
    coveredMs: snapshot.tags?.includes(UNDATED_TAG) === true ? undefined : snapshotTimeMs(snapshot),
    system: system!,
    timeline: Number.parseInt(timeline!, 16),
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
  };
}

/** A file of a snapshot of a log, and what part it has. */
export interface LogFile extends LogRange {
  node: TreeNode;
  /** Of a stream: the file beside it that says when it was written. */
  stamps?: TreeNode | undefined;
}

/** What a snapshot of a log has. */
export interface WalFiles {
  /** By their names: segments or parts of a stream, and histories of timelines. */
  files: ReadonlyMap<string, TreeNode>;
  /** The parts, in their order. */
  parts: LogFile[];
  /** Of a log of segments. */
  segmentBytes: number | undefined;
}

/** @throws repository-damaged where it does not hold what its tag says */
export async function readWalFiles(reader: SnapshotReader, folded: FoldedRange): Promise<WalFiles> {
  const directory = await reader.find(`/${DIRECTORY}`);
  const nodes = directory?.subtree === undefined ? [] : await reader.entries(directory.subtree);
  const files = new Map(nodes.map((node) => [node.name, node]));
  const parts = nodes.flatMap((node): LogFile[] => {
    const range = rangeOfFile(node.name, Number(node.size ?? 0));
    return range === undefined ? [] : [{ ...range, node, stamps: files.get(stampsName(node.name)) }];
  });
  const [stream, segments] = [true, false].map((is) =>
    parts.filter(({ node }) => node.name.endsWith(STREAM_SUFFIX) === is),
  );
  const segmentBytes = segments![0] && Number(segments![0].node.size);
  const isOdd = segments!.some(({ node }) => Number(node.size) !== segmentBytes);
  if (!isCovered(folded, parts) || isOdd || stream!.some(({ stamps }) => stamps === undefined)) {
    throw new HoldfastError(
      'repository-damaged',
      `snapshot ${folded.snapshot.id.slice(0, 8)} lacks a part of the log that its tag names`,
    );
  }
  return { files, parts: parts.sort(compareRanges), segmentBytes };
}

/** What a file of the log has, as its name and size say; undefined for what is none of its parts. */
function rangeOfFile(name: string, sizeBytes: number): LogRange | undefined {
  const [, timeline = '', id, number] = SEGMENT_NAME.exec(name) ?? [];
  if (id !== undefined) {
    const start = (BigInt(`0x${id}`) << 32n) + BigInt(`0x${number}`) * BigInt(sizeBytes);
    return { timeline: Number.parseInt(timeline, 16), start, end: start + BigInt(sizeBytes) };
  }
  const [, streamTimeline = '', start, end] = STREAM_NAME.exec(name) ?? [];
  if (start === undefined || BigInt(`0x${end}`) - BigInt(`0x${start}`) !== BigInt(sizeBytes)) return undefined;
  return { timeline: Number.parseInt(streamTimeline, 16), start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
}

/** The name of a part of a stream: its timeline, where it begins, and the first byte that is not in it. */
export function streamName({ timeline, start, end }: LogRange): string {
  return `${timelineDigits(timeline)}-${lsnDigits(start)}-${lsnDigits(end)}${STREAM_SUFFIX}`;
}

/** The name of the file that says when a part of a stream was written. */
export function stampsName(name: string): string {
  return `${name.slice(0, -STREAM_SUFFIX.length)}.times`;
}

/** Stores the tree of such a snapshot. @param time RFC 3339 */
export async function saveWalFiles(writer: SnapshotWriter, files: Iterable<TreeNode>, time: string): Promise<string> {
  const times = { mtime: time, atime: time, ctime: time };
  const subtree = await writer.saveTree([...files]);
  return writer.saveTree([{ name: DIRECTORY, type: 'dir', mode: DIRECTORY_MODE, ...times, content: null, subtree }]);
}

/** The moment up to which a part of a log is all that there was. */
export interface LogMoment {
  ms: number;
  /** Only when the newest of it was stored: it says nothing of what is there. */
  isUndated: boolean;
}

export function walSnapshot(
  { plan, environment }: Workspace,
  source: string,
  { system, part, tree, moment }: { system: string; part: LogRange; tree: string; moment: LogMoment },
): Snapshot {
  const { username, uid, gid } = currentUser();
  return {
    time: formatTimeMs(moment.ms),
    tree,
    paths: [`/${source}`],
    hostname: plan.name,
    username,
    ...(uid !== undefined && gid !== undefined && { uid, gid }),
    tags: [HOLDFAST_TAG, sourceTag(source), WAL_TAG, walTag(system, part), ...(moment.isUndated ? [UNDATED_TAG] : [])],
    program_version: `holdfast ${environment.version}`,
  };
}

/**
 * The name of the segment that begins at a position.
 * Source: PostgreSQL's src/include/access/xlog_internal.h, XLogFileName.
 */
export function segmentName(timeline: number, start: bigint, segmentBytes: number): string {
  const segment = start / BigInt(segmentBytes);
  const perId = 0x1_0000_0000n / BigInt(segmentBytes);
  return `${timelineDigits(timeline)}${hex8(segment / perId)}${hex8(segment % perId)}`;
}

/** As names of segments and histories begin. */
export function timelineDigits(timeline: number): string {
  return hex8(BigInt(timeline));
}

function hex8(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}
