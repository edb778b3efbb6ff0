import type { Clock } from '../../src/foundation/clock.ts';

/** A clock that stands still until it is moved. */
export class MovedClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  /** @param start RFC 3339 */
  constructor(start: string) {
    this.#nowMs = Date.parse(start);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Time passes. */
  pass(milliseconds: number): void {
    this.#nowMs += milliseconds;
    this.#monotonicMs += milliseconds;
  }

  /** Time passes up to a moment: RFC 3339, or milliseconds since 1970. */
  passUntil(moment: string | number): void {
    const untilMs = typeof moment === 'string' ? Date.parse(moment) : moment;
    this.pass(Math.max(0, untilMs - this.#nowMs));
  }

  /** Somebody sets the clock; no time passes. */
  set(moment: string | number): void {
    this.#nowMs = typeof moment === 'string' ? Date.parse(moment) : moment;
  }
}
