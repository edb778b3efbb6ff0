import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { ID_BYTES } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { type ExtendedAttribute, readOpenFileAttributes } from '../../foundation/extended-attributes.ts';
import type { PartReader } from './part-reader.ts';

/** Small files, for a worker to open, read, cut and store by itself: one after the other, since each alone is not worth a message. */
export interface FileBatch {
  number: number;
  count: number;
  /** Each ended by a NUL. */
  paths: Uint8Array;
}

/** What became of a file of a batch. */
export const OUTCOMES = ['failed', 'other', 'large', 'read', 'changed'] as const;
type Outcome = (typeof OUTCOMES)[number];

interface Failure {
  message: string;
  code: string | undefined;
  syscall: string;
}

/** What became of the files of a batch, in its order. */
export interface StoredBatch {
  number: number;
  /** How many of its files were looked at, from the first on: the others are to be handed out again. */
  count: number;
  /** Places in OUTCOMES. */
  outcomes: Uint8Array;
  /** The ids of their blobs, 32 bytes each, and how many of them each file has. */
  ids: Uint8Array;
  blobCounts: Uint32Array;
  sizesBytes: Float64Array;
  /** What the system said of each before it was read: `STATUS_WORDS` for each. Inodes and devices modulo 2^64. */
  status: BigInt64Array;
  /** By their places in the batch: the attributes of those that have any, or why these could not be read. */
  attributes: Map<number, readonly ExtendedAttribute[] | Failure>;
  /** By their places, why a file could not be read. */
  failures: Map<number, Failure>;
  fresh: { blobs: number; bytes: number; storedBytes: number };
}

/** Device, inode, mode, links, owner, group, size, and the times of the last change of content and of status in nanoseconds. */
export const STATUS_WORDS = 9;

/** From this size on, several threads read a file. */
export const LARGE_FILE_BYTES = 4 * 1024 * 1024;

/** A file that grows while it is read is followed for so long: it might grow for ever. */
export const MAX_GROWTH_BYTES = 64 * 1024 * 1024;

/** A batch ends after so many bytes: nobody knew beforehand how many there are, and another thread may have nothing to do. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Another entry may have taken a file's place: one that waits for a writer, say, must not be waited for. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens and reads the files of a batch. Links are not followed, and nothing but regular files is read.
 * @param between is called after every blob and every file; false ends the batch before its end
 * @throws what the sealer throws; that a file cannot be read is a result
 */
export function storeBatch(batch: FileBatch, reader: Pick<PartReader, 'store'>, between: () => boolean): StoredBatch {
  const ids: Uint8Array[] = [];
  const stored = emptyBatch(batch);
  let isWanted = true;
  const goOn = (): boolean => {
    isWanted = between();
    return isWanted;
  };
  let readBytes = 0;
  for (let start = 0; stored.count < batch.count && readBytes < BATCH_BYTES && isWanted; stored.count++) {
    const end = batch.paths.indexOf(0, start);
    const path = Buffer.from(batch.paths.buffer, batch.paths.byteOffset + start, end - start);
    start = end + 1;
    const outcome = storeFile(path, stored, ids, reader, goOn);
    stored.outcomes[stored.count] = OUTCOMES.indexOf(outcome);
    readBytes += stored.sizesBytes[stored.count]!;
    goOn();
  }
  stored.ids = new Uint8Array(Buffer.concat(ids));
  return stored;
}

function emptyBatch({ number, count }: FileBatch): StoredBatch {
  return {
    number,
    count: 0,
    outcomes: new Uint8Array(count),
    ids: new Uint8Array(0),
    blobCounts: new Uint32Array(count),
    sizesBytes: new Float64Array(count),
    status: new BigInt64Array(count * STATUS_WORDS),
    attributes: new Map(),
    failures: new Map(),
    fresh: { blobs: 0, bytes: 0, storedBytes: 0 },
  };
}

/** Stores the next file of a batch, and puts down all but what became of it. */
function storeFile(
  path: Buffer,
  stored: StoredBatch,
  ids: Uint8Array[],
  reader: Pick<PartReader, 'store'>,
  between: () => boolean,
): Outcome {
  const descriptor = orFailed(stored, 'open', () => openSync(path, FLAGS));
  // One that is a link by now is looked at again, by whoever knows what to do with links.
  if (descriptor === undefined) return stored.failures.get(stored.count)?.code === 'ELOOP' ? 'other' : 'failed';
  try {
    const before = orFailed(stored, 'fstat', () => fstatSync(descriptor, { bigint: true }));
    if (before === undefined) return 'failed';
    if (!before.isFile()) return 'other';
    if (before.size >= LARGE_FILE_BYTES) return 'large';
    putStatus(stored, before);
    putAttributes(stored, descriptor, path);
    const sizeBytes = Number(before.size);
    const limits = { sizeBytes, limitBytes: sizeBytes + MAX_GROWTH_BYTES };
    const file = reader.store({ number: 0, fileDescriptor: descriptor, position: 0, ...limits }, between);
    const after = orFailed(stored, 'fstat', () => fstatSync(descriptor, { bigint: true }));
    ids.push(file.ids);
    stored.blobCounts[stored.count] = file.ids.length / ID_BYTES;
    stored.sizesBytes[stored.count] = file.sizeBytes;
    stored.fresh.blobs += file.fresh.blobs;
    stored.fresh.bytes += file.fresh.bytes;
    stored.fresh.storedBytes += file.fresh.storedBytes;
    if (file.failure !== undefined) stored.failures.set(stored.count, { ...file.failure, syscall: 'read' });
    if (file.failure !== undefined || after === undefined) return 'failed';
    return hasChanged(before, after, file.sizeBytes) ? 'changed' : 'read';
  } finally {
    closeSync(descriptor);
  }
}

function hasChanged(before: BigIntStats, after: BigIntStats, readBytes: number): boolean {
  return before.size !== after.size || before.mtimeNs !== after.mtimeNs || Number(after.size) !== readBytes;
}

function putStatus({ status, count }: StoredBatch, stats: BigIntStats): void {
  const at = count * STATUS_WORDS;
  status[at] = stats.dev;
  status[at + 1] = stats.ino;
  status[at + 2] = stats.mode;
  status[at + 3] = stats.nlink;
  status[at + 4] = stats.uid;
  status[at + 5] = stats.gid;
  status[at + 6] = stats.size;
  status[at + 7] = stats.mtimeNs;
  status[at + 8] = stats.ctimeNs;
}

function putAttributes({ attributes, count }: StoredBatch, descriptor: number, path: Buffer): void {
  try {
    const found = readOpenFileAttributes(descriptor, path);
    if (found.length > 0) attributes.set(count, found);
  } catch (error) {
    attributes.set(count, failureOf(error, 'flistxattr'));
  }
}

/** Puts down an error of the system; what else is thrown is no matter of a file. */
function orFailed<T>({ failures, count }: StoredBatch, syscall: string, ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    failures.set(count, failureOf(error, syscall));
    return undefined;
  }
}

function failureOf(error: unknown, syscall: string): Failure {
  return { message: messageOf(error), code: systemCode(error), syscall };
}
