/** Where the time comes from. Code that needs the time takes a Clock, so that tests can move it. */
export interface Clock {
  /** Milliseconds since 1970, the wall clock. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start, never going back: for durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
