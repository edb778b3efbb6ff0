import { availableParallelism } from 'node:os';
import type { IndexColumns, SealingKey } from '../../format/index.ts';
import { ERROR_EXITS, type ErrorCode, HoldfastError } from '../../foundation/errors.ts';
import { runOnThread, type ThreadWork } from '../../foundation/threads.ts';
import type { SharedBlobEntries } from '../blob-table.ts';
import type { Inspection } from '../check/inspect-pack.ts';
import type { RecodedBlob, RecodeTarget } from '../copy/recode.ts';
import type { PlacesOfFile } from '../extract/right-places.ts';
import type { DigestAlgorithm, Done, Failed, Job } from './worker.ts';

type DoneAs<Kind extends Done['kind']> = Extract<Done, { kind: Kind }>;

interface Thread {
  work: ThreadWork;
  busy: number;
}

/** How many threads work at the same time. */
export function threadCount(): number {
  return Math.max(1, Math.min(availableParallelism(), 8));
}

/** Threads that open sealed blobs. Taken at the first job; `close` gives them back. */
export class ReadPool implements AsyncDisposable {
  readonly threadCount: number;
  readonly #key: SealingKey;
  readonly #threads: Thread[] = [];
  readonly #waiting = new Map<number, { resolve: (answer: Done) => void; reject: (error: unknown) => void }>();
  #jobs = 0;
  #failure: unknown;

  constructor(key: SealingKey, threads = threadCount()) {
    this.#key = key;
    this.threadCount = threads;
  }

  /** Whether every thread that there may be has something to do. */
  get isBusy(): boolean {
    return this.#threads.length >= this.threadCount && this.#threads.every(({ busy }) => busy > 0);
  }

  /** Starts the threads ahead of their first job: that takes a while, in which something else may be waited for. */
  start(count = this.threadCount): void {
    while (this.#threads.length < count) this.#startThread();
  }

  /** Opens a blob and gives its plain bytes back. `sealed` is taken over. @throws repository-damaged */
  async open(
    pack: string,
    sealed: Uint8Array,
    blob: { id: string; uncompressedLength: number | undefined },
  ): Promise<Uint8Array> {
    return expected('opened', await this.run({ kind: 'open', pack, sealed, blob })).plain;
  }

  /** Opens blobs, checks them, and seals them for another repository. `sealed` is taken over. @throws repository-damaged */
  async recode(
    pack: string,
    sealed: Uint8Array,
    blobs: Extract<Job, { kind: 'recode' }>['blobs'],
    target: RecodeTarget,
  ): Promise<RecodedBlob[]> {
    return expected('recoded', await this.run({ kind: 'recode', pack, sealed, blobs, target })).blobs;
  }

  /** The digest of bytes, which are shared memory or copied, in hex. */
  async digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Promise<string> {
    return expected('digested', await this.run({ kind: 'digest', bytes, algorithm })).digest;
  }

  /** See the function of this name. @throws target-failed */
  async findRightPlaces(files: readonly PlacesOfFile[]): Promise<Uint8Array[]> {
    return expected('compared', await this.run({ kind: 'compare', files })).right;
  }

  /** Looks at every byte of a pack. `sealed` is taken over. @throws internal */
  async inspect(pack: string, sealed: Uint8Array, { wantsBlobs = false } = {}): Promise<Inspection> {
    return expected('inspected', await this.run({ kind: 'inspect', pack, sealed, wantsBlobs })).inspection;
  }

  /** Opens an index file and puts down what it lists: see `IndexScanner`. `sealed` is taken over. */
  async placeIndexFile(
    name: string,
    sealed: Uint8Array,
    entries: SharedBlobEntries,
  ): Promise<IndexColumns['packs'] | undefined> {
    return expected('placed', await this.run({ kind: 'place', name, sealed, entries })).placed;
  }

  /** Has a job done by the thread with the least to do. What is `sealed` in it is taken over. */
  async run(job: Job): Promise<Done> {
    return this.#runOn(this.#idlest(), job);
  }

  /**
   * Has a job done by every thread there is, and starts as many as are missing of `atLeast`.
   * @throws the first failure, when all have ended
   */
  async runOnAll(job: Job, atLeast = 0): Promise<Done[]> {
    this.start(atLeast);
    const results = await Promise.allSettled(this.#threads.map((thread) => this.#runOn(thread, job)));
    return results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  /**
   * Lets the threads go when they have done what they were given. They are asked, not killed: a thread that is killed while
   * it loads a native library takes the process with it.
   */
  async close(): Promise<void> {
    const threads = this.#threads.splice(0);
    for (const { work } of threads) work.post('end');
    await Promise.all(threads.map(({ work }) => work.ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #runOn(thread: Thread, job: Job): Promise<Done> {
    if (this.#failure !== undefined) throw this.#failure;
    const number = this.#jobs++;
    thread.busy++;
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    this.#waiting.set(number, { resolve, reject });
    thread.work.post({ number, job }, 'sealed' in job ? ownedBuffer(job.sealed) : []);
    return promise.finally(() => {
      thread.busy--;
    });
  }

  #idlest(): Thread {
    if (this.#threads.length < this.threadCount) return this.#startThread();
    return this.#threads.reduce((least, thread) => (thread.busy < least.busy ? thread : least));
  }

  #startThread(): Thread {
    const work = runOnThread(import.meta.url, 'worker', this.#key, {
      onMessage: ({ number, answer }: { number: number; answer: Done | Failed }) => this.#receive(number, answer),
      onError: (error) => this.#fail(error),
    });
    const thread = { work, busy: 0 };
    this.#threads.push(thread);
    return thread;
  }

  #receive(number: number, answer: Done | Failed): void {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (answer.kind === 'failed') waiting?.reject(errorOf(answer));
    else waiting?.resolve(answer);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function expected<Kind extends Done['kind']>(kind: Kind, answer: Done): DoneAs<Kind> {
  if (answer.kind === kind) return answer as DoneAs<Kind>;
  throw new HoldfastError('internal', `a thread answered with ${answer.kind} to what it was not asked`);
}

/** The memory of bytes that may be handed over: small ones share theirs with others. */
function ownedBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? [buffer] : [];
}

function errorOf({ code, message, system, blob }: Failed): HoldfastError {
  const context = { ...(blob !== undefined && { blob }) };
  if (code !== undefined && code in ERROR_EXITS) return new HoldfastError(code as ErrorCode, message, { context });
  if (system === 'ENOSPC' || system === 'EDQUOT') {
    return new HoldfastError('disk-full', 'cannot restore a file: no space is left', {
      hint: 'Free some space on the disk of the target, or restore to another one.',
    });
  }
  return new HoldfastError('target-failed', `cannot restore a file: ${message}`, { context });
}
