import type { LedgerFolded } from './events/keeping.ts';
import { parseLedgerKey } from './objects.ts';
import { isInRanges } from './ranges.ts';

/** Whether an event says that this object of the ledger was to go, since others have what it had. @param key within the ledger */
export function removedByFold({ removed }: LedgerFolded, key: string): boolean {
  const place = parseLedgerKey(key);
  return place?.form === 'chain' && isInRanges(removed[place.writer] ?? '', place.sequence);
}
