import type { LedgerEvent } from './events.ts';
import { chainKey, parseLedgerKey, type ReadEvent } from './objects.ts';

/** Where an event stands among all: by time, but never before what it builds on, whatever clocks say. */
export interface Rank {
  /** Its own time, or the latest of what it builds on, in milliseconds since 1970. */
  timeMs: number;
  /** Longest way to a chain that builds on nothing. */
  depth: number;
}

/** The hashes of the events that an event builds on directly. */
export function basisOf({ previous, heads }: Pick<LedgerEvent, 'previous' | 'heads'>): string[] {
  return [...(previous === null ? [] : [previous]), ...Object.values(heads)];
}

/** @param basis the ranks of what the event builds on */
export function rankOf({ time }: Pick<LedgerEvent, 'time'>, basis: readonly Rank[]): Rank {
  const ownMs = Date.parse(time) || 0;
  return {
    timeMs: basis.reduce((latestMs, { timeMs }) => Math.max(latestMs, timeMs), ownMs),
    depth: basis.reduce((deepest, { depth }) => Math.max(deepest, depth + 1), 0),
  };
}

export function compareRanks(a: Rank, b: Rank): number {
  return a.timeMs - b.timeMs || a.depth - b.depth;
}

/** Events with their ranks, what each builds on before it, so far as it is among them or `known`. */
export function ranked(
  events: readonly ReadEvent[],
  known: (hash: string) => Rank | undefined = () => undefined,
): { read: ReadEvent; rank: Rank }[] {
  const byHash = new Map(events.map((read) => [read.hash, read]));
  const ranks = new Map<string, Rank>();
  const result: { read: ReadEvent; rank: Rank }[] = [];
  for (const start of events.toSorted(compareTimes)) {
    const waiting = [start];
    for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
      const basis = basisOf(next.event);
      const missing = ranks.has(next.hash)
        ? []
        : basis.flatMap((hash) => (ranks.has(hash) ? [] : (byHash.get(hash) ?? [])));
      if (missing.length > 0) waiting.push(...missing);
      else {
        waiting.pop();
        if (ranks.has(next.hash)) continue;
        const rank = rankOf(
          next.event,
          basis.flatMap((hash) => ranks.get(hash) ?? known(hash) ?? []),
        );
        ranks.set(next.hash, rank);
        result.push({ read: next, rank });
      }
    }
  }
  return result;
}

/** Oldest first by their times, but never before what an event builds on: a clock may have been set back. */
export function inOrder(events: readonly ReadEvent[]): LedgerEvent[] {
  return ranked(events)
    .sort((a, b) => compareRanks(a.rank, b.rank) || (a.read.event.writer < b.read.event.writer ? -1 : 1))
    .map(({ read }) => read.event);
}

export function compareTimes({ event: a }: ReadEvent, { event: b }: ReadEvent): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : a.sequence - b.sequence;
}

/** Objects that are to be copied, and what tells whether all that they build on is in the copy already. */
export interface CopyingScope {
  /** By key, the events of each object that the copy lacks. */
  fresh: ReadonlyMap<string, readonly ReadEvent[]>;
  /** Keys that the copy has. */
  known: ReadonlySet<string>;
  /** Keys of what is to be copied, with all that it builds on. */
  roots: readonly string[];
  /** Whether the copy has the event with this hash in an object whose key does not tell: one of several. */
  isKnown(hash: string): boolean;
}

/**
 * The keys of objects, each behind those that it builds on. What builds on something that is nowhere is left out. Objects of
 * which each builds on the other, as clocks that differ can make them, follow one another.
 */
export function inCopyingOrder({ fresh, known, roots, isKnown }: CopyingScope): string[] {
  const places = new Map<string, string[]>();
  for (const [key, events] of fresh)
    for (const { hash } of events) places.set(hash, [...(places.get(hash) ?? []), key]);
  const knownWriters = new Set([...known].flatMap((key) => writerOf(key) ?? []));
  /** For each event that an object builds on, the objects it may come from; undefined when one is nowhere. */
  const needs = new Map<string, string[][] | undefined>();
  for (const [key, events] of fresh) {
    const all = events.flatMap(({ event }) => basisPlaces(event, { places, known, knownWriters, isKnown }));
    const others = all.filter((where) => !where?.includes(key));
    needs.set(key, others.includes(undefined) ? undefined : (others as string[][]));
  }
  const needed = new Set(roots.filter((key) => fresh.has(key)));
  // Iterating over a set comes to what is added meanwhile.
  for (const key of needed) for (const [place] of needs.get(key) ?? []) needed.add(place!);
  const firstTime = (key: string): ReadEvent => fresh.get(key)!.toSorted(compareTimes)[0]!;
  const waiting = new Set([...needed].toSorted((a, b) => compareTimes(firstTime(a), firstTime(b))));
  const ordered = new Set<string>();
  const isReady = (key: string, among: ReadonlySet<string>): boolean =>
    needs.get(key)?.every((where) => where.some((place) => ordered.has(place) || among.has(place))) ?? false;
  for (let before = -1; ordered.size > before; ) {
    before = ordered.size;
    for (const key of waiting) {
      if (!isReady(key, ordered)) continue;
      ordered.add(key);
      waiting.delete(key);
    }
    if (ordered.size === before) for (const key of closed(waiting, isReady)) ordered.add(key);
  }
  return [...ordered];
}

/** The largest part of these objects that needs nothing outside of it. It is taken out. */
function closed(waiting: Set<string>, isReady: (key: string, among: ReadonlySet<string>) => boolean): string[] {
  const part = new Set(waiting);
  for (let before = -1; part.size !== before; ) {
    before = part.size;
    for (const key of part) if (!isReady(key, part)) part.delete(key);
  }
  for (const key of part) waiting.delete(key);
  return [...part];
}

function basisPlaces(
  { writer, sequence, previous, heads }: LedgerEvent,
  {
    places,
    known,
    knownWriters,
    isKnown,
  }: Pick<CopyingScope, 'known' | 'isKnown'> & {
    places: ReadonlyMap<string, string[]>;
    knownWriters: ReadonlySet<string>;
  },
): (string[] | undefined)[] {
  const found: (string[] | undefined)[] = [];
  if (sequence > 0 && previous !== null && !known.has(chainKey(writer, sequence - 1))) {
    const where = places.get(previous);
    if (where !== undefined) found.push(where);
    else if (!isKnown(previous)) found.push(undefined);
  }
  for (const [other, hash] of Object.entries(heads)) {
    const where = places.get(hash);
    if (where !== undefined) found.push(where);
    else if (!knownWriters.has(other) && !isKnown(hash)) found.push(undefined);
  }
  return found;
}

function writerOf(key: string): string | undefined {
  const place = parseLedgerKey(key);
  return place?.form === 'chain' ? place.writer : undefined;
}
