import type { LedgerEvent } from '../../src/ledger/index.ts';
import { type Digest, digestOf, digestSummary } from '../../src/operations/alerts/facts/digest.ts';

/** What events of one ledger come to, oldest first. */
export function digestOfAll(events: readonly LedgerEvent[]): Digest {
  const state = digestSummary.initial();
  for (const event of events) digestSummary.add(state, event);
  return digestOf(state);
}
