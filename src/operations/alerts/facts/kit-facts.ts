import type { LedgerEvent } from '../../../ledger/index.ts';
import type { KitFacts } from './facts.ts';

/** What is known of the recovery kit. Pure. @param events of the ledgers of all repositories, oldest first */
export function kitFacts(events: readonly LedgerEvent[]): KitFacts {
  const ofKits = new Set<string>();
  let facts: KitFacts = {};
  for (const { kind, body, time } of events) {
    const timeMs = Date.parse(time);
    if (kind === 'kit.made') {
      ofKits.add(body.key);
      facts = { madeMs: timeMs, goodMs: timeMs };
    } else if (kind === 'kit.checked' && isOfNewest(facts, body.madeAt)) {
      if (body.outcome === 'current') facts = { ...facts, goodMs: timeMs };
      else facts.outdated ??= { sinceMs: timeMs, why: body.problems?.[0] ?? 'it was checked' };
      if (body.outcome === 'current') delete facts.outdated;
    } else if (kind === 'key.removed' && facts.madeMs !== undefined && !ofKits.has(body.key)) {
      facts.outdated ??= { sinceMs: timeMs, why: `${body.repository} had a key taken away since` };
    }
  }
  return facts;
}

/** A copy of an earlier one may be checked as well: that says nothing of the newest. It is made before it is recorded. */
function isOfNewest({ madeMs }: KitFacts, madeAt: string): boolean {
  return madeMs === undefined || Date.parse(madeAt) >= madeMs - RECORDED_WITHIN_MS;
}

const RECORDED_WITHIN_MS = 60_000;
