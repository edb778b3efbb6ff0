import { CLOCK_TOLERANCE_MS } from '../../foundation/clock.ts';
import type { LogStatus } from './log-status.ts';

export type LogStall =
  /** The newest moment that is known: for longer than that is allowed, nothing more came. */
  | { kind: 'silent'; sinceMs: number; isBegun: boolean }
  /** The newest moment has not come yet: a clock is or was wrong, and until then nobody can tell. */
  | { kind: 'ahead'; momentMs: number };

/**
 * Whether a log that is to be captured goes on. Pure.
 * @param backedUp when the newest backup was taken (RFC 3339); before the first one there is nothing that a log could go on from
 * @param afterMs as long as it may be silent
 */
export function logStall(
  log: Pick<LogStatus, 'time'>,
  backedUp: string | undefined,
  { nowMs, afterMs }: { nowMs: number; afterMs: number },
): LogStall | undefined {
  const reached = log.time ?? backedUp;
  if (reached === undefined) return undefined;
  const reachedMs = Date.parse(reached);
  if (reachedMs - nowMs > CLOCK_TOLERANCE_MS) return { kind: 'ahead', momentMs: reachedMs };
  if (nowMs - reachedMs <= afterMs) return undefined;
  return { kind: 'silent', sinceMs: reachedMs, isBegun: log.time !== undefined };
}
