import { z } from 'zod';
import { compress, decompress, type SealingKey, seal, unseal } from '../../format/index.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { lsnText } from './log-range.ts';

/**
 * One object of a tail, sealed with the repository's key: a line of JSON that says what it is, a newline, and a zstd frame
 * of the bytes. `docs/wal-tail.md` says how to read it by hand.
 */

/** More than any writer puts into one, so that hostile data cannot fill the memory. */
export const TAIL_OBJECT_LIMIT_BYTES = 64 * 1024 * 1024;
const HEADER_LIMIT_BYTES = 16 * 1024;
const NEWLINE = 0x0a;

const common = {
  version: z.literal(1),
  plan: z.string(),
  source: z.string(),
  /** The cluster's system identifier. */
  system: z.string(),
  timeline: z.number().int().positive(),
};

const log = z.object({
  ...common,
  kind: z.literal('log'),
  start: z.string(),
  end: z.string(),
  segmentBytes: z.number().int().positive(),
  /** RFC 3339, the server's clock: all that it had by then is in the log up to `end`. Null while it was behind. */
  coveredUntil: z.string().nullable(),
  /** RFC 3339, Holdfast's clock, when the object was made. */
  writtenAt: z.string(),
});

const history = z.object({ ...common, kind: z.literal('history'), name: z.string() });

const header = z.discriminatedUnion('kind', [log, history]);

export type LogHeader = z.infer<typeof log>;
export type HistoryHeader = z.infer<typeof history>;

export interface TailObject {
  header: LogHeader | HistoryHeader;
  bytes: Buffer;
}

export function sealTailObject(key: SealingKey, { header: head, bytes }: TailObject): Buffer {
  return seal(key, Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), compress(bytes)]));
}

/** @param name the object's key, for messages. @throws repository-damaged, repository-unsupported */
export function openTailObject(key: SealingKey, name: string, sealed: Uint8Array): TailObject {
  const plain = unsealNamed(key, name, sealed);
  const end = plain.subarray(0, HEADER_LIMIT_BYTES).indexOf(NEWLINE);
  if (end === -1) throw damaged(name, 'it has no header');
  const head = readHeader(name, plain.toString('utf8', 0, end));
  return { header: head, bytes: decompress(plain.subarray(end + 1), TAIL_OBJECT_LIMIT_BYTES) };
}

function unsealNamed(key: SealingKey, name: string, sealed: Uint8Array): Buffer {
  try {
    return unseal(key, sealed);
  } catch (cause) {
    throw damaged(name, messageOf(cause), cause);
  }
}

function readHeader(name: string, text: string): LogHeader | HistoryHeader {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(name, messageOf(cause), cause);
  }
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > 1) {
    throw new HoldfastError('repository-unsupported', `${name} has the unknown version ${version}`, {
      hint: 'Use the version of Holdfast that wrote it, or a newer one.',
    });
  }
  const parsed = header.safeParse(value);
  if (parsed.success) return parsed.data;
  throw damaged(name, z.prettifyError(parsed.error));
}

/** What a header says of its range must be what the object's name says: an object may have been moved. */
export function isHeaderOf(head: LogHeader, range: { timeline: number; start: bigint; end: bigint }): boolean {
  return head.timeline === range.timeline && head.start === lsnText(range.start) && head.end === lsnText(range.end);
}

export function damaged(name: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('repository-damaged', `${name} is damaged: ${reason}`, { context: { key: name }, cause });
}
