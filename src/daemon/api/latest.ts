import type { Clock } from '../../foundation/clock.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';

export interface Gathered<T> {
  value: T;
  /** Milliseconds since 1970. */
  atMs: number;
}

export interface LatestOptions {
  clock: Clock;
  /** What is no older is not gathered again. */
  freshMs: number;
  /** At most this share of the time goes into gathering. */
  share: number;
  /** Who asks waits no longer than this, however long a store takes to answer. */
  waitMs: number;
}

/**
 * Something that costs to be gathered, and is asked for at any time by anybody: gathered once for all who ask meanwhile, no
 * more often than it is worth, and kept where it fails.
 */
export class Latest<T> {
  readonly #gather: () => Promise<T>;
  readonly #options: LatestOptions;
  #gathered: Gathered<T> | undefined;
  #error: unknown;
  #nextMs = Number.NEGATIVE_INFINITY;
  #gathering: Promise<void> | undefined;

  constructor(gather: () => Promise<T>, options: LatestOptions) {
    this.#gather = gather;
    this.#options = options;
  }

  /**
   * The newest that there is, and what the last attempt failed with, if it did; neither, before the first has ended.
   * `isLate`: an attempt is under way that has not ended in time, so that nobody knows whether the newest still holds.
   */
  async get(): Promise<{ gathered: Gathered<T> | undefined; error: unknown; isLate: boolean }> {
    if (this.#options.clock.monotonicMs() >= this.#nextMs || this.#gathering !== undefined) {
      this.#gathering ??= this.#renew();
      const over = new AbortController();
      const waited = settled(pauseUntilAborted(over.signal)(this.#options.waitMs));
      await Promise.race([this.#gathering, waited]);
      over.abort();
    }
    return { gathered: this.#gathered, error: this.#error, isLate: this.#gathering !== undefined };
  }

  async #renew(): Promise<void> {
    const { clock, freshMs, share } = this.#options;
    const startedMs = clock.monotonicMs();
    const gathering = this.#gather().then(
      (value) => {
        this.#gathered = { value, atMs: clock.nowMs() };
        this.#error = undefined;
      },
      (error: unknown) => {
        this.#error = error;
      },
    );
    await settled(gathering);
    const endedMs = clock.monotonicMs();
    this.#nextMs = endedMs + Math.max(freshMs, (endedMs - startedMs) / share);
    this.#gathering = undefined;
  }
}
