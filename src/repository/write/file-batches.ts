import { setImmediate as nextTurn } from 'node:timers/promises';
import { bytesOf } from '../../format/index.ts';
import type { ExtendedAttribute } from '../../foundation/extended-attributes.ts';
import { STATUS_WORDS, statusAt } from '../../foundation/file-status.ts';
import type { DirectoryOfFiles, FileOutcome, FilesOfDirectory } from '../snapshot-io.ts';
import { OUTCOMES, type StoredBatch } from './file-batch.ts';
import { idsIn } from './part-reader.ts';
import type { Pipeline } from './pipeline.ts';

/** So many files are worth a message. */
const BATCH_FILES = 64;

interface Waiting {
  path: Uint8Array;
  onDone: (outcome: FileOutcome) => void;
}

/** Collects small files into batches for the workers. */
export class FileBatches {
  readonly #pipeline: Pipeline;
  #waiting: Waiting[] = [];

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
  }

  /** See `SnapshotWriter.readFile`. */
  add(path: Uint8Array, onDone: (outcome: FileOutcome) => void): Promise<void> | undefined {
    this.#add([{ path, onDone }]);
    return this.#waiting.length >= BATCH_FILES ? this.#makeRoom() : undefined;
  }

  /** See `SnapshotWriter.readFilesOf`. */
  async addDirectory({ path, names, tree }: DirectoryOfFiles, { onSame, onDone }: FilesOfDirectory): Promise<void> {
    const paths = bytesOf(names.map((name) => `${path}/${name}\0`).join(''));
    const files = () =>
      names.map((name) => ({
        path: bytesOf(`${path}/${name}`),
        onDone: (outcome: FileOutcome) => onDone(name, outcome),
      }));
    await this.#submit({ count: names.length, paths, tree }, files, onSame);
    await nextTurn();
  }

  #add(files: Waiting[]): void {
    // Nobody says that there are no more: what is waiting by the next turn goes as it is.
    if (this.#waiting.length === 0) setImmediate(() => void this.#send());
    this.#waiting.push(...files);
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
    const paths = Buffer.concat(files.flatMap(({ path }) => [path, NUL]));
    await this.#submit({ count: files.length, paths }, () => files);
  }

  async #submit(
    { count, paths, tree }: { count: number; paths: Buffer; tree?: string },
    files: () => Waiting[],
    onSame?: (sizeBytes: number) => void,
  ): Promise<void> {
    try {
      const batch = { count, paths: new Uint8Array(paths), ...(tree !== undefined && { tree }) };
      const { stored } = await this.#pipeline.submitBatch(batch);
      stored.then(
        (done) => {
          if (done.isSameTree) return onSame?.(done.sizesBytes.reduce((sum, sizeBytes) => sum + sizeBytes, 0));
          const told = files();
          tell(told, done);
          if (done.count < count) this.#add(told.slice(done.count));
        },
        (error: Error) => tellAll(files(), error),
      );
    } catch (error) {
      tellAll(files(), error as Error);
    }
  }
}

const NUL = Buffer.of(0);

function tellAll(files: readonly Waiting[], error: Error): void {
  for (const { onDone } of files) onDone({ kind: 'failed', error });
}

function tell(files: readonly Waiting[], batch: StoredBatch): void {
  const content = idsIn(batch.ids);
  let blobs = 0;
  for (let index = 0; index < batch.count; index++) {
    const own = content.slice(blobs, blobs + batch.blobCounts[index]!);
    blobs += own.length;
    files[index]!.onDone(outcomeOf(batch, index, own));
  }
}

function outcomeOf(batch: StoredBatch, index: number, content: string[]): FileOutcome {
  const kind = OUTCOMES[batch.outcomes[index]!]!;
  if (kind === 'failed') return { kind, error: errorOf(batch.failures.get(index)!) };
  if (kind === 'large' || kind === 'other') return { kind };
  const sizeBytes = batch.sizesBytes[index]!;
  const status = statusAt(batch.status, index * STATUS_WORDS);
  const attributes = attributesOf(batch.attributes.get(index));
  return { kind: 'read', file: { content, sizeBytes, status, attributes, hasChanged: kind === 'changed' } };
}

const NO_ATTRIBUTES: readonly never[] = [];

function attributesOf(said: ReturnType<StoredBatch['attributes']['get']>): readonly ExtendedAttribute[] | Error {
  if (said === undefined) return NO_ATTRIBUTES;
  if ('code' in said) return errorOf(said);
  // A Buffer comes out of a message as its bytes.
  return said.map(({ name, value }) => ({ name: Buffer.from(name), value: Buffer.from(value) }));
}

function errorOf({ message, code, syscall }: { message: string; code: string | undefined; syscall: string }): Error {
  return Object.assign(new Error(message), { code, syscall });
}
