import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const OUTAGES = ['store-unreachable', 'store-failed', 'disk-full', 'permission-denied'] as const;

/** Whether a repository may be back after a while. */
export function isOutage(error: unknown): boolean {
  return OUTAGES.some((code) => isHoldfastError(error, code));
}

/**
 * Tries until it succeeds, however long a repository is away.
 * @param what is told to a person once, with the reason: `the repository does not take the log`
 * @throws what is no outage; anything once the signal is aborted
 */
export async function throughOutages<T>(
  what: string,
  { signal, note }: { signal: AbortSignal; note(message: string): void },
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !isOutage(error)) throw error;
      if (attempt === 0) note(`${what}: ${messageOf(error)}; trying again`);
      // Full jitter, so that those who lost the same repository do not come back all at once.
      const pauseMs = Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
      await settled(sleep(pauseMs, undefined, { signal }));
    }
  }
}
