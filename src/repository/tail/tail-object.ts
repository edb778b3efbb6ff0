import { z } from 'zod';
import { compress, decompress, type SealingKey, seal, unseal } from '../../format/index.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { lsnText } from './log-range.ts';
import { decodeStamps, encodeStamps, type Stamp } from './stamps.ts';

/**
 * One object of a tail, sealed with the repository's key: a line of JSON that says what it is, a newline, and a zstd frame
 * of the bytes. `docs/wal-tail.md` says how to read it by hand.
 */

/** More than any writer puts into one, so that hostile data cannot fill the memory. */
export const TAIL_OBJECT_LIMIT_BYTES = 64 * 1024 * 1024;
const HEADER_LIMIT_BYTES = 16 * 1024;
const NEWLINE = 0x0a;

const common = {
  plan: z.string(),
  source: z.string(),
  /** The cluster's system identifier. */
  system: z.string(),
  timeline: z.number().int().positive(),
};

const part = {
  ...common,
  start: z.string(),
  end: z.string(),
  /** RFC 3339, the server's clock: all that it had by then is in the log up to `end`. Null while it was behind. */
  coveredUntil: z.string().nullable(),
  /** RFC 3339, Holdfast's clock, when the object was made. */
  writtenAt: z.string(),
};

/** A part of a log of segments. */
const segmented = z.object({
  ...part,
  version: z.literal(1),
  kind: z.literal('log'),
  segmentBytes: z.number().int().positive(),
});

/** A part of a stream, which says nothing of when it was written: so many of the bytes are the stamps that do, before it. */
const stream = z.object({
  ...part,
  version: z.literal(2),
  kind: z.literal('stream'),
  stampsBytes: z.number().int().nonnegative(),
});

const history = z.object({
  ...common,
  version: z.literal(1),
  kind: z.literal('history'),
  name: z.string(),
  alias: z.string().optional(),
  begin: z.string().optional(),
});

const header = z.discriminatedUnion('kind', [segmented, stream, history]);
const NEWEST_VERSION = 2;

export type LogHeader = z.infer<typeof segmented> | z.infer<typeof stream>;
export type HistoryHeader = z.infer<typeof history>;

export interface TailObject {
  header: LogHeader | HistoryHeader;
  bytes: Buffer;
  /** Of a stream, in its order. */
  stamps: Stamp[];
}

export function sealTailObject(key: SealingKey, { header: head, bytes, stamps }: TailObject): Buffer {
  const encoded = encodeStamps(stamps);
  const said = head.kind === 'stream' ? { ...head, stampsBytes: encoded.length } : head;
  const content = Buffer.concat([encoded, bytes]);
  return seal(key, Buffer.concat([Buffer.from(`${JSON.stringify(said)}\n`), compress(content)]));
}

/** @param name the object's key, for messages. @throws repository-damaged, repository-unsupported */
export function openTailObject(key: SealingKey, name: string, sealed: Uint8Array): TailObject {
  const plain = asDamage(name, () => unseal(key, sealed));
  const end = plain.subarray(0, HEADER_LIMIT_BYTES).indexOf(NEWLINE);
  if (end === -1) throw damaged(name, 'it has no header');
  const head = readHeader(name, plain.toString('utf8', 0, end));
  const content = asDamage(name, () => decompress(plain.subarray(end + 1), TAIL_OBJECT_LIMIT_BYTES));
  const stampsBytes = head.kind === 'stream' ? head.stampsBytes : 0;
  return {
    header: head,
    bytes: content.subarray(stampsBytes),
    stamps: asDamage(name, () => decodeStamps(content.subarray(0, stampsBytes))),
  };
}

function asDamage<T>(name: string, read: () => T): T {
  try {
    return read();
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
  if (typeof version === 'number' && version > NEWEST_VERSION) {
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
