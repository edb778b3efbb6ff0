import type { Sample } from '../alerts/facts/samples.ts';

/** After so many failures in a row a service is down; one good answer brings it back. */
const FAILURES = 3;
/** Nobody looked for so long, or for so many times in a row: what was before says nothing of now. */
const LONGEST_GAP_MS = 30 * 60_000;
const MISSED = 3;

/** Whether a service is up, as far as was seen. Times are milliseconds since 1970. */
export interface ServiceState {
  isDown: boolean;
  /** Since when it is so: of a service that went down, the first of its failures; else the first good answer that was seen. */
  sinceMs: number;
  /** When it was asked last. */
  askedMs: number;
  /** Failures in a row up to now, and when the first of them was. */
  failures: number;
  failingSinceMs?: number;
  /** Why the last answer was none, or no good one. */
  error?: string;
}

/**
 * What is known after one more sample. Pure. A sample that is older than what is known changes nothing.
 * @param everyMs how often it is asked
 */
export function advanceService(
  known: ServiceState | undefined,
  { timeMs, error }: Sample,
  everyMs: number,
): ServiceState {
  if (known !== undefined && timeMs < known.askedMs && known.askedMs - timeMs < LONGEST_GAP_MS) return known;
  const gapMs = Math.max(LONGEST_GAP_MS, MISSED * everyMs);
  const before = known !== undefined && Math.abs(timeMs - known.askedMs) <= gapMs ? known : undefined;
  if (error === undefined) {
    const isBack = before === undefined || before.isDown;
    return { isDown: false, sinceMs: isBack ? timeMs : before.sinceMs, askedMs: timeMs, failures: 0 };
  }
  const failures = (before?.failures ?? 0) + 1;
  const failingSinceMs = before?.failingSinceMs ?? timeMs;
  const isDown = failures >= FAILURES;
  const sinceMs = isDown ? failingSinceMs : (before?.sinceMs ?? timeMs);
  return { isDown, sinceMs, askedMs: timeMs, failures, failingSinceMs, error };
}
