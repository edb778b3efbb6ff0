import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SealingKey } from '../../format/index.ts';
import { ERROR_EXITS, type ErrorCode, HoldfastError } from '../../foundation/errors.ts';
import type { Inspection } from '../check/inspect-pack.ts';
import type { RecodedBlob, RecodeTarget } from '../copy/recode.ts';
import type { Answer, Job, SealedBlob } from './worker.ts';

type Done = Exclude<Answer, { kind: 'failed' }>;
/** `Omit` over a union would forget which members belong together. */
type WithoutNumber<T> = T extends unknown ? Omit<T, 'number'> : never;

/** Threads that open sealed blobs. Started at the first job; `close` ends them. */
export class ReadPool implements AsyncDisposable {
  readonly threadCount = Math.max(1, Math.min(availableParallelism(), 8));
  readonly #key: SealingKey;
  readonly #threads: { worker: Worker; busy: number }[] = [];
  readonly #waiting = new Map<number, { resolve: (answer: Done) => void; reject: (error: unknown) => void }>();
  #jobs = 0;
  #failure: unknown;

  constructor(key: SealingKey) {
    this.#key = key;
  }

  /** Opens blobs and gives their plain bytes back. `sealed` is taken over. @throws repository-damaged */
  async open(pack: string, sealed: Uint8Array, blobs: SealedBlob[]): Promise<Uint8Array[]> {
    const answer = await this.#run({ kind: 'open', pack, sealed, blobs });
    return answer.kind === 'opened' ? answer.plains : [];
  }

  /** Opens blobs and writes them to their destinations. `sealed` is taken over. Returns how many bytes were written. */
  async write(pack: string, sealed: Uint8Array, blobs: SealedBlob[]): Promise<number> {
    const answer = await this.#run({ kind: 'write', pack, sealed, blobs });
    return answer.kind === 'written' ? answer.bytes : 0;
  }

  /** Opens blobs, checks them, and seals them for another repository. `sealed` is taken over. @throws repository-damaged */
  async recode(
    pack: string,
    sealed: Uint8Array,
    blobs: Extract<Job, { kind: 'recode' }>['blobs'],
    target: RecodeTarget,
  ): Promise<RecodedBlob[]> {
    const answer = await this.#run({ kind: 'recode', pack, sealed, blobs, target });
    return answer.kind === 'recoded' ? answer.blobs : [];
  }

  /** Looks at every byte of a pack. `sealed` is taken over. @throws internal */
  async inspect(pack: string, sealed: Uint8Array): Promise<Inspection> {
    const answer = await this.#run({ kind: 'inspect', pack, sealed });
    if (answer.kind === 'inspected') return answer.inspection;
    throw new HoldfastError('internal', `a thread answered with ${answer.kind} to what it was not asked`);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #run(job: WithoutNumber<Job>): Promise<Done> {
    if (this.#failure !== undefined) throw this.#failure;
    const thread = this.#idlest();
    const number = this.#jobs++;
    thread.busy++;
    const { promise, resolve, reject } = Promise.withResolvers<Done>();
    this.#waiting.set(number, { resolve, reject });
    const { buffer } = job.sealed;
    const owned = job.sealed.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
    thread.worker.postMessage({ ...job, number }, owned ? [buffer] : []);
    return promise.finally(() => {
      thread.busy--;
    });
  }

  #idlest(): { worker: Worker; busy: number } {
    if (this.#threads.length < this.threadCount) this.#threads.push({ worker: this.#startThread(), busy: 0 });
    return this.#threads.reduce((least, thread) => (thread.busy < least.busy ? thread : least));
  }

  #startThread(): Worker {
    const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: this.#key,
    });
    worker.on('message', (answer: Answer) => this.#receive(answer));
    worker.on('error', (error) => this.#fail(error));
    return worker;
  }

  #receive(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if (answer.kind === 'failed') waiting?.reject(errorOf(answer));
    else waiting?.resolve(answer);
  }

  #fail(error: unknown): void {
    this.#failure = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function errorOf({ code, message, system, blob }: Extract<Answer, { kind: 'failed' }>): HoldfastError {
  const context = { ...(blob !== undefined && { blob }) };
  if (code !== undefined && code in ERROR_EXITS) return new HoldfastError(code as ErrorCode, message, { context });
  if (system === 'ENOSPC' || system === 'EDQUOT') {
    return new HoldfastError('disk-full', 'cannot write a restored file: no space is left', {
      hint: 'Free some space on the disk of the target, or restore to another one.',
    });
  }
  return new HoldfastError('target-failed', `cannot write a restored file: ${message}`, { context });
}
