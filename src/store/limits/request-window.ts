/** More at once than this were never of use, and each takes memory and a connection. */
const LARGEST = 64;
const SMALLEST = 1;
const FIRST = 8;
/** After a refusal, and after a request that took so much longer than such a one takes at best. */
const SHRINK_REFUSED = 0.7;
const SHRINK_SLOW = 0.8;
const SLOW_FACTOR = 4;
/** A delay that is no sign of anything: of a pause of this process, say. */
const NOT_SLOW_MS = 100;
/**
 * The best is forgotten slowly, half of it in some 3500 requests, so that a store that became slower for good is not held to
 * what it was.
 */
const FORGET = 1.0002;
/** So carefully it grows where it was refused before. */
const CAREFULLY = 0.05;

/**
 * How many requests may be under way at once: one more for each whole window that went well, fewer after a refusal, and
 * slowly then where the refusal came, and fewer when requests take several times as long as such requests take at best. Pure but for what it remembers.
 */
export class RequestWindow {
  #size = FIRST;
  readonly #bestMs = new Map<string, number>();
  /** The size at which a request was refused last. */
  #refusedAt = Number.POSITIVE_INFINITY;
  /** Requests that began before the last shrinking tell nothing new of it. */
  #shrunkMs = Number.NEGATIVE_INFINITY;

  /** At least 1. */
  get size(): number {
    return Math.floor(this.#size);
  }

  /**
   * A request ended as it should.
   * @param kind requests of one kind take alike long: by method and, roughly, size
   * @param wasFull whether as many were under way as might be: else it says nothing about more
   */
  succeeded(kind: string, { beganMs, endedMs, wasFull }: { beganMs: number; endedMs: number; wasFull: boolean }): void {
    const tookMs = endedMs - beganMs;
    const bestMs = Math.min(tookMs, (this.#bestMs.get(kind) ?? Number.POSITIVE_INFINITY) * FORGET);
    this.#bestMs.set(kind, bestMs);
    if (tookMs > bestMs * SLOW_FACTOR && tookMs - bestMs > NOT_SLOW_MS) this.#shrink(SHRINK_SLOW, beganMs, endedMs);
    else if (wasFull) this.#grow();
  }

  /** A request was refused, or failed as one does that is too many. */
  refused({ beganMs, endedMs }: { beganMs: number; endedMs: number }): void {
    if (beganMs >= this.#shrunkMs) this.#refusedAt = this.size;
    this.#shrink(SHRINK_REFUSED, beganMs, endedMs);
  }

  #grow(): void {
    const isNearRefusal = this.#size + 1 >= this.#refusedAt && this.#size < this.#refusedAt + 1;
    this.#size = Math.min(LARGEST, this.#size + (isNearRefusal ? CAREFULLY : 1) / this.#size);
  }

  #shrink(factor: number, beganMs: number, endedMs: number): void {
    if (beganMs < this.#shrunkMs) return;
    this.#size = Math.max(SMALLEST, this.#size * factor);
    this.#shrunkMs = endedMs;
  }
}
