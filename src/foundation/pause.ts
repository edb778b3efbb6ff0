import { setTimeout } from 'node:timers/promises';

/** Resolves after so many milliseconds. Code that waits takes a Pause beside its Clock, so that tests can move both. */
export type Pause = (milliseconds: number) => Promise<void>;

/** Real time. @throws the signal's reason as soon as it is aborted */
export function pauseUntilAborted(signal: AbortSignal): Pause {
  return async (milliseconds) => {
    signal.throwIfAborted();
    try {
      await setTimeout(milliseconds, undefined, { signal });
    } catch (error) {
      // What it throws has the reason as its cause.
      signal.throwIfAborted();
      throw error;
    }
  };
}
