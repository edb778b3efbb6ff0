import { chainKey, parseLedgerKey, type ReadEvent } from './objects.ts';
import { inCopyingOrder } from './order.ts';
import { listLedger, readEach, readLedgerObject } from './read-objects.ts';
import type { LedgerStorage } from './storage.ts';

/** See `Ledger.unknownTo`. */
export async function unknownObjects(
  storage: LedgerStorage,
  known: ReadonlySet<string>,
  listed?: readonly string[],
): Promise<string[]> {
  const list = async () => (await listLedger(storage)).map(({ key }) => key);
  const roots = (listed ?? (await list())).filter((key) => parseLedgerKey(key) !== undefined);
  const all = new Set(roots);
  const fresh = new Map<string, ReadEvent[]>();
  const ordered = async (): Promise<string[]> => {
    const unread = [...all].filter((key) => !known.has(key) && !fresh.has(key));
    await readEach(storage, unread, (key, events) => fresh.set(key, events));
    const seen = await seenIn(storage, { fresh, known, all });
    return inCopyingOrder({ fresh, known, roots, isKnown: (hash) => seen.has(hash) });
  };
  const first = await ordered();
  if (first.length === fresh.size) return first;
  // What an event builds on was there before it: a listing that begins now has it, whatever the first one passed over.
  for (const key of await list()) all.add(key);
  return ordered();
}

/**
 * Of what fresh events build on, and neither they nor the keys of what is known tell of: what is in known objects that hold
 * several events. They are read only as far as it takes.
 * @returns hashes that were found
 */
async function seenIn(
  storage: LedgerStorage,
  {
    fresh,
    known,
    all,
  }: { fresh: ReadonlyMap<string, readonly ReadEvent[]>; known: ReadonlySet<string>; all: ReadonlySet<string> },
): Promise<Set<string>> {
  const events = [...fresh.values()].flat();
  const own = new Set(events.map(({ hash }) => hash));
  const knownWriters = new Set([...known].map((key) => key.slice(0, key.indexOf('/'))));
  const missing = new Set<string>();
  const chains = new Set<string>();
  for (const { event } of events) {
    const { writer, sequence, previous, heads } = event;
    if (previous !== null && !own.has(previous) && !known.has(chainKey(writer, sequence - 1))) {
      missing.add(previous);
      chains.add(writer);
    }
    for (const [other, hash] of Object.entries(heads)) {
      if (!own.has(hash) && !knownWriters.has(other)) missing.add(hash);
    }
  }
  const seen = new Set<string>();
  const look = async (key: string): Promise<void> => {
    for (const { hash } of await readLedgerObject(storage, key)) {
      seen.add(hash);
      missing.delete(hash);
    }
  };
  const here = [...known].filter((key) => all.has(key));
  const inChains = here.filter((key) => chains.has(key.slice(0, key.indexOf('/'))));
  // The newest first: what is built on was written last.
  const days = here.filter((key) => parseLedgerKey(key)?.form === 'day').sort((a, b) => (a < b ? 1 : -1));
  for (const key of [...inChains.sort((a, b) => (a < b ? 1 : -1)), ...days]) {
    if (missing.size === 0) break;
    await look(key);
  }
  return seen;
}
