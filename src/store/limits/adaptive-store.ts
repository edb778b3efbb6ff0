import type { Clock } from '../../foundation/clock.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  lockThrough,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type RecallRequest,
  type StoredObject,
  type StoreMethod,
  type Use,
} from '../index.ts';
import { RequestWindow } from './request-window.ts';

/**
 * Lets as many requests be under way at once as the store bears: see `RequestWindow`. The others wait their turn. It stands
 * next to the store, below whatever tries again, so that it hears of each refusal.
 *
 * Listings are not counted: a page is asked for when the caller has done something with the last one, which may take long
 * and be a request itself.
 */
export class AdaptiveStore extends DecoratedStore {
  readonly #window = new RequestWindow();
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(inner: ObjectStore, clock: Clock) {
    super(inner);
    this.#clock = clock;
  }

  /** How many requests may be under way at once, as it is now. */
  get limit(): number {
    return this.#window.size;
  }

  override put(key: string, content: Content, options?: PutOptions): Promise<void> {
    const bytes = content instanceof Uint8Array ? content.byteLength : content.sizeBytes;
    return this.#run('put', bytes, () => super.put(key, content, options));
  }

  override get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    return this.#run('get', range?.length, () => super.get(key, range, use));
  }

  override stat(key: string): Promise<StoredObject | undefined> {
    return this.#run('stat', 0, () => super.stat(key));
  }

  override delete(key: string): Promise<void> {
    return this.#run('delete', 0, () => super.delete(key));
  }

  override recall(key: string, request: RecallRequest): Promise<void> {
    return this.#run('recall', 0, () => super.recall(key, request));
  }

  override get lock(): ObjectLock | undefined {
    const { lock } = this.inner;
    const request = <T>(method: StoreMethod, work: () => Promise<T>) =>
      this.#run(method, method === 'get' ? undefined : 0, work);
    return lock && lockThrough(lock, { request, listing: (begin) => begin() });
  }

  async #run<T>(method: string, bytes: number | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#isFull) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#underWay++;
    const beganFull = this.#isFull;
    const beganMs = this.#clock.monotonicMs();
    try {
      const result = await work();
      const sizeBytes = bytes ?? (result instanceof Uint8Array ? result.byteLength : 0);
      const wasFull = beganFull || this.#isFull;
      this.#window.succeeded(`${method} ${sizeClass(sizeBytes)}`, { beganMs, endedMs: this.#now(), wasFull });
      return result;
    } catch (error) {
      if (isHoldfastError(error) && error.retryable) this.#window.refused({ beganMs, endedMs: this.#now() });
      throw error;
    } finally {
      this.#underWay--;
      this.#admit();
    }
  }

  get #isFull(): boolean {
    return this.#underWay >= this.limit;
  }

  #now(): number {
    return this.#clock.monotonicMs();
  }

  #admit(): void {
    while (!this.#isFull) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#underWay++;
      next();
    }
  }
}

/** Sizes within a factor of two take alike long; below 64 KiB the size does not matter. */
function sizeClass(bytes: number): number {
  return Math.ceil(Math.log2(Math.max(bytes, 64 * 1024)));
}
