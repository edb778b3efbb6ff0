import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/foundation/clock.ts';
import type { Pause } from '../../src/foundation/pause.ts';

/** Time that stands still while anything happens, and jumps to the next end of a pause when nothing does. */
export class SimulatedTime implements Clock {
  #nowMs = 0;
  #pauses: { endMs: number; end: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  readonly pause: Pause = (milliseconds) =>
    new Promise((resolve) => {
      this.#pauses.push({ endMs: this.#nowMs + Math.max(0, milliseconds), end: resolve });
    });

  /** Lets time pass until the work is done. @throws when it waits for what no pause ends */
  async run<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = work.then(
      () => {
        isOver = true;
      },
      () => {
        isOver = true;
      },
    );
    for (await setImmediate(); !isOver; await setImmediate()) {
      const next = Math.min(...this.#pauses.map(({ endMs }) => endMs));
      if (next === Number.POSITIVE_INFINITY) throw new Error('the work waits for something that never comes');
      this.#nowMs = next;
      const ended = this.#pauses.filter(({ endMs }) => endMs <= next);
      this.#pauses = this.#pauses.filter(({ endMs }) => endMs > next);
      for (const { end } of ended) end();
    }
    await over;
    return work;
  }
}
