import { snapshotTimeMs } from '../../format/index.ts';
import type { LogRange, StoredSnapshot } from '../../repository/index.ts';
import { lsnDigits } from '../../repository/index.ts';
import { isWal, walSnapshotsOf } from '../snapshots-of.ts';

/** Segments of a log that are in a snapshot, as its tag says: known without reading its tree. */
export interface FoldedRange extends LogRange {
  system: string;
  snapshot: StoredSnapshot;
  /** All that was committed by then lies before its end; undefined where that is not known. */
  coveredMs: number | undefined;
}

/** Of a snapshot whose time is only when it was stored. */
export const UNDATED_TAG = 'wal-undated';

const TAG = /^wal:(\d{1,20}):([0-9A-F]{8}):([0-9A-F]{16})-([0-9A-F]{16})$/;

export function walTag(system: string, { timeline, start, end }: LogRange): string {
  return `wal:${system}:${timelineDigits(timeline)}:${lsnDigits(start)}-${lsnDigits(end)}`;
}

/** What the snapshots of a source's log hold. */
export function foldedRanges(snapshots: readonly StoredSnapshot[], plan: string, source: string): FoldedRange[] {
  return walSnapshotsOf(snapshots, plan, source).flatMap((snapshot) => {
    const match = snapshot.tags?.map((tag) => TAG.exec(tag)).find((found) => found !== null);
    if (match == null || !isWal(snapshot)) return [];
    const [, system, timeline, start, end] = match;
    return [
      {
        snapshot,
        coveredMs: snapshot.tags?.includes(UNDATED_TAG) === true ? undefined : snapshotTimeMs(snapshot),
        system: system!,
        timeline: Number.parseInt(timeline!, 16),
        start: BigInt(`0x${start}`),
        end: BigInt(`0x${end}`),
      },
    ];
  });
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
