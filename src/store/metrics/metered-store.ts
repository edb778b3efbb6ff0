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
  type StoreMetrics,
  type Use,
} from '../index.ts';

/** As many objects are listed by one request, by S3 and by what speaks it. */
const LISTED_PER_REQUEST = 1000;

/** Counts what is asked of a store, and how long it takes. It stands next to the store: each retry is a request. */
export class MeteredStore extends DecoratedStore {
  readonly #metrics: StoreMetrics;
  readonly #clock: Clock;

  constructor(inner: ObjectStore, metrics: StoreMetrics, clock: Clock) {
    super(inner);
    this.#metrics = metrics;
    this.#clock = clock;
  }

  override put(key: string, content: Content, options?: PutOptions): Promise<void> {
    const bytes = content instanceof Uint8Array ? content.byteLength : content.sizeBytes;
    return this.#measure('put', () => super.put(key, content, options), bytes);
  }

  override get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    return this.#measure('get', () => super.get(key, range, use));
  }

  override list(prefix: string): AsyncIterable<StoredObject> {
    return this.#measureListing(super.list(prefix));
  }

  async *#measureListing<T>(listing: AsyncIterable<T>): AsyncIterable<T> {
    const objects = listing[Symbol.asyncIterator]();
    let listed = 0;
    let tookMs = 0;
    let failed = true;
    try {
      for (;;) {
        // What the caller does with an object meanwhile is none of the store's time.
        const beganMs = this.#clock.monotonicMs();
        const { done, value } = await objects.next().finally(() => {
          tookMs += this.#clock.monotonicMs() - beganMs;
        });
        if (done) break;
        listed++;
        yield value;
      }
      failed = false;
    } finally {
      const calls = Math.max(1, Math.ceil(listed / LISTED_PER_REQUEST));
      this.#metrics.record('list', { calls, bytes: 0, tookMs, failed });
      await objects.return?.();
    }
  }

  override stat(key: string): Promise<StoredObject | undefined> {
    return this.#measure('stat', () => super.stat(key));
  }

  override delete(key: string): Promise<void> {
    return this.#measure('delete', () => super.delete(key));
  }

  /** Priced as a write; what a class takes for the recall itself is no request. */
  override recall(key: string, request: RecallRequest): Promise<void> {
    return this.#measure('put', () => super.recall(key, request));
  }

  /** Priced as a write, which it is. */
  override makePlace(options?: { lock?: boolean }): Promise<void> {
    return this.#measure('put', () => super.makePlace(options));
  }

  override get lock(): ObjectLock | undefined {
    const { lock } = this.inner;
    const request = <T>(method: StoreMethod, work: () => Promise<T>) => this.#measure(method, work);
    return lock && lockThrough(lock, { request, listing: (begin) => this.#measureListing(begin()) });
  }

  async #measure<T>(method: StoreMethod, work: () => Promise<T>, sentBytes = 0): Promise<T> {
    const beganMs = this.#clock.monotonicMs();
    let bytes = 0;
    let failed = true;
    try {
      const result = await work();
      bytes = result instanceof Uint8Array ? result.byteLength : sentBytes;
      failed = false;
      return result;
    } catch (error) {
      failed = !isHoldfastError(error, 'object-missing') && !isHoldfastError(error, 'object-exists');
      throw error;
    } finally {
      this.#metrics.record(method, { calls: 1, bytes, tookMs: this.#clock.monotonicMs() - beganMs, failed });
    }
  }
}
