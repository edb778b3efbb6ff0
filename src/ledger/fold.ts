import { isHoldfastError } from '../foundation/errors.ts';
import { sideBySide } from '../foundation/promises.ts';
import type { LedgerFolded } from './events/keeping.ts';
import { encodeDay, parseLedgerKey, type ReadEvent } from './objects.ts';
import { formatRanges } from './ranges.ts';
import { listLedger, readEach, readLedgerObject } from './read-objects.ts';
import type { LedgerStorage } from './storage.ts';

/** So many events lie in one object at most: each is in memory as a whole. */
const EVENTS_AN_OBJECT = 20_000;
const REMOVED_AT_ONCE = 32;

export interface Folded {
  /** Days whose events were put together. */
  days: number;
  events: number;
  /** Objects that were removed, since others have what they had. */
  removed: number;
}

export interface FoldOptions {
  nowMs: number;
  /** Records what is about to be removed, before the first of it is. */
  announce(body: LedgerFolded): Promise<void>;
}

/** An object of a chain whose day is over. */
interface Old {
  key: string;
  writer: string;
  sequence: number;
  day: string;
  events: readonly ReadEvent[];
}

/**
 * Puts the events of days that are over together. First the new objects are durable, then it is seen that they can be listed
 * and read and have all, then the ledger names what goes, then it goes: at every instant all events can be read, some of
 * them twice.
 */
export async function foldDays(storage: LedgerStorage, { nowMs, announce }: FoldOptions): Promise<Folded> {
  const listed = await listLedger(storage);
  const today = dayOf(nowMs);
  const old = await readOld(
    storage,
    listed.map(({ key }) => key),
    today,
  );
  if (old.length === 0) return { days: 0, events: 0, removed: 0 };
  const days = Map.groupBy(old, ({ day }) => day);
  const there = listed.map(({ key }) => key).filter((key) => days.has(dayOfKey(key) ?? ''));
  const folded = new Map<string, string>();
  const into = new Set<string>();
  const note = (key: string, events: readonly ReadEvent[]): void => {
    for (const { hash } of events) folded.set(hash, key);
  };
  await readEach(storage, there, note);
  for (const [day, objects] of [...days].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const missing = objects.flatMap(({ events }) => events).filter(({ hash }) => !folded.has(hash));
    for (const part of parts(missing)) {
      const { key, content } = encodeDay(
        day,
        part.map(({ plain }) => plain),
      );
      await putUnlessThere(storage, key, storage.seal(content));
      note(key, await readLedgerObject(storage, key));
    }
  }
  // What a listing does not show others do not find.
  const visible = new Set((await listLedger(storage)).map(({ key }) => key));
  const isFolded = ({ hash }: ReadEvent): boolean => visible.has(folded.get(hash) ?? '');
  const going = old.filter(({ events }) => events.every(isFolded));
  if (going.length === 0) return { days: 0, events: 0, removed: 0 };
  for (const { events } of going) for (const { hash } of events) into.add(folded.get(hash)!);
  await announce({ into: [...into].sort(), removed: sequencesByWriter(going) });
  await sideBySide(going, REMOVED_AT_ONCE, ({ key }) => storage.delete(key));
  return {
    days: new Set(going.map(({ day }) => day)).size,
    events: going.reduce((sum, { events }) => sum + events.length, 0),
    removed: going.length,
  };
}

async function readOld(storage: LedgerStorage, keys: readonly string[], today: string): Promise<Old[]> {
  const old: Old[] = [];
  const chains = keys.filter((key) => parseLedgerKey(key)?.form === 'chain');
  await readEach(storage, chains, (key, events) => {
    const place = parseLedgerKey(key);
    const day = events
      .map(({ event }) => event.time.slice(0, 10))
      .sort()
      .at(-1)!;
    if (place?.form !== 'chain' || !(day < today)) return;
    old.push({ key, writer: place.writer, sequence: place.sequence, day, events });
  });
  return old;
}

/** The same events always come to the same objects. */
function parts(events: readonly ReadEvent[]): ReadEvent[][] {
  const unique = [...new Map(events.map((each) => [each.hash, each])).values()];
  const sorted = unique.sort(({ event: a }, { event: b }) =>
    a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : a.sequence - b.sequence,
  );
  return Array.from({ length: Math.ceil(sorted.length / EVENTS_AN_OBJECT) }, (_, index) =>
    sorted.slice(index * EVENTS_AN_OBJECT, (index + 1) * EVENTS_AN_OBJECT),
  );
}

/** By its name it is what it was to be: it holds the digest. */
async function putUnlessThere(storage: LedgerStorage, key: string, sealed: Uint8Array): Promise<void> {
  try {
    await storage.putNew(key, sealed);
  } catch (error) {
    if (!isHoldfastError(error, 'object-exists')) throw error;
  }
}

function sequencesByWriter(objects: readonly Old[]): Record<string, string> {
  const byWriter = Map.groupBy(objects, ({ writer }) => writer);
  return Object.fromEntries(
    [...byWriter].map(([writer, own]) => [writer, formatRanges(own.map(({ sequence }) => sequence))]),
  );
}

function dayOfKey(key: string): string | undefined {
  const place = parseLedgerKey(key);
  return place?.form === 'day' ? place.day : undefined;
}

/** The day of a moment, in UTC. */
function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
