/** As long as threads wait for work. */
const IDLE_MS = 2000;

const all = new Set<Spare<unknown>>();

/**
 * What is costly to make, and is used by one work after the other: it is kept for a while for the next one. What is kept
 * keeps no process from its end.
 */
export class Spare<T> {
  #kept: T | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  /** What is kept, which the caller has alone from here on. */
  take(): T | undefined {
    const kept = this.#kept;
    this.drop();
    return kept;
  }

  /** @param value nobody uses it any more, and it is as good as new */
  keep(value: T): void {
    this.drop();
    this.#kept = value;
    this.#idleTimer = setTimeout(() => this.drop(), IDLE_MS).unref();
    all.add(this);
  }

  drop(): void {
    clearTimeout(this.#idleTimer);
    this.#kept = undefined;
    all.delete(this);
  }
}

/** Nothing is kept any more. */
export function dropSpares(): void {
  for (const spare of all) spare.drop();
}
