import type { Clock } from '../../../foundation/clock.ts';
import type { Pause } from '../../../foundation/pause.ts';

const INITIAL_PER_S = 500;
const GROWTH = 1.5;
const STEP_MS = 5 * 60_000;

/**
 * How fast a database that has had no traffic is best written to: 500 operations a second at first, and every five minutes
 * half as many more.
 *
 * Source: Google Cloud, "Best practices for Cloud Firestore", "Ramping up traffic".
 */
export class RampUp {
  readonly #clock: Clock;
  readonly #pause: Pause;
  readonly #startedMs: number;
  /** When the next operation may begin. */
  #freeMs: number;

  constructor({ clock, pause }: { clock: Clock; pause: Pause }) {
    this.#clock = clock;
    this.#pause = pause;
    this.#startedMs = clock.monotonicMs();
    this.#freeMs = this.#startedMs;
  }

  /** Waits until so many more operations may begin. */
  async take(operations: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const atMs = Math.max(this.#freeMs, nowMs);
    const perS = INITIAL_PER_S * GROWTH ** Math.floor((atMs - this.#startedMs) / STEP_MS);
    this.#freeMs = atMs + (operations / perS) * 1000;
    if (atMs > nowMs) await this.#pause(atMs - nowMs);
  }
}
