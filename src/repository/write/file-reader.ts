import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { ID_BYTES } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import type { PartReader } from './part-reader.ts';

/** Small files, for a worker to open, read, cut and store by itself: one after the other, since each alone is not worth a message. */
export interface FileBatch {
  number: number;
  /** Each ended by a NUL. */
  paths: Uint8Array;
  /** As long as they are expected to be. */
  sizesBytes: Float64Array;
  /** As many bytes are read of each at most. */
  limitsBytes: Float64Array;
}

/** What became of the files of a batch, in its order. */
export interface StoredBatch {
  number: number;
  /** The ids of their blobs, 32 bytes each, and how many of them each file has. */
  ids: Uint8Array;
  blobCounts: Uint32Array;
  sizesBytes: Float64Array;
  /** What the system says of each once it was read: `STATUS_WORDS` for each. Inodes and devices modulo 2^64. */
  status: BigInt64Array;
  /** By their places in the batch, those that are no regular files, and those that could not be read. */
  others: number[];
  failures: Map<number, { message: string; code: string | undefined; syscall: string }>;
  fresh: { blobs: number; bytes: number; storedBytes: number };
}

/** Another entry may have taken a file's place: one that waits for a writer, say, must not be waited for. */
const NOT_WAITING = constants.O_NONBLOCK;

/** Device, inode, size, and time of the last change of the content in nanoseconds. */
export const STATUS_WORDS = 4;

/**
 * Opens and reads the files of a batch. Links are not followed, and nothing but regular files is read.
 * @param between is called after every blob and every file; false ends the batch before its end
 * @throws what the sealer throws; that a file cannot be read is a result
 */
export function storeBatch(batch: FileBatch, reader: PartReader, between: () => boolean): StoredBatch {
  const count = batch.sizesBytes.length;
  const ids: Uint8Array[] = [];
  const stored: StoredBatch = {
    number: batch.number,
    ids: new Uint8Array(0),
    blobCounts: new Uint32Array(count),
    sizesBytes: new Float64Array(count),
    status: new BigInt64Array(count * STATUS_WORDS),
    others: [],
    failures: new Map(),
    fresh: { blobs: 0, bytes: 0, storedBytes: 0 },
  };
  let isWanted = true;
  const goOn = (): boolean => {
    isWanted = between();
    return isWanted;
  };
  for (let index = 0, start = 0; index < count && isWanted; index++) {
    const end = batch.paths.indexOf(0, start);
    const path = Buffer.from(batch.paths.buffer, batch.paths.byteOffset + start, end - start);
    start = end + 1;
    const file = storeFile(path, { index, batch, stored }, reader, goOn);
    if (file !== undefined) ids.push(file);
    goOn();
  }
  stored.ids = new Uint8Array(Buffer.concat(ids));
  return stored;
}

/** @returns the ids of its blobs; undefined where it was not read */
function storeFile(
  path: Buffer,
  { index, batch, stored }: { index: number; batch: FileBatch; stored: StoredBatch },
  reader: PartReader,
  between: () => boolean,
): Uint8Array | undefined {
  const asking = <T>(syscall: string, ask: () => T): T | undefined => orFailed(stored.failures, index, syscall, ask);
  const descriptor = asking('open', () => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | NOT_WAITING));
  if (descriptor === undefined) return undefined;
  try {
    if (asking('fstat', () => fstatSync(descriptor).isFile()) !== true) {
      if (!stored.failures.has(index)) stored.others.push(index);
      return undefined;
    }
    const limits = { limitBytes: batch.limitsBytes[index]!, sizeBytes: batch.sizesBytes[index]! };
    const part = { number: 0, fileDescriptor: descriptor, position: 0, ...limits };
    const { ids, sizeBytes, fresh, failure } = reader.store(part, between);
    if (failure !== undefined) stored.failures.set(index, { ...failure, syscall: 'read' });
    const status = asking('fstat', () => fstatSync(descriptor, { bigint: true }));
    if (status !== undefined) {
      stored.status.set([status.dev, status.ino, status.size, status.mtimeNs], index * STATUS_WORDS);
    }
    stored.blobCounts[index] = ids.length / ID_BYTES;
    stored.sizesBytes[index] = sizeBytes;
    stored.fresh.blobs += fresh.blobs;
    stored.fresh.bytes += fresh.bytes;
    stored.fresh.storedBytes += fresh.storedBytes;
    return ids;
  } finally {
    closeSync(descriptor);
  }
}

/** Puts down an error of the system; what else is thrown is no matter of a file. */
function orFailed<T>(failures: StoredBatch['failures'], index: number, syscall: string, ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    failures.set(index, { message: messageOf(error), code: systemCode(error), syscall });
    return undefined;
  }
}
