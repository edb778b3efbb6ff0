import { isHoldfastError } from '../foundation/errors.ts';
import { parseLedgerKey, type ReadEvent } from './objects.ts';
import { listLedger, openLedgerObject } from './read-objects.ts';
import type { LedgerStorage } from './storage.ts';

export interface Adopting {
  /** The copy that something may be missing in. */
  storage: LedgerStorage;
  /** All events of it; asked for once, and only where keys alone do not tell. */
  read(): Promise<readonly ReadEvent[]>;
  /** The keys of what the other copy has beside these, each behind those that it builds on. */
  unknownTo(known: ReadonlySet<string>): Promise<string[]>;
  other: LedgerStorage;
}

/**
 * Puts into one copy of a ledger what only another one has, in an order in which the copy can be read at every instant.
 * What is there already, if only in the object of a day, is not put again.
 * @returns how many objects were put
 */
export async function adoptObjects({ storage, read, unknownTo, other }: Adopting): Promise<number> {
  const own = new Set((await listLedger(storage)).map(({ key }) => key));
  const days = new Set([...own].flatMap((key) => dayOf(key) ?? []));
  let known: Set<string> | undefined;
  let count = 0;
  for (const key of await unknownTo(own)) {
    const sealed = await other.get(key);
    const events = openLedgerObject(other, key, sealed);
    const mayBeFolded = dayOf(key) !== undefined || events.some(({ event }) => days.has(event.time.slice(0, 10)));
    if (mayBeFolded) {
      known ??= new Set((await read()).map(({ hash }) => hash));
      if (events.every(({ hash }) => known!.has(hash))) continue;
    }
    await putUnlessThere(storage, key, sealed);
    count++;
  }
  return count;
}

function dayOf(key: string): string | undefined {
  const place = parseLedgerKey(key);
  return place?.form === 'day' ? place.day : undefined;
}

/** Another process may bring the same. */
async function putUnlessThere(storage: LedgerStorage, key: string, sealed: Uint8Array): Promise<void> {
  try {
    await storage.putNew(key, sealed);
  } catch (error) {
    if (!isHoldfastError(error, 'object-exists')) throw error;
  }
}
