import type { Clock } from '../../foundation/clock.ts';
import { type Content, DecoratedStore, type ObjectStore, type PutOptions, type StoredObject } from '../index.ts';

interface Change {
  atMs: number;
  key: string;
  /** Undefined for a deletion. */
  object: StoredObject | undefined;
}

/**
 * A store whose listings lag behind: each shows what was there some time ago, put and deleted in that order. What is got or
 * looked up is of now. For tests: listings of what was put here only.
 */
export class EventualStore extends DecoratedStore {
  /** May be changed at any time. */
  lagMs: number;
  readonly #clock: Clock;
  readonly #history: Change[] = [];

  constructor(inner: ObjectStore, { lagMs, clock }: { lagMs: number; clock: Clock }) {
    super(inner);
    this.lagMs = lagMs;
    this.#clock = clock;
  }

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    await super.put(key, content, options);
    await this.#remember(key);
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    await this.#remember(key);
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    const shown = new Map<string, StoredObject>();
    for (const { atMs, key, object } of this.#history) {
      if (atMs > this.#clock.monotonicMs() - this.lagMs) break;
      if (object === undefined) shown.delete(key);
      else if (key.startsWith(prefix)) shown.set(key, object);
    }
    yield* shown.values();
  }

  async #remember(key: string): Promise<void> {
    this.#history.push({ atMs: this.#clock.monotonicMs(), key, object: await this.inner.stat(key) });
  }
}
