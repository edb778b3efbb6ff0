import type { BookedAlert } from './book.ts';

/** When alerts were first seen that bear a time to come, by their ids. */
export type SeenAhead = Map<string, number>;

/**
 * An alert of a time to come was raised before somebody set the clock back: the ladder counts from when it was first seen so,
 * and does not wait until that time comes.
 * @param seen kept from look to look
 */
export function notAhead(open: readonly BookedAlert[], nowMs: number, seen: SeenAhead): void {
  const ids = new Set(open.map(({ id }) => id));
  for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
  for (const alert of open) {
    const raisedMs = Math.min(alert.raisedMs, seen.get(alert.id) ?? alert.raisedMs, nowMs);
    if (raisedMs === alert.raisedMs) continue;
    seen.set(alert.id, raisedMs);
    alert.raisedMs = raisedMs;
  }
}
