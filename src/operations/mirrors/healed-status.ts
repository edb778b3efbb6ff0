import type { LedgerEvent } from '../../ledger/index.ts';

/** What was damaged or missing in a repository or mirror, and was put back, since all of it was last read and found clean. */
export interface HealedStatus {
  repository: string;
  objects: number;
  /** The last of them: RFC 3339, its key, where it came from, and what was wrong with it. */
  last: { time: string; object: string; from: string; reason: string };
}

/**
 * What healed, by repository. What damaged one object may have damaged others: so it stands until a check has read every
 * byte and found nothing. Pure.
 * @param events of one ledger, oldest first
 */
export function healedStatus(events: readonly LedgerEvent[]): HealedStatus[] {
  const healed = new Map<string, HealedStatus>();
  for (const event of events) {
    if (event.kind === 'object.healed') {
      const { repository, object, from, reason } = event.body;
      const objects = (healed.get(repository)?.objects ?? 0) + 1;
      healed.set(repository, { repository, objects, last: { time: event.time, object, from, reason } });
    } else if (event.kind === 'check.finished') {
      const { repository, clean, readData, subset } = event.body;
      if (clean && readData && subset === undefined) healed.delete(repository);
    }
  }
  return [...healed.values()];
}
