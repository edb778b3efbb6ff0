import { HoldfastError } from '../../../foundation/errors.ts';
import type { Pause } from '../../../foundation/pause.ts';
import { codeOf } from '../failures.ts';

/** With the waits below, a server may be away for about a minute and a half. */
export const MAX_ATTEMPTS = 10;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 30_000;
/** CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE. */
const TRANSIENT: ReadonlySet<unknown> = new Set([1, 2, 4, 8, 10, 13, 14]);

/** Whether a status of gRPC may be another one when the same is asked again. */
export function isTransient(code: unknown): boolean {
  return TRANSIENT.has(code);
}

/** How long to wait before another attempt: longer each time, and not the same for everybody. @param attempt from 1 */
export function waitMs(attempt: number): number {
  return Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

/**
 * Reads, and again where that failed for the moment.
 * @param read without another try of the client's own (`ONCE`): one attempt would last minutes then, in silence
 * @throws what the last attempt threw
 */
export async function readAgain<T>(pause: Pause, read: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (error instanceof HoldfastError || !isTransient(codeOf(error)) || attempt >= MAX_ATTEMPTS) throw error;
      await pause(waitMs(attempt));
    }
  }
}
