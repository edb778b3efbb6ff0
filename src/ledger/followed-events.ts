import { removedIn } from './chain-check.ts';
import type { LedgerEvent } from './events.ts';
import { parseLedgerKey, type ReadEvent } from './objects.ts';
import { compareRanks, type Rank, ranked } from './order.ts';
import { parseRanges } from './ranges.ts';
import type { StoredLedgerObject } from './storage.ts';
import type { Summary } from './summary.ts';

/** What comes later than so many others has all read anew: the newest are remembered one by one. */
const NEWEST = 1000;
/** Of so many writers the newest event is remembered: one that came before them begins to be named by others no more. */
const WRITERS = 4096;

/** An object of the ledger with its events. */
export interface TakenObject extends Pick<StoredLedgerObject, 'key' | 'sizeBytes' | 'modifiedMs'> {
  events: readonly ReadEvent[];
}

/** Where an event stands among all. */
interface Place extends Rank {
  writer: string;
}

interface PlacedEvent {
  event: LedgerEvent;
  hash: string;
  place: Place;
}

/** All that is kept: of what `structuredClone` takes. */
export interface KeptEvents<State> {
  /** By key: size and time as they were listed; of an object of a chain, the hashes of its events. */
  objects: Map<string, { stamp: string; hashes?: string[] }>;
  /** The newest event of each writer. */
  chains: Map<string, { sequence: number; hash: string }>;
  /** By hash: of events in objects of chains, of the newest of each writer, and of those in `newest`. */
  places: Map<string, Place>;
  /** Hashes of events of objects of chains that lie in the object of a day as well. */
  inDays: Set<string>;
  /** The newest, in their order. */
  newest: PlacedEvent[];
  /** What was made of all events before those, and where the last of them stands. */
  before: State;
  beforePlace?: Place;
}

interface Change {
  added: PlacedEvent[];
  inDays: Set<string>;
}

/**
 * A ledger as it grows: what is new of it is taken in, and what it comes to is what reading all of it anew would come to.
 * Where that cannot be told from what is new alone, nothing is taken in. Pure.
 */
export class FollowedEvents<State> {
  readonly #summary: Summary<State>;
  readonly #atLeast: number;
  readonly kept: KeptEvents<State>;
  #state: State;
  /** Another one whenever there is another event. */
  version = 0;
  /** How often what is kept of older events has changed. */
  advances = 0;

  /** @param atLeast so many of the newest events are remembered one by one, and twice as many at most */
  constructor(summary: Summary<State>, kept?: KeptEvents<State>, atLeast = NEWEST) {
    this.#summary = summary;
    this.#atLeast = atLeast;
    this.kept = kept ?? {
      ...{ objects: new Map(), chains: new Map(), places: new Map(), inDays: new Set(), newest: [] },
      before: summary.initial(),
    };
    this.#state = this.#whole();
  }

  /** Of all events that were taken in. It changes with the next that are. */
  get state(): State {
    return this.#state;
  }

  /** What is listed and not known, or not as it is known; and the keys of what was listed and is not any more. */
  differenceTo(listed: readonly StoredLedgerObject[]): { fresh: StoredLedgerObject[]; gone: string[] } {
    const { objects } = this.kept;
    const visible = new Set(listed.map(({ key }) => key));
    return {
      fresh: listed.filter((entry) => objects.get(entry.key)?.stamp !== stampOf(entry)),
      gone: [...objects.keys()].filter((key) => !visible.has(key)),
    };
  }

  /**
   * Takes in what came, and forgets objects whose events lie elsewhere now.
   * @returns whether it could: else nothing has changed, and what was taken in before may not be what there is
   */
  take(fresh: readonly TakenObject[], gone: readonly string[]): boolean {
    const change = this.#changeBy(fresh);
    if (change === undefined) return false;
    const isFolded = (hash: string) => this.kept.inDays.has(hash) || change.inDays.has(hash);
    if (!gone.every((key) => this.kept.objects.get(key)?.hashes?.every(isFolded))) return false;
    this.#remember(fresh, change);
    for (const key of gone) this.#forget(key);
    this.#add(change.added);
    return true;
  }

  #changeBy(fresh: readonly TakenObject[]): Change | undefined {
    const { objects, places, chains } = this.kept;
    const added = new Map<string, ReadEvent>();
    const inDays = new Set<string>();
    for (const { key, events } of fresh) {
      if (objects.has(key)) return undefined;
      const isDay = parseLedgerKey(key)?.form === 'day';
      for (const read of events) {
        const { writer, sequence } = read.event;
        const isOld = sequence <= (chains.get(writer)?.sequence ?? -1);
        if (isOld && places.get(read.hash)?.writer !== writer) return undefined;
        if (!isOld) added.set(read.hash, read);
        if (isDay) inDays.add(read.hash);
      }
    }
    const writerOf = (hash: string) => added.get(hash)?.event.writer ?? places.get(hash)?.writer;
    const all = [...added.values()];
    const isBased = ({ event }: ReadEvent) =>
      Object.entries(event.heads).every(([writer, hash]) => writerOf(hash) === writer);
    if (!this.#isContinued(all) || !all.every(isBased) || !this.#hasFolded(all)) return undefined;
    const placed = ranked(all, (hash) => places.get(hash))
      .map(({ read: { event, hash }, rank }) => ({ event, hash, place: { ...rank, writer: event.writer } }))
      .sort(byPlace);
    const { beforePlace } = this.kept;
    const isLate =
      beforePlace !== undefined && placed[0] !== undefined && comparePlaces(placed[0].place, beforePlace) < 0;
    return isLate ? undefined : { added: placed, inDays };
  }

  /** Whether each follows the one before it in its chain. */
  #isContinued(added: readonly ReadEvent[]): boolean {
    const last = new Map<string, { sequence: number; hash: string | null }>();
    for (const { event, hash } of added.toSorted((a, b) => a.event.sequence - b.event.sequence)) {
      const { writer, sequence, previous } = event;
      const before = last.get(writer) ?? this.kept.chains.get(writer) ?? { sequence: -1, hash: null };
      if (sequence !== before.sequence + 1 || previous !== before.hash) return false;
      last.set(writer, { sequence, hash });
    }
    return true;
  }

  /** Whether what was put together with others of its day is there: a chain that is continued has all up to its newest. */
  #hasFolded(added: readonly ReadEvent[]): boolean {
    const newest = new Map<string, number>();
    for (const { event } of added) newest.set(event.writer, Math.max(newest.get(event.writer) ?? -1, event.sequence));
    return added.every(({ event }) =>
      Object.entries(removedIn(event) ?? {}).every(([writer, ranges]) => {
        const last = newest.get(writer) ?? this.kept.chains.get(writer)?.sequence ?? -1;
        return parseRanges(ranges).every(([, lastRemoved]) => lastRemoved <= last);
      }),
    );
  }

  #remember(fresh: readonly TakenObject[], { added, inDays }: Change): void {
    const { objects, chains, places } = this.kept;
    for (const entry of fresh) {
      const isDay = parseLedgerKey(entry.key)?.form === 'day';
      const hashes = entry.events.map(({ hash }) => hash);
      objects.set(entry.key, { stamp: stampOf(entry), ...(!isDay && { hashes }) });
    }
    for (const hash of inDays) this.kept.inDays.add(hash);
    for (const { event, hash, place } of added) {
      places.set(hash, place);
      const { sequence } = event;
      if (sequence > (chains.get(event.writer)?.sequence ?? -1)) chains.set(event.writer, { sequence, hash });
    }
  }

  #forget(key: string): void {
    const { objects, inDays } = this.kept;
    for (const hash of objects.get(key)?.hashes ?? []) inDays.delete(hash);
    objects.delete(key);
  }

  #add(added: readonly PlacedEvent[]): void {
    const [first] = added;
    if (first === undefined) return;
    this.version++;
    const { newest } = this.kept;
    const last = newest.at(-1);
    const isBehind = last === undefined || comparePlaces(first.place, last.place) > 0;
    for (const each of added) newest.push(each);
    if (isBehind) for (const { event } of added) this.#summary.add(this.#state, event);
    else {
      newest.sort(byPlace);
      this.#state = this.#whole();
    }
    if (newest.length > 2 * this.#atLeast) this.#advance();
  }

  #whole(): State {
    const state = this.#summary.copy(this.kept.before);
    for (const { event } of this.kept.newest) this.#summary.add(state, event);
    return state;
  }

  /** Remembers the oldest of the newest no more. */
  #advance(): void {
    const { newest, before, chains, objects, places } = this.kept;
    const old = newest.splice(0, newest.length - this.#atLeast);
    for (const { event } of old) this.#summary.add(before, event);
    this.kept.beforePlace = old.at(-1)!.place;
    this.advances++;
    const last = [...chains].map(([writer, { hash }]) => ({ writer, hash, place: places.get(hash)! }));
    const forgotten = last.sort(byPlace).slice(0, Math.max(0, last.length - WRITERS));
    for (const { writer, place } of forgotten)
      if (comparePlaces(place, this.kept.beforePlace) <= 0) chains.delete(writer);
    const needed = new Set(newest.map(({ hash }) => hash));
    for (const { hash } of chains.values()) needed.add(hash);
    for (const { hashes = [] } of objects.values()) for (const hash of hashes) needed.add(hash);
    for (const hash of places.keys()) if (!needed.has(hash)) places.delete(hash);
    const inChains = new Set([...objects.values()].flatMap(({ hashes = [] }) => hashes));
    for (const hash of this.kept.inDays) if (!inChains.has(hash)) this.kept.inDays.delete(hash);
  }
}

function stampOf({ sizeBytes, modifiedMs }: Pick<StoredLedgerObject, 'sizeBytes' | 'modifiedMs'>): string {
  return `${sizeBytes} ${Math.floor(modifiedMs)}`;
}

function byPlace(a: { place: Place }, b: { place: Place }): number {
  return comparePlaces(a.place, b.place);
}

/** As `inOrder` has them. */
function comparePlaces(a: Place, b: Place): number {
  return compareRanks(a, b) || (a.writer < b.writer ? -1 : a.writer > b.writer ? 1 : 0);
}
