import { setImmediate as nextTurn } from 'node:timers/promises';
import { awaitedLater } from '../../foundation/promises.ts';
import type { FileToRead, ReadFile } from '../snapshot-io.ts';
import { STATUS_WORDS, type StoredBatch } from './file-reader.ts';
import { idsIn } from './part-reader.ts';
import type { Pipeline } from './pipeline.ts';

/** So many files, or so many bytes, are worth a message. */
const BATCH_FILES = 64;
const BATCH_BYTES = 8 * 1024 * 1024;

interface Waiting extends FileToRead {
  resolve: (file: ReadFile | undefined) => void;
  reject: (error: unknown) => void;
}

/** Collects small files into batches for the workers. */
export class FileBatches {
  readonly #pipeline: Pipeline;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  /** See `SnapshotWriter.readFile`. */
  add(file: FileToRead): { stored: Promise<ReadFile | undefined>; room: Promise<void> | undefined } {
    const { promise, resolve, reject } = Promise.withResolvers<ReadFile | undefined>();
    this.#waiting.push({ ...file, resolve, reject });
    this.#waitingBytes += file.sizeBytes;
    // Nobody says that there are no more: what is waiting by the next turn goes as it is.
    if (this.#waiting.length === 1) setImmediate(() => void this.#send());
    const isFull = this.#waiting.length >= BATCH_FILES || this.#waitingBytes >= BATCH_BYTES;
    return { stored: awaitedLater(promise), room: isFull ? this.#makeRoom() : undefined };
  }

  async #makeRoom(): Promise<void> {
    await this.#send();
    // What the workers are done with is heard of, and what they do next handed out, between two turns.
    await nextTurn();
  }

  async #send(): Promise<void> {
    const files = this.#waiting;
    if (files.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    try {
      const { stored } = await this.#pipeline.submitBatch({
        paths: new Uint8Array(Buffer.concat(files.flatMap(({ path }) => [path, NUL]))),
        sizesBytes: Float64Array.from(files, ({ sizeBytes }) => sizeBytes),
        limitsBytes: Float64Array.from(files, ({ limitBytes }) => limitBytes),
      });
      stored.then(
        (batch) => settle(files, batch),
        (error: unknown) => rejectAll(files, error),
      );
    } catch (error) {
      rejectAll(files, error);
    }
  }
}

const NUL = Buffer.of(0);

function rejectAll(files: readonly Waiting[], error: unknown): void {
  for (const { reject } of files) reject(error);
}

function settle(files: readonly Waiting[], batch: StoredBatch): void {
  const { ids, blobCounts, sizesBytes, status, failures } = batch;
  const others = new Set(batch.others);
  const content = idsIn(ids);
  let blobs = 0;
  files.forEach(({ resolve, reject }, index) => {
    const own = content.slice(blobs, blobs + blobCounts[index]!);
    blobs += own.length;
    const failure = failures.get(index);
    if (failure !== undefined) {
      const { message, code, syscall } = failure;
      reject(Object.assign(new Error(message), { code, syscall }));
    } else if (others.has(index)) resolve(undefined);
    else resolve({ content: own, sizeBytes: sizesBytes[index]!, after: statusAt(status, index * STATUS_WORDS) });
  });
}

function statusAt(status: BigInt64Array, at: number): ReadFile['after'] {
  const [device, inode] = [status[at]!, status[at + 1]!];
  return { dev: unsigned(device), ino: unsigned(inode), size: status[at + 2]!, mtimeNs: status[at + 3]! };
}

function unsigned(word: bigint): bigint {
  return BigInt.asUintN(64, word);
}
