import { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
} from '../index.ts';

export interface Slowness {
  pause: Pause;
  /** What each request takes, beside its bytes. */
  latencyMs: number;
  /** Of a line that all requests share; not limited when left out. */
  bytesPerSecond?: number;
  /** So many requests are worked on at once; others wait. Not limited when left out. */
  parallel?: number;
  /** With more than so many requests there at once, one more is refused. */
  refuseAbove?: number;
}

/** A store that takes its time, as a distant and busy one does: for tests. What it is may be changed at any time. */
export class SlowStore extends DecoratedStore {
  slowness: Slowness;
  /** How many requests are there now, were there at once at most, and were refused. */
  readonly seen = { now: 0, most: 0, refused: 0 };
  #worked = 0;
  readonly #waiting: (() => void)[] = [];
  #line: Promise<void> = Promise.resolve();

  constructor(inner: ObjectStore, slowness: Slowness) {
    super(inner);
    this.slowness = slowness;
  }

  override put(key: string, content: Content, options?: PutOptions): Promise<void> {
    const bytes = content instanceof Uint8Array ? content.byteLength : content.sizeBytes;
    return this.#take(bytes, () => super.put(key, content, options));
  }

  override get(key: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#take(range?.length ?? 0, () => super.get(key, range));
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    await this.#take(0, async () => {});
    yield* super.list(prefix);
  }

  override stat(key: string): Promise<StoredObject | undefined> {
    return this.#take(0, () => super.stat(key));
  }

  override delete(key: string): Promise<void> {
    return this.#take(0, () => super.delete(key));
  }

  async #take<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const { refuseAbove = Number.POSITIVE_INFINITY, parallel = Number.POSITIVE_INFINITY } = this.slowness;
    if (this.seen.now >= refuseAbove) {
      this.seen.refused++;
      await this.slowness.pause(1);
      throw new HoldfastError('store-unreachable', 'the store asks for fewer requests', { retryable: true });
    }
    this.seen.most = Math.max(this.seen.most, ++this.seen.now);
    try {
      if (this.#worked >= parallel) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      else this.#worked++;
      await this.slowness.pause(this.slowness.latencyMs);
      await this.#transfer(bytes);
      return await work();
    } finally {
      this.seen.now--;
      const next = this.#waiting.shift();
      if (next === undefined) this.#worked--;
      else next();
    }
  }

  /** Bytes go over the line one request after the other. */
  async #transfer(bytes: number): Promise<void> {
    const { bytesPerSecond, pause } = this.slowness;
    if (bytesPerSecond === undefined) return;
    this.#line = this.#line.then(() => pause((bytes / bytesPerSecond) * 1000));
    await this.#line;
  }
}
