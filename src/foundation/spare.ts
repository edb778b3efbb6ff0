/** As long as threads wait for work. */
const IDLE_MS = 2000;

const all = new Set<Spare<unknown>>();

/** Of what several use at once, so many are kept: a daemon has no more backups under way on most machines. */
const MOST_KEPT = 2;

/**
 * What is costly to make, and is used by one work after the other: it is kept for a while for the next one. What is kept
 * keeps no process from its end.
 */
export class Spare<T> {
  readonly #kept: T[] = [];
  #idleTimer: NodeJS.Timeout | undefined;

  /** What was kept last, which the caller has alone from here on. */
  take(): T | undefined {
    const kept = this.#kept.pop();
    if (this.#kept.length === 0) this.drop();
    return kept;
  }

  /** @param value nobody uses it any more, and it is as good as new */
  keep(value: T): void {
    if (this.#kept.length === MOST_KEPT) this.#kept.shift();
    this.#kept.push(value);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.drop(), IDLE_MS).unref();
    all.add(this);
  }

  drop(): void {
    clearTimeout(this.#idleTimer);
    this.#kept.length = 0;
    all.delete(this);
  }
}

/** Nothing is kept any more. */
export function dropSpares(): void {
  for (const spare of all) spare.drop();
}
