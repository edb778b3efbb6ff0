import { decodeIndexFile } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { allOver, awaitedLater, settled, sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, PutOptions, StoredObject } from '../../store/index.ts';
import { CONFIG_KEY, EPOCH_KEY, HOLDFAST_PREFIX, LEDGER_PREFIX, packKey, TAIL_PREFIX } from '../layout.ts';
import { neededPacks } from '../object-lock/needed-objects.ts';
import { Repository } from '../repository.ts';
import { readSnapshot } from '../snapshots.ts';
import { assertMirrorOf } from './assert-mirror.ts';
import { copyPacks } from './copy-packs.ts';
import { isRecoverable, lagOf } from './lag.ts';
import { type LeaseOptions, MirrorLease } from './lease.ts';
import { listObjects, listReferredTo, type SizedKey } from './listings.ts';
import { isBulk, isRewritten, kindOf, type ObjectKind, readAuthentic } from './objects.ts';
import { putOrKeep } from './put-or-keep.ts';

/**
 * Exact copies of a repository in another place. What refers to something is listed before it and copied after it, so that
 * a mirror is at every instant a repository that stock restic opens; locks are nobody's there and are not copied.
 *
 * Nothing goes from a mirror because it is gone from its primary: somebody must have said before that it was going to be
 * removed. So a repository that is wiped, or that somebody tidied up behind our back, does not take its mirrors with it.
 */

export interface MirrorOptions extends LeaseOptions {
  /**
   * Keys of the primary's ledger, without their prefix, that are not among these, each behind those that it builds on.
   * @param listed those of all that is to come, as they were just listed
   */
  newEvents(known: ReadonlySet<string>, listed: readonly string[]): Promise<string[]>;
  /** Which of these keys the primary's ledger says were to be removed. Asked once something is gone. */
  namedAsRemoved(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Until when a lock holds an object of the mirror; undefined where none does. Nothing is held without it. */
  heldUntil?(key: string): Promise<number | undefined>;
  /** Told once there is something to do, before it is begun. */
  onDue?(): void;
  /** Told when nothing but the ledger is left to be copied. */
  onEnding?(): void;
  /** Records what came of the run, while its lease is given back. */
  onDone?(report: MirrorReport): Promise<void>;
}

export interface MirrorReport {
  copiedObjects: number;
  copiedBytes: number;
  removedObjects: number;
  /** Objects that were to be removed, and that their lock in the mirror holds: they go once it has run out. */
  heldObjects: number;
  /** Objects that were to be removed or replaced, and that these credentials may not: that is for a run of whoever may. */
  keptObjects: number;
  /** Keys that the mirror has and the primary has lost: nobody said that they were to be removed. They stay. */
  unexplained: string[];
  /** For how long the oldest snapshot or part of a log that it lacked had been in the primary; 0 where it lacked none. */
  lagMs: number;
  /** Keys of the ledger, without their prefix, that the mirror has now. */
  events: ReadonlySet<string>;
}

const PARALLEL = 32;
/** So much of what is not packs is read before its turn to be put. */
const AHEAD_BYTES = 16 * 1024 * 1024;
/** How many objects a request lists, and to how many looks at one object it comes, as stores charge for both. */
const LISTED_AT_ONCE = 1000;
const LOOKS_PER_LISTING = 12;
/** A prune removes what was listed before; so often it does not. */
const ATTEMPTS = 5;

/** What is copied before what; each kind only once all of those before it is there. */
const COPY_ORDER: readonly ObjectKind[][] = [['index'], ['snapshot'], ['tail', 'mark', 'checkpoint', 'other']];
/** Before these, and after keys and configuration. */
const BULK: readonly ObjectKind[] = ['pack', 'damaged'];
/** What refers to others goes before them. */
const REMOVAL_ORDER: readonly ObjectKind[] = ['mark', 'key', 'tail', 'snapshot', 'index', 'pack', 'ledger'];

/**
 * Brings a mirror up to date. Cut off at any instant, the next run goes on where it was.
 * @throws mirror-refused when another repository lies there, or one that was made the primary; repository-damaged when the
 *   primary lacks or has damaged what it should have; the stores' errors
 */
export async function mirrorRepository(
  primary: Repository,
  mirror: ObjectStore,
  options: MirrorOptions,
): Promise<MirrorReport> {
  const run = new MirrorRun(primary, mirror, options);
  try {
    await run.untilDone();
  } catch (error) {
    // What the run met is the news: what is left of a lease binds nobody for long.
    await settled(run.lease.release());
    throw error;
  }
  await allOver([run.lease.release(), options.onDone?.(run.report)]);
  return run.report;
}

/** Brings what the ledger says of a run to the mirror that it was of. @param known the `events` of its report */
export async function mirrorLedger(
  primary: Repository,
  mirror: ObjectStore,
  { known, ...options }: MirrorOptions & { known: ReadonlySet<string> },
): Promise<void> {
  await new MirrorRun(primary, mirror, options).ledger(known);
}

/** What a run found. */
interface Found {
  /** Keys with sizes in bytes. */
  theirs: ReadonlyMap<string, number>;
  ours: ReadonlyMap<string, number>;
  /** What has another content now and then, as it was before anything of the primary was listed. */
  rewritten: ReadonlyMap<string, Uint8Array>;
  /** Of the ledger, in the order in which they are to be copied. */
  events: readonly string[];
}

class MirrorRun {
  readonly #primary: Repository;
  readonly #mirror: ObjectStore;
  readonly #options: MirrorOptions;
  readonly lease: MirrorLease;
  readonly report: MirrorReport = {
    copiedObjects: 0,
    copiedBytes: 0,
    removedObjects: 0,
    heldObjects: 0,
    keptObjects: 0,
    unexplained: [],
    lagMs: 0,
    events: new Set(),
  };
  /** What is being read before its turn. */
  readonly #ahead = new Map<string, Promise<Uint8Array>>();
  /** What was put and not looked at since, with its size in bytes. */
  readonly #unconfirmed = new Map<string, number>();
  /** How many objects the mirror had. */
  #theirCount = 0;

  constructor(primary: Repository, mirror: ObjectStore, options: MirrorOptions) {
    this.#primary = primary;
    this.#mirror = mirror;
    this.#options = options;
    this.lease = new MirrorLease(primary.key, mirror, options);
  }

  async untilDone(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#pass();
      } catch (error) {
        // Gone since it was listed: a later listing does not have it. What is listed again and again must be there.
        if (!isHoldfastError(error, 'object-missing') || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async #pass(): Promise<void> {
    const { progress } = this.#options;
    this.report.keptObjects = 0;
    progress.phase('looking at what is there');
    const { found, hasWaited } = await this.#look();
    // What another run did in the meantime need not be done again.
    if (hasWaited) return this.#pass();
    const { theirs, ours, rewritten, events } = found;
    const { missing, gone } = differenceOf(found);
    progress.phase('copying to the mirror', {
      items: missing.length,
      bytes: missing.reduce((sum, [, size]) => sum + size, 0),
    });
    await this.#copyAll(missing, found);
    await this.#putRewritten('covered', rewritten, theirs);
    await this.#confirm();
    this.report.events = new Set([...eventsIn(theirs, ours), ...events]);
    await this.#removeGone(gone, ours);
    // Last: a mirror with the primary's epoch has all that it had.
    await this.#putRewritten('epoch', rewritten, theirs);
    await this.#confirm();
  }

  /**
   * What is there and there, and the lease where that differs. From afar each listing is a round trip: what may be is asked
   * for side by side.
   * @returns also whether another run had the lease: then what was found is of before
   */
  async #look(): Promise<{ found: Found; hasWaited: boolean }> {
    const { newEvents } = this.#options;
    const { store } = this.#primary;
    // First: what the mirror has by now was in the primary before, whoever copied it.
    const [theirs, rewritten] = await allOver([
      listObjects(this.#mirror, ''),
      this.#readRewritten(),
      assertMirrorOf(this.#primary, this.#mirror),
    ]);
    this.#theirCount = theirs.size;
    const recoverable: StoredObject[] = [];
    const note = (object: StoredObject): void => void (isRecoverable(object) && recoverable.push(object));
    const ours = await listObjects(store, HOLDFAST_PREFIX, note);
    const isDueAlready = [...ours.keys()].some((key) => !theirs.has(key));
    const listed = [...ours.keys()].filter((key) => kindOf(key) === 'ledger').map(eventOf);
    const [events, , hasWaited] = await allOver([
      newEvents(eventsIn(theirs, ours), listed),
      listReferredTo(store, ours, note),
      isDueAlready && this.#takeLease(),
    ]);
    const found = { theirs, ours, rewritten, events };
    this.report.lagMs ||= lagOf(recoverable, theirs, this.#options.clock.nowMs()).lagMs;
    const { missing, gone } = differenceOf(found);
    const isDue = missing.length + events.length + gone.length > 0;
    return { found, hasWaited: isDue && !isDueAlready ? await this.#takeLease() : hasWaited };
  }

  /** @returns whether another run had it */
  #takeLease(): Promise<boolean> {
    this.#options.onDue?.();
    return this.lease.take();
  }

  async ledger(known: ReadonlySet<string>): Promise<void> {
    const listed = [...(await listObjects(this.#primary.store, LEDGER_PREFIX))];
    this.#theirCount = Number.POSITIVE_INFINITY;
    this.#readAhead(listed.filter(([key]) => !known.has(eventOf(key))));
    const keys = listed.map(([key]) => eventOf(key));
    const events = await this.#options.newEvents(known, keys);
    await this.#copyEvents(events.map((event) => `${LEDGER_PREFIX}${event}`));
    await this.#confirm();
  }

  /** What is written anew now and then, as it is before anything else is looked at: it must not be ahead of that. */
  async #readRewritten(): Promise<Map<string, Uint8Array>> {
    const tails = listObjects(this.#primary.store, TAIL_PREFIX);
    const read = async (key: string): Promise<[string, Uint8Array]> => [key, await this.#get(key)];
    const readIfThere = (key: string) =>
      read(key).catch((error: unknown) => {
        if (!isHoldfastError(error, 'object-missing')) throw error;
        return undefined;
      });
    const covered = tails.then((keys) => [...keys.keys()].filter((key) => isRewritten(kindOf(key)!)));
    const [config, epoch, others] = await allOver([
      read(CONFIG_KEY),
      readIfThere(EPOCH_KEY),
      covered.then((keys) => sideBySide(keys, PARALLEL, read)),
    ]);
    return new Map([config, ...(epoch === undefined ? [] : [epoch]), ...others]);
  }

  /** All but what is written anew at the end. */
  async #copyAll(missing: readonly SizedKey[], { rewritten, theirs, ours, events }: Found): Promise<void> {
    const of = (kinds: readonly ObjectKind[]) => missing.filter(([key]) => kinds.includes(kindOf(key)!));
    const copy = (kinds: readonly ObjectKind[]) => sideBySide(of(kinds), PARALLEL, ([key]) => this.#copy(key));
    const entrance = copy(['key']).then(() => this.#putRewritten('config', rewritten, theirs));
    const packs = copyPacks(of(BULK), {
      primary: this.#primary,
      assertMayGoOn: () => this.#assertMayGoOn(),
      put: async (key, bytes, md5) => {
        await entrance;
        await this.#put(key, bytes, { bulk: isBulk(this.#primary, key, bytes), md5 });
      },
    });
    const ledgerKeys = events.map((event) => `${LEDGER_PREFIX}${event}`);
    this.#readAhead([...COPY_ORDER.flatMap(of), ...ledgerKeys.map((key): SizedKey => [key, ours.get(key) ?? 0])]);
    await allOver([entrance, packs]);
    await this.#confirm();
    for (const kinds of COPY_ORDER) {
      await copy(kinds);
      // What refers to it comes next.
      if (kinds.includes('index')) await this.#confirm();
    }
    this.#options.onEnding?.();
    await this.#copyEvents(ledgerKeys);
  }

  /** Begins to read what is small, in the order in which it is put. */
  #readAhead(objects: readonly SizedKey[]): void {
    this.#ahead.clear();
    let aheadBytes = 0;
    for (const [key, sizeBytes] of objects.slice(0, PARALLEL)) {
      aheadBytes += sizeBytes;
      if (aheadBytes > AHEAD_BYTES) return;
      this.#ahead.set(key, awaitedLater(this.#get(key)));
    }
  }

  async #putRewritten(
    kind: ObjectKind,
    rewritten: ReadonlyMap<string, Uint8Array>,
    theirs: ReadonlyMap<string, number>,
  ): Promise<void> {
    for (const [key, bytes] of rewritten) {
      if (kindOf(key) !== kind) continue;
      const isThere = theirs.has(key) && Buffer.from(await this.#mirror.get(key)).equals(bytes);
      if (!isThere) await this.#put(key, bytes);
    }
  }

  async #copy(key: string): Promise<void> {
    this.#assertMayGoOn();
    const read = this.#ahead.get(key) ?? this.#get(key);
    this.#ahead.delete(key);
    await this.#put(key, await read);
  }

  #assertMayGoOn(): void {
    this.#options.signal.throwIfAborted();
    this.lease.assertHeld();
  }

  /** Read side by side, and put one after the other: each builds on those before it. */
  async #copyEvents(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += PARALLEL) {
      const some = keys.slice(at, at + PARALLEL);
      const read = some.map((key) => ({ key, bytes: this.#ahead.get(key) ?? awaitedLater(this.#get(key)) }));
      for (const { key, bytes } of read) {
        this.#assertMayGoOn();
        await this.#put(key, await bytes);
      }
    }
  }

  /** That what was put is there as it was given: by a listing, where that costs less than a look at each. */
  async #confirm(): Promise<void> {
    const stored = [...this.#unconfirmed];
    const pages = (this.#theirCount + stored.length) / LISTED_AT_ONCE;
    const listed =
      pages * LOOKS_PER_LISTING < stored.length ? await listObjects(this.#mirror, '') : new Map<string, number>();
    await sideBySide(stored, PARALLEL, async ([key, sizeBytes]) => {
      // A listing may lag behind.
      if (listed.get(key) !== sizeBytes) await this.#confirmOne(key, sizeBytes);
      this.#unconfirmed.delete(key);
    });
    this.#theirCount += stored.length;
  }

  /** An object of the primary, as it was written. */
  #get(key: string): Promise<Uint8Array> {
    return readAuthentic(this.#primary, this.#primary.store, key);
  }

  async #put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    const sizeBytes = bytes.byteLength;
    if ((await putOrKeep(this.#mirror, key, bytes, options)) === 'kept') {
      this.report.keptObjects++;
      return;
    }
    this.#unconfirmed.set(key, sizeBytes);
    this.#count(sizeBytes);
  }

  async #confirmOne(key: string, sizeBytes: number): Promise<void> {
    const stored = await this.#mirror.stat(key);
    if (stored?.sizeBytes === sizeBytes) return;
    const how = stored === undefined ? 'is not there' : `has ${stored.sizeBytes} bytes`;
    throw new HoldfastError(
      'store-failed',
      `${key} ${how} after ${sizeBytes} were written to ${this.#mirror.location}`,
    );
  }

  #count(sizeBytes: number): void {
    this.report.copiedObjects++;
    this.report.copiedBytes += sizeBytes;
    this.#options.progress.advance({ items: 1, bytes: sizeBytes });
  }

  async #removeGone(gone: readonly string[], ours: ReadonlyMap<string, number>): Promise<void> {
    if (gone.length === 0) return;
    const named = await this.#options.namedAsRemoved(gone);
    const held = await this.#heldOf([...named]);
    const free = named.difference(held);
    // A mark holds nothing but what is to be looked at again.
    const mayGo = (key: string): boolean => free.has(key) || kindOf(key) === 'mark';
    const staying = new Set(gone.filter((key) => !mayGo(key)));
    await this.#keepWhatIsNeeded(gone.filter(mayGo), { ours, named: free, staying });
    const { deletes = true } = await this.#mirror.capabilities();
    if (deletes) await this.#remove(gone.filter((key) => !staying.has(key)));
    else this.report.keptObjects += gone.filter((key) => !staying.has(key)).length;
    const left = gone.filter((key) => staying.has(key));
    const isHeld = (key: string): boolean => held.size > 0 && named.has(key);
    this.report.heldObjects = left.filter(isHeld).length;
    // What a repair put aside is a person's to remove, and no loss.
    this.report.unexplained = left.filter((key) => !isHeld(key) && kindOf(key) !== 'damaged').sort();
  }

  async #remove(keys: readonly string[]): Promise<void> {
    for (const kind of REMOVAL_ORDER) {
      const going = keys.filter((key) => kindOf(key) === kind);
      await sideBySide(going, PARALLEL, async (key) => {
        this.#assertMayGoOn();
        await this.#mirror.delete(key);
        this.report.removedObjects++;
      });
    }
  }

  /** Those of these keys that a lock in the mirror holds, and the packs that a snapshot which is held needs. */
  async #heldOf(keys: readonly string[]): Promise<Set<string>> {
    const { heldUntil, signal, progress } = this.#options;
    if (heldUntil === undefined) return new Set();
    const until = await sideBySide(keys, PARALLEL, heldUntil);
    const held = new Set(keys.filter((_, index) => until[index] !== undefined));
    const copy = this.#copyInMirror();
    const snapshots = [...held].filter((key) => kindOf(key) === 'snapshot');
    if (snapshots.length === 0) return held;
    const read = await Promise.all(snapshots.map((key) => readSnapshot(copy, key)));
    const { needed } = await neededPacks(copy, read, { signal, progress });
    return held.union(new Set([...needed].map(packKey)));
  }

  /** Index files stay that alone name a pack which nobody said was to be removed; packs stay that an index still names. */
  async #keepWhatIsNeeded(
    going: readonly string[],
    { ours, named, staying }: { ours: ReadonlyMap<string, number>; named: ReadonlySet<string>; staying: Set<string> },
  ): Promise<void> {
    const isOf = (kind: ObjectKind) => (key: string) => kindOf(key) === kind;
    const [indexes, packs] = [going.filter(isOf('index')), going.filter(isOf('pack'))];
    if (indexes.length + packs.length === 0) return;
    const needed = new Set<string>();
    const kept = [...[...ours.keys()].filter(isOf('index')), ...[...staying].filter(isOf('index'))];
    await sideBySide(kept, PARALLEL, async (key) => {
      for (const pack of await this.#packsOf(key)) needed.add(packKey(pack));
    });
    await sideBySide(indexes, PARALLEL, async (key) => {
      const own = (await this.#packsOf(key)).map(packKey);
      if (own.every((pack) => needed.has(pack) || named.has(pack))) return;
      staying.add(key);
      for (const pack of own) needed.add(pack);
    });
    for (const pack of packs) if (needed.has(pack)) staying.add(pack);
  }

  async #packsOf(indexKey: string): Promise<string[]> {
    return decodeIndexFile(await this.#copyInMirror().getDocument(indexKey)).packs.map(({ id }) => id);
  }

  #copyInMirror(): Repository {
    const { key, config, keyId } = this.#primary;
    return new Repository(this.#mirror, key, config, keyId);
  }
}

/** What a mirror lacks, with sizes in bytes, and what it has and its primary does not. */
function differenceOf({ theirs, ours }: Pick<Found, 'theirs' | 'ours'>): {
  missing: SizedKey[];
  gone: string[];
} {
  return {
    missing: [...ours].filter(
      ([key, size]) => theirs.get(key) !== size && kindOf(key) !== 'ledger' && !isRewritten(kindOf(key)!),
    ),
    gone: [...theirs.keys()].filter((key) => !ours.has(key)),
  };
}

function eventOf(key: string): string {
  return key.slice(LEDGER_PREFIX.length);
}

/** The events that are whole in a mirror, as far as sizes tell. */
function eventsIn(theirs: ReadonlyMap<string, number>, ours: ReadonlyMap<string, number>): Set<string> {
  const isWhole = ([key, size]: [string, number]): boolean => size === (ours.get(key) ?? size);
  const events = [...theirs].filter((entry) => kindOf(entry[0]) === 'ledger' && isWhole(entry));
  return new Set(events.map(([key]) => eventOf(key)));
}
