/** Where the time comes from. Code that needs the time takes a Clock, so that tests can move it. */
export interface Clock {
  /** Milliseconds since 1970, the wall clock. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start, never going back: for durations. */
  monotonicMs(): number;
}

/** So far may the clocks of two machines be apart, and nobody takes them for wrong. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
