/** Logs for tests that need no server: parts of a tail, and what is in them. */

import { type LogRange, LogTail, lsnText, type Repository } from '../../src/repository/index.ts';
import { noise } from './repository.ts';

export const OWNER = { plan: 'shop', source: 'db' };
export const SEGMENT_BYTES = 1 << 20;
export const SEGMENT = BigInt(SEGMENT_BYTES);
export const CLUSTER = { system: '7391', segmentBytes: SEGMENT_BYTES };

/** A part from one segment's beginning, or a place between, to another one's: in segments. */
export function segments(from: number, to: number, timeline = 1): LogRange {
  const at = (segment: number): bigint => BigInt(Math.round(segment * SEGMENT_BYTES));
  return { timeline, start: at(from), end: at(to) };
}

/** What such a log holds: the same bytes at the same place, whoever asks. */
export function logBytes({ timeline, start, end }: LogRange): Buffer {
  const bytes = Buffer.alloc(Number(end - start));
  for (let at = start - (start % SEGMENT); at < end; at += SEGMENT) {
    const from = Number(start > at ? start - at : 0n);
    const segment = noise(SEGMENT_BYTES, `${timeline} ${at}`).subarray(from, Number(end - at));
    segment.copy(bytes, Number((start > at ? start : at) - start));
  }
  return bytes;
}

/** Stores a part of the log in the tail. @param coveredUntil RFC 3339. @returns its key */
export async function writeTail(
  repository: Repository,
  range: LogRange,
  { coveredUntil = null as string | null, bytes = logBytes(range), ...more } = {},
): Promise<string> {
  const tail = new LogTail(repository, OWNER);
  const [start, end] = [lsnText(range.start), lsnText(range.end)];
  const head = { ...CLUSTER, timeline: range.timeline, start, end, coveredUntil, ...more };
  const object = tail.sealLog(range, { writtenAt: '2026-01-31T15:00:00Z', ...head }, bytes);
  await tail.write(object);
  return object.key;
}
