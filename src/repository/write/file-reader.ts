import { ID_BYTES, MIN_CHUNK_BYTES } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { readOpenFileAttributes } from '../../foundation/extended-attributes.ts';
import { fileCalls } from '../../foundation/file-calls.ts';
import { STATUS_WORDS, StatusRecord } from '../../foundation/file-status.ts';
import {
  emptyBatch,
  type Failure,
  type FileBatch,
  makesTree,
  OUTCOMES,
  type Outcome,
  type StoredBatch,
  withoutFiles,
} from './file-batch.ts';
import type { PartReader, StoredPart } from './part-reader.ts';

/** From this size on, several threads read a file. */
export const LARGE_FILE_BYTES = 4 * 1024 * 1024;

/** A file that grows while it is read is followed for so long: it might grow for ever. */
export const MAX_GROWTH_BYTES = 64 * 1024 * 1024;

/** A batch ends after so many bytes: nobody knew beforehand how many there are, and another thread may have nothing to do. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Reads batches of files in a worker, all into the same memory. */
export class FileReader {
  readonly #parts: Pick<PartReader, 'store' | 'storeShort' | 'room'>;
  readonly #calls = fileCalls();
  readonly #before = new StatusRecord();
  readonly #after = new StatusRecord();

  constructor(parts: Pick<PartReader, 'store' | 'storeShort' | 'room'>) {
    this.#parts = parts;
  }

  /**
   * Opens and reads the files of a batch. Links are not followed, and nothing but regular files is read.
   * @param between is called after every blob and every file; false ends the batch before its end
   * @throws what the sealer throws; that a file cannot be read is a result
   */
  store(batch: FileBatch, between: () => boolean): StoredBatch {
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
      const outcome = this.#storeFile(batch.paths.subarray(start, end), stored, ids, goOn);
      start = end + 1;
      stored.outcomes[stored.count] = OUTCOMES.indexOf(outcome);
      readBytes += stored.sizesBytes[stored.count]!;
      goOn();
    }
    stored.ids = new Uint8Array(Buffer.concat(ids));
    return makesTree(batch, stored) ? withoutFiles(stored) : stored;
  }

  /** Stores the next file of a batch, and puts down all but what became of it. */
  #storeFile(path: Uint8Array, stored: StoredBatch, ids: Uint8Array[], between: () => boolean): Outcome {
    const descriptor = this.#open(path, stored);
    // One that is a link by now is looked at again, by whoever knows what to do with links.
    if (descriptor === undefined) return stored.failures.get(stored.count)?.code === 'ELOOP' ? 'other' : 'failed';
    try {
      const before = this.#before;
      if (!this.#examine(descriptor, before, stored)) return 'failed';
      if (!before.isFile) return 'other';
      const { sizeBytes } = before;
      if (sizeBytes >= LARGE_FILE_BYTES) return 'large';
      stored.status.set(before.words, stored.count * STATUS_WORDS);
      putAttributes(stored, descriptor, path);
      const file = this.#storeContent(descriptor, sizeBytes, between);
      const isExamined = this.#examine(descriptor, this.#after, stored);
      ids.push(file.ids);
      putStored(stored, file);
      if (file.failure !== undefined || !isExamined) return 'failed';
      return file.sizeBytes === sizeBytes && before.tellsSameContent(this.#after) ? 'read' : 'changed';
    } finally {
      this.#calls.close(descriptor);
    }
  }

  #storeContent(descriptor: number, sizeBytes: number, between: () => boolean): Omit<StoredPart, 'number'> {
    if (sizeBytes > 0 && sizeBytes < MIN_CHUNK_BYTES) {
      const readBytes = this.#read(descriptor, sizeBytes + 1);
      // Fewer than were asked for, and as many as there should be: nothing is behind them.
      if (readBytes === sizeBytes) return this.#parts.storeShort(sizeBytes);
    }
    const limits = { sizeBytes, limitBytes: sizeBytes + MAX_GROWTH_BYTES };
    return this.#parts.store({ number: 0, fileDescriptor: descriptor, position: 0, ...limits }, between);
  }

  /** @returns how many bytes it read, or nothing where it cannot be read: to be read again, for the reason */
  #read(descriptor: number, mostBytes: number): number | undefined {
    try {
      return this.#calls.read(descriptor, this.#parts.room, mostBytes);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  #open(path: Uint8Array, stored: StoredBatch): number | undefined {
    try {
      return this.#calls.open(path);
    } catch (error) {
      stored.failures.set(stored.count, failureOf(error, 'open'));
      return undefined;
    }
  }

  #examine(descriptor: number, record: StatusRecord, stored: StoredBatch): boolean {
    try {
      this.#calls.examine(descriptor, record);
      return true;
    } catch (error) {
      stored.failures.set(stored.count, failureOf(error, 'fstat'));
      return false;
    }
  }
}

function putStored(stored: StoredBatch, { ids, sizeBytes, fresh, failure }: Omit<StoredPart, 'number'>): void {
  stored.blobCounts[stored.count] = ids.length / ID_BYTES;
  stored.sizesBytes[stored.count] = sizeBytes;
  stored.fresh.blobs += fresh.blobs;
  stored.fresh.bytes += fresh.bytes;
  stored.fresh.storedBytes += fresh.storedBytes;
  if (failure !== undefined) stored.failures.set(stored.count, { ...failure, syscall: 'read' });
}

function putAttributes({ attributes, count }: StoredBatch, descriptor: number, path: Uint8Array): void {
  try {
    const found = readOpenFileAttributes(descriptor, path);
    if (found.length > 0) attributes.set(count, found);
  } catch (error) {
    attributes.set(count, failureOf(error, 'flistxattr'));
  }
}

function failureOf(error: unknown, syscall: string): Failure {
  return { message: messageOf(error), code: systemCode(error), syscall };
}
