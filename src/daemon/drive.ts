import type { Clock } from '../foundation/clock.ts';
import type { Pause } from '../foundation/pause.ts';

/** A clock that is set, or a machine that sleeps, is noticed within so long. */
const LONGEST_PAUSE_MS = 60_000;
/** What wakes the daemon comes in bursts. */
const SHORTEST_PAUSE_MS = 5;

export interface Driven {
  tick(): Promise<void>;
  nextMs(): number;
}

/** What lets time pass for a daemon: from one moment at which something is due to the next, or until it is woken. */
export class Driver {
  readonly #clock: Clock;
  readonly #pause: Pause;
  #wake: () => void = () => {};
  #isWoken = false;

  constructor(clock: Clock, pause: Pause) {
    this.#clock = clock;
    this.#pause = pause;
  }

  /** Something happened that the daemon is to look at. */
  readonly wake = (): void => {
    this.#isWoken = true;
    this.#wake();
  };

  /** Drives until the signal is aborted. @throws what `tick` throws */
  async run(daemon: Driven, signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', this.wake);
    try {
      while (!signal.aborted) {
        this.#isWoken = false;
        await daemon.tick();
        await this.#rest(daemon.nextMs(), signal);
      }
    } finally {
      signal.removeEventListener('abort', this.wake);
    }
  }

  async #rest(untilMs: number, signal: AbortSignal): Promise<void> {
    const restMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, untilMs - this.#clock.nowMs()));
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#isWoken || signal.aborted) return;
    await Promise.race([this.#pause(restMs), woken]);
  }
}
