import type { LedgerEvent } from '../../../ledger/index.ts';
import type { KitFacts } from './facts.ts';

/** What is known of the recovery kit. Pure. @param events of the ledgers of all repositories, oldest first */
export function kitFacts(events: readonly LedgerEvent[]): KitFacts {
  const ofKits = new Set<string>();
  /** The file, and its keys to the repositories: each of them has an event of its own. */
  let newest = { sha256: '', keys: new Set<string>() };
  let facts: KitFacts = {};
  for (const { kind, body, time } of events) {
    const timeMs = Date.parse(time);
    const outdated = (why: string): void => {
      facts.outdated ??= { sinceMs: timeMs, why };
    };
    if (kind === 'kit.made') {
      ofKits.add(body.key);
      if (body.sha256 !== newest.sha256) newest = { sha256: body.sha256, keys: new Set() };
      newest.keys.add(body.key);
      facts = { madeMs: timeMs, goodMs: timeMs };
      // A copy of an earlier one may be checked as well: that says nothing of the newest.
    } else if (kind === 'kit.checked' && (facts.madeMs === undefined || body.sha256 === newest.sha256)) {
      if (body.outcome === 'outdated') outdated(body.problems?.[0] ?? 'it was checked');
      else facts = { ...(facts.madeMs !== undefined && { madeMs: facts.madeMs }), goodMs: timeMs };
    } else if (kind === 'key.removed') {
      if (newest.keys.has(body.key)) outdated(`its own key to ${body.repository} was taken away`);
      else if (facts.madeMs !== undefined && !ofKits.has(body.key))
        outdated(`${body.repository} had a key taken away since`);
    }
  }
  return facts;
}
