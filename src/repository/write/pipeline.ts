import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobType, SealingKey } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { Spare } from '../../foundation/spare.ts';
import { runOnThread, startThreadsAhead, type ThreadWork } from '../../foundation/threads.ts';
import type { BlobTable } from '../blob-table.ts';
import { ClaimTable } from './claim-table.ts';
import type { FileBatch, StoredBatch } from './file-batch.ts';
import type { FinishedPack } from './pack-file.ts';
import type { FilePart, StoredPart } from './part-reader.ts';
import { Sealer } from './sealer.ts';
import { type Slab, Slabs } from './slabs.ts';
import { StagingLimit } from './staging-limit.ts';
import { TICKETS, Tickets } from './tickets.ts';
import type { WorkerInput, WorkerMessage } from './worker.ts';

export interface PipelineOptions {
  key: SealingKey;
  table: BlobTable;
  formatVersion: 1 | 2;
  /** Where packs are written before they are put: the store's staging directory, or any. */
  stagingDirectory: string | undefined;
  packSizeBytes: number;
  /** See `SealerOptions`. */
  wantsMd5: boolean;
  /** The chunker's table. */
  gear: Int32Array;
  /** Puts a finished pack into the store. It may be called for several at once. */
  commit: (pack: FinishedPack) => Promise<void>;
}

export interface PipelineStatistics {
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of new blobs, and what they take in their packs. */
  addedBytes: number;
  addedPackedBytes: number;
}

interface Waiting {
  slab: Slab;
  lengthBytes: number;
  type: BlobType;
  resolve: (id: string) => void;
  reject: (error: unknown) => void;
}

interface WorkerThread {
  work: ThreadWork;
  /** How much it has to do, in parts of files. */
  load: number;
}

/** A part or a batch of files that is not done. */
interface Pending {
  resolve: (stored: StoredPart | StoredBatch) => void;
  reject: (error: unknown) => void;
}

/** Memory that all threads of a pipeline share. */
interface PipelineMemory {
  slabs: WebAssembly.Memory;
  claims: ClaimTable;
}

/** A gigabyte of addresses is reserved for it, which the engine's collector takes for a reason to work. */
const spareMemory = new Spare<PipelineMemory>();

/** To start a worker takes longer than to store so much. */
const MOST_BYTES_HERE = 256 * 1024;

/** One part that it reads, and one that it goes on with at once. */
const MOST_LOAD = 2;
/** A batch of files is done sooner than a part, and the next one should be there by then. */
const LOAD_OF_BATCH = 1 / 4;
/** So many are open at most besides: the main thread goes on with other files meanwhile. */
const MOST_WAITING_PARTS = 64;
/** What waits for its files to be read takes memory: no batch is added while so much waits before it. */
const MOST_WAITING_BEFORE_BATCH = 16;

/**
 * The writing pipeline. The main thread fills slabs of shared memory and cuts them into chunks; the workers hash, look up,
 * compress, seal, and append to packs of their own; the main thread puts finished packs into the store. Large files go to
 * the workers in parts, which they read and cut themselves.
 *
 * A failure anywhere fails everything that waits, and every later call.
 */
export class Pipeline {
  readonly slabs: Slabs;
  readonly statistics: PipelineStatistics = { dataBlobs: 0, treeBlobs: 0, addedBytes: 0, addedPackedBytes: 0 };
  readonly #options: PipelineOptions;
  readonly #stagingDirectory: string;
  readonly #stagingPrefix = `${process.pid}-${randomBytes(6).toString('hex')}-`;
  readonly #tickets = new Tickets();
  readonly #claims: ClaimTable;
  readonly #staged: StagingLimit;
  readonly #waiting = new Map<number, Waiting>();
  readonly #commits = new Set<Promise<void>>();
  /** None until there is enough to do. */
  readonly #workers: WorkerThread[] = [];
  /** Parts and batches of files that nobody has begun, and all that are not done. */
  readonly #waitingParts: (FilePart | FileBatch)[] = [];
  readonly #parts = new Map<number, Pending>();
  /** For the first few blobs, and for those too large for a slab, which are trees of huge directories. */
  readonly #ownSealer: Sealer;
  #bytesHere = 0;
  #issued = 0;
  #collected = 0;
  #failure: { error: unknown } | undefined;
  #closing = false;
  #placeFreed = Promise.withResolvers<void>();
  #partTaken = Promise.withResolvers<void>();
  #partsBegun = 0;

  private constructor(options: PipelineOptions, stagingDirectory: string) {
    this.#options = options;
    this.#stagingDirectory = stagingDirectory;
    const spare = spareMemory.take();
    this.slabs = new Slabs(spare?.slabs);
    this.#claims = spare?.claims ?? ClaimTable.create();
    const { key, table, formatVersion, packSizeBytes, wantsMd5 } = options;
    const stagingPrefix = this.#stagingPrefix;
    this.#staged = new StagingLimit(packSizeBytes);
    this.#ownSealer = new Sealer({
      key,
      table,
      claims: this.#claims,
      formatVersion,
      stagingDirectory,
      stagingPrefix,
      packSizeBytes,
      wantsMd5,
      onPack: (pack) => {
        this.#staged.add(pack.sizeBytes);
        this.#commit(pack);
      },
    });
  }

  static async start(options: PipelineOptions): Promise<Pipeline> {
    const directory = options.stagingDirectory ?? join(tmpdir(), `holdfast-packs-${process.getuid?.() ?? 0}`);
    try {
      await makeDirectories(directory, 0o700);
    } catch (error) {
      throw stagingError(directory, messageOf(error), systemCode(error));
    }
    const pipeline = new Pipeline(options, directory);
    pipeline.#collectForever().catch((error: unknown) => pipeline.#fail(error));
    return pipeline;
  }

  /**
   * Hands a chunk of a slab to the workers, and resolves to the blob's id (hex) once it is known to be held by the
   * repository or by a pack that is being written. The slab is kept until then. The first few are stored by this thread:
   * where there are no more, no worker is started.
   */
  async submit(slab: Slab, start: number, lengthBytes: number, type: BlobType): Promise<{ id: Promise<string> }> {
    while (this.#issued - this.#collected >= TICKETS) {
      this.#throwIfFailed();
      await this.#placeFreed.promise;
    }
    this.#throwIfFailed();
    if (this.#workers.length === 0 && this.#bytesHere + lengthBytes <= MOST_BYTES_HERE) {
      this.#bytesHere += lengthBytes;
      return { id: Promise.resolve(this.storeHere(slab.bytes.subarray(start, start + lengthBytes), type)) };
    }
    this.#startWorkers();
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    slab.retain();
    const number = this.#issued++;
    this.#waiting.set(number, { slab, lengthBytes, type, resolve, reject });
    this.#tickets.issue(number, slab.offset + start, lengthBytes, type === 'tree' ? 1 : 0);
    return { id: awaitedLater(promise) };
  }

  /**
   * Hands a part of an open file to the workers; resolves when not too many wait before it. The descriptor must stay open
   * until `stored` has settled. `stored` rejects with the system's error when the file cannot be read.
   */
  submitPart(part: Omit<FilePart, 'number'>): Promise<{ stored: Promise<StoredPart> }> {
    return this.#submitToRead<StoredPart>(MOST_WAITING_PARTS, (number) => ({ ...part, number }));
  }

  /** The same of small files, which the workers open. That one cannot be read is a result, not a failure. */
  submitBatch(batch: Omit<FileBatch, 'number'>): Promise<{ stored: Promise<StoredBatch> }> {
    return this.#submitToRead<StoredBatch>(MOST_WAITING_BEFORE_BATCH, (number) => ({ ...batch, number }));
  }

  async #submitToRead<Stored extends StoredPart | StoredBatch>(
    mostWaiting: number,
    numbered: (number: number) => FilePart | FileBatch,
  ): Promise<{ stored: Promise<Stored> }> {
    while (this.#waitingParts.length >= mostWaiting && this.#failure === undefined) await this.#partTaken.promise;
    this.#throwIfFailed();
    this.#startWorkers();
    const { promise, resolve, reject } = Promise.withResolvers<Stored>();
    const number = this.#partsBegun++;
    this.#parts.set(number, { resolve: resolve as Pending['resolve'], reject });
    this.#waitingParts.push(numbered(number));
    this.#handOutParts();
    return { stored: awaitedLater(promise) };
  }

  /** Stores a blob of any size on this thread. */
  storeHere(plain: Uint8Array, type: BlobType): string {
    this.#throwIfFailed();
    const { id, fresh, storedBytes } = this.#here(() => this.#ownSealer.store(type, plain));
    if (fresh) this.#count(type, plain.byteLength, storedBytes);
    return id.toString('hex');
  }

  /** Waits until every blob is in a pack, which is being put into the store then. Nothing can be submitted after it. */
  async pack(): Promise<void> {
    this.#throwIfFailed();
    this.#here(() => this.#ownSealer.finish());
    this.#closing = true;
    this.#tickets.close();
    await Promise.all(this.#workers.map(({ work }) => work.ended));
    this.#throwIfFailed();
  }

  /** After `pack`: waits until every pack is in the store. The pipeline has ended then. */
  async finish(): Promise<void> {
    while (this.#commits.size > 0) await Promise.all(this.#commits);
    this.#throwIfFailed();
    if (this.#claims.clear()) spareMemory.keep({ slabs: this.slabs.memory, claims: this.#claims });
  }

  /** Ends the pipeline at once and removes what it staged. Packs that are in the store stay: nothing refers to them. */
  async abort(reason: unknown): Promise<void> {
    this.#fail(reason);
    // They are not killed: a thread that is killed while it loads a native library takes the process with it.
    await Promise.all(this.#workers.map(({ work }) => work.ended));
    await Promise.allSettled(this.#commits);
    this.#ownSealer.discard();
    for (const name of await this.#stagedFiles()) await rm(join(this.#stagingDirectory, name), { force: true });
  }

  async #stagedFiles(): Promise<string[]> {
    try {
      return (await readdir(this.#stagingDirectory)).filter((name) => name.startsWith(this.#stagingPrefix));
    } catch (error) {
      // Gone with all that was in it; that the repository went away is what the run ends with, not this.
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  #startWorkers(): void {
    if (this.#workers.length > 0) return;
    for (let index = 0; index < threadCount(); index++) this.#startWorker();
  }

  #startWorker(): void {
    const { key, table, formatVersion, packSizeBytes, wantsMd5 } = this.#options;
    const input: WorkerInput = {
      worker: this.#workers.length,
      gear: this.#options.gear,
      key,
      slabs: this.slabs.memory.buffer,
      tickets: this.#tickets.shared,
      table: table.shared,
      claims: this.#claims.shared,
      formatVersion,
      stagingDirectory: this.#stagingDirectory,
      stagingPrefix: this.#stagingPrefix,
      packSizeBytes,
      wantsMd5,
      staged: this.#staged.shared,
    };
    const work = runOnThread(import.meta.url, 'worker', input, {
      onMessage: (message: WorkerMessage) => this.#receive(worker, message),
      onError: (error) => this.#fail(error),
    });
    const worker: WorkerThread = { work, load: 0 };
    this.#workers.push(worker);
  }

  #receive(worker: WorkerThread, message: WorkerMessage): void {
    if (message.kind === 'pack') this.#commit(message.pack);
    else if (message.kind === 'part') this.#receivePart(worker, message.part);
    else if (message.kind === 'batch')
      this.#receiveStored(worker, LOAD_OF_BATCH, message.batch)?.resolve(message.batch);
    else if (message.kind === 'failed') {
      this.#fail(stagingError(this.#stagingDirectory, message.message, message.code));
    }
  }

  #handOutParts(): void {
    while (this.#waitingParts.length > 0) {
      const worker = this.#workers.reduce((least, other) => (other.load < least.load ? other : least));
      if (worker.load >= MOST_LOAD) return;
      const next = this.#waitingParts.shift()!;
      worker.load += 'paths' in next ? LOAD_OF_BATCH : 1;
      worker.work.post(next);
      this.#tickets.announcePart(this.#workers.indexOf(worker));
      this.#wakeForParts();
    }
  }

  #receivePart(worker: WorkerThread, part: StoredPart): void {
    const pending = this.#receiveStored(worker, 1, part);
    if (part.failure === undefined) pending?.resolve(part);
    else pending?.reject(Object.assign(new Error(part.failure.message), { code: part.failure.code, syscall: 'read' }));
  }

  /** @returns who waits for it, if somebody still does */
  #receiveStored(
    worker: WorkerThread,
    load: number,
    { number, fresh }: Pick<StoredPart, 'number' | 'fresh'>,
  ): Pending | undefined {
    const pending = this.#parts.get(number);
    if (pending === undefined) return undefined;
    this.#parts.delete(number);
    worker.load -= load;
    this.#handOutParts();
    this.statistics.dataBlobs += fresh.blobs;
    this.statistics.addedBytes += fresh.bytes;
    this.statistics.addedPackedBytes += fresh.storedBytes;
    return pending;
  }

  #wakeForParts(): void {
    this.#partTaken.resolve();
    this.#partTaken = Promise.withResolvers<void>();
  }

  /** Runs what writes packs on this thread, with the same errors as a worker's. */
  #here<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw stagingError(this.#stagingDirectory, messageOf(error), systemCode(error));
    }
  }

  #commit(pack: FinishedPack): void {
    const commit = this.#options
      .commit(pack)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#commits.delete(commit);
        this.#staged.remove(pack.sizeBytes);
      });
    this.#commits.add(commit);
  }

  async #collectForever(): Promise<void> {
    while (this.#failure === undefined) {
      const done = this.#tickets.doneCount;
      this.#collect();
      if (this.#closing && this.#waiting.size === 0) return;
      // Half of what is on its way: the other half keeps the workers busy until then.
      await this.#tickets.whenDone(done + Math.max(1, (this.#issued - done) >> 1));
    }
  }

  #collect(): void {
    const before = this.#collected;
    for (; this.#collected < this.#issued; this.#collected++) {
      const result = this.#tickets.result(this.#collected);
      if (result === undefined) break;
      const waiting = this.#waiting.get(this.#collected)!;
      this.#waiting.delete(this.#collected);
      waiting.slab.release();
      if (result.fresh) this.#count(waiting.type, waiting.lengthBytes, result.storedBytes);
      waiting.resolve(result.id.toString('hex'));
    }
    if (this.#collected > before) this.#wakeSubmitters();
  }

  #wakeSubmitters(): void {
    this.#placeFreed.resolve();
    this.#placeFreed = Promise.withResolvers<void>();
  }

  #count(type: BlobType, plainBytes: number, storedBytes: number): void {
    this.statistics[type === 'tree' ? 'treeBlobs' : 'dataBlobs']++;
    this.statistics.addedBytes += plainBytes;
    this.statistics.addedPackedBytes += storedBytes;
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    for (const part of this.#parts.values()) part.reject(error);
    this.#parts.clear();
    this.slabs.fail(error);
    this.#tickets.giveUp();
    this.#staged.lift();
    this.#wakeSubmitters();
    this.#wakeForParts();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

function threadCount(): number {
  return Math.max(1, Math.min(availableParallelism(), 8));
}

/** Starts threads of a pipeline that is to come, while another thread derives the repository's key. */
export function startWorkersAhead(): void {
  startThreadsAhead(import.meta.url, 'worker', threadCount());
}

function stagingError(directory: string, message: string, code: string | undefined): HoldfastError {
  const context = { directory };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('disk-full', `cannot write a pack in ${directory}: no space is left`, {
      hint: 'Free some space on the disk of the repository, then run the same command again.',
      context,
    });
  }
  return new HoldfastError('store-failed', `cannot write a pack in ${directory}: ${message}`, { context });
}
