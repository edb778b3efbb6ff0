import type { Clock } from '../../foundation/clock.ts';
import type { Pause } from '../../foundation/pause.ts';

/** So much of what was not used may be caught up with at once. */
const BURST_MS = 1000;

/**
 * Paces whoever takes bytes, first come, first served: over any time, no more is let through than the rate allows, what one
 * second allows, and the one amount that comes last, which is let through whole and paid for by those after it.
 */
export class TokenBucket {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  readonly #pause: Pause;
  /** When all that was taken is paid for, by the monotonic clock. */
  #paidMs: number;

  constructor(bytesPerSecond: number, { clock, pause }: { clock: Clock; pause: Pause }) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#clock = clock;
    this.#pause = pause;
    this.#paidMs = clock.monotonicMs() - BURST_MS;
  }

  /** Counts bytes that are on their way whatever the limit says. */
  charge(bytes: number): void {
    this.#paidMs = Math.max(this.#paidMs, this.#clock.monotonicMs() - BURST_MS) + bytes / this.#bytesPerMs;
  }

  /** Counts bytes, and resolves once those before them are paid for. */
  async take(bytes: number): Promise<void> {
    const beforeMs = this.#paidMs;
    this.charge(bytes);
    const waitMs = beforeMs - this.#clock.monotonicMs();
    if (waitMs > 0) await this.#pause(waitMs);
  }
}
