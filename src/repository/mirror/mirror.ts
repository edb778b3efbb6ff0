import { hash } from 'node:crypto';
import { decodeConfig, decodeIndexFile } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { allOver, awaitedLater, settled, sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, PutOptions, StoredObject } from '../../store/index.ts';
import {
  CONFIG_KEY,
  DATA_PREFIX,
  EPOCH_KEY,
  HOLDFAST_PREFIX,
  INDEX_PREFIX,
  idOfKey,
  KEYS_PREFIX,
  LEDGER_PREFIX,
  packKey,
  SNAPSHOTS_PREFIX,
  TAIL_PREFIX,
} from '../layout.ts';
import { neededPacks } from '../object-lock/needed-objects.ts';
import { ReadPool } from '../read/pool.ts';
import { ReadWindow } from '../read/read-window.ts';
import type { DigestAlgorithm } from '../read/worker.ts';
import { Repository } from '../repository.ts';
import { readSnapshot } from '../snapshots.ts';
import { readEpoch, succeeds } from './epoch.ts';
import { isRecoverable, lagOf } from './lag.ts';
import { type LeaseOptions, MirrorLease } from './lease.ts';
import { isRewritten, kindOf, type ObjectKind, readAuthentic } from './objects.ts';

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
  /** Records what came of the run, while its lease is given back. */
  onDone?(report: MirrorReport): Promise<void>;
}

export interface MirrorReport {
  copiedObjects: number;
  copiedBytes: number;
  removedObjects: number;
  /** Objects that were to be removed, and that their lock in the mirror holds: they go once it has run out. */
  heldObjects: number;
  /** Keys that the mirror has and the primary has lost: nobody said that they were to be removed. They stay. */
  unexplained: string[];
  /** For how long the oldest snapshot or part of a log that it lacked had been in the primary; 0 where it lacked none. */
  lagMs: number;
  /** Keys of the ledger, without their prefix, that the mirror has now. */
  events: ReadonlySet<string>;
}

/** Packs are large, and each is in memory as a whole: six of restic's size, or many small ones. */
const PACK_WINDOW_BYTES = 102 * 1024 * 1024;
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

interface ReadPack {
  bytes: Uint8Array;
  /** As the primary's store has it. */
  toldMd5: string | undefined;
}

type SizedKey = [key: string, sizeBytes: number];

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
    unexplained: [],
    lagMs: 0,
    events: new Set(),
  };
  /** What is being read before its turn. */
  readonly #ahead = new Map<string, Promise<Uint8Array>>();
  /** What was put and not looked at since, with its size in bytes. */
  readonly #unconfirmed = new Map<string, number>();
  /** Whether what the primary's store says of the MD5 of packs was right each time that it was looked at. */
  #isToldRight: boolean | undefined;
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
    const packs = this.#copyPacks(of(BULK), entrance);
    const ledgerKeys = events.map((event) => `${LEDGER_PREFIX}${event}`);
    this.#readAhead([...COPY_ORDER.flatMap(of), ...ledgerKeys.map((key): SizedKey => [key, ours.get(key) ?? 0])]);
    await allOver([entrance, packs]);
    await this.#confirm();
    for (const kinds of COPY_ORDER) {
      await copy(kinds);
      // What refers to it comes next.
      if (kinds.includes('index')) await this.#confirm();
    }
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

  /**
   * Through shared memory, in which threads see to it that each pack is what its name says.
   * @param entrance before which nothing is put
   */
  async #copyPacks(packs: readonly SizedKey[], entrance: Promise<void>): Promise<void> {
    if (packs.length === 0) return;
    await using pool = new ReadPool(this.#primary.key);
    const window = new ReadWindow(PACK_WINDOW_BYTES);
    await sideBySide(packs, PARALLEL, async ([key, sizeBytes]) => {
      const region = await window.take(sizeBytes);
      try {
        this.#assertMayGoOn();
        const pack = await this.#getPack(key, { sizeBytes, into: region.bytes, pool });
        await entrance;
        await this.#putPack(key, pack, pool);
      } finally {
        window.give(region);
      }
    });
  }

  async #getPack(
    key: string,
    { sizeBytes, into, pool }: { sizeBytes: number; into: Uint8Array; pool: ReadPool },
  ): Promise<ReadPack> {
    let toldMd5: string | undefined;
    const onMd5 = (md5: string): void => {
      toldMd5 = md5;
    };
    const bytes = await this.#primary.store.get(key, { offset: 0, length: sizeBytes }, { into, onMd5 });
    if ((await digestOf('sha256', bytes, pool)) === idOfKey(key)) return { bytes, toldMd5 };
    // Read as a whole, it is held against what the store says of it as well, and its damage is told.
    return { bytes: await this.#get(key), toldMd5: undefined };
  }

  /** What arrives is held against its MD5 by the store. To find that out takes longer than all else here. */
  async #putPack(key: string, { bytes, toldMd5 }: ReadPack, pool: ReadPool): Promise<void> {
    const put = (md5: string) => this.#put(key, bytes, { bulk: true, md5 });
    if (toldMd5 !== undefined && this.#isToldRight) {
      try {
        return await put(toldMd5);
      } catch (error) {
        // Of this one the primary's store may have been wrong.
        if ((await digestOf('md5', bytes, pool)) === toldMd5) throw error;
      }
    }
    const md5 = await digestOf('md5', bytes, pool);
    if (toldMd5 !== undefined) this.#isToldRight = (this.#isToldRight ?? true) && md5 === toldMd5;
    await put(md5);
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
    await this.#mirror.put(key, bytes, options);
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
    for (const kind of REMOVAL_ORDER) {
      const going = gone.filter((key) => kindOf(key) === kind && !staying.has(key));
      await sideBySide(going, PARALLEL, async (key) => {
        this.#assertMayGoOn();
        await this.#mirror.delete(key);
        this.report.removedObjects++;
      });
    }
    const left = gone.filter((key) => staying.has(key));
    const isHeld = (key: string): boolean => held.size > 0 && named.has(key);
    this.report.heldObjects = left.filter(isHeld).length;
    // What a repair put aside is a person's to remove, and no loss.
    this.report.unexplained = left.filter((key) => !isHeld(key) && kindOf(key) !== 'damaged').sort();
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

/** By a thread, where the bytes need not be copied for that. */
async function digestOf(algorithm: DigestAlgorithm, bytes: Uint8Array, pool: ReadPool): Promise<string> {
  return bytes.buffer instanceof SharedArrayBuffer ? pool.digest(algorithm, bytes) : hash(algorithm, bytes, 'hex');
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

/** Adds what is referred to by what was listed already: what refers to others is listed before them. */
async function listReferredTo(
  store: ObjectStore,
  listed: Map<string, number>,
  note?: (object: StoredObject) => void,
): Promise<void> {
  for (const prefixes of [[SNAPSHOTS_PREFIX], [INDEX_PREFIX], [DATA_PREFIX, KEYS_PREFIX]]) {
    for (const some of await sideBySide(prefixes, prefixes.length, (prefix) => listObjects(store, prefix, note))) {
      for (const [key, size] of some) listed.set(key, size);
    }
  }
  listed.set(CONFIG_KEY, 0);
}

/**
 * What a mirror has and its primary does not, whoever may have said that it was to go: keys with sizes in bytes, without
 * what a person may tidy up as they like.
 * @returns also how many objects the mirror has in all
 * @throws mirror-refused when it is no mirror of that
 */
export async function findGone(
  primary: Repository,
  mirror: ObjectStore,
): Promise<{ gone: Map<string, number>; all: number }> {
  await assertMirrorOf(primary, mirror);
  const theirs = await listObjects(mirror, '');
  const ours = await listObjects(primary.store, HOLDFAST_PREFIX);
  await listReferredTo(primary.store, ours);
  const gone = new Map([...theirs].filter(([key]) => !ours.has(key) && !['damaged', 'mark'].includes(kindOf(key)!)));
  // What was put in the meantime is not gone, whatever was listed.
  await sideBySide([...gone.keys()], PARALLEL, async (key) => {
    if ((await primary.store.stat(key)) !== undefined) gone.delete(key);
  });
  return { gone, all: theirs.size };
}

/** The objects below a prefix that belong to a repository, with their sizes in bytes. @param note is told of each */
export async function listObjects(
  store: ObjectStore,
  prefix: string,
  note?: (object: StoredObject) => void,
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const object of store.list(prefix)) {
    if (kindOf(object.key) === undefined) continue;
    sizes.set(object.key, object.sizeBytes);
    note?.(object);
  }
  return sizes;
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

/**
 * That nothing lies at a mirror's place, or a copy of this repository that may be brought up to date.
 * @throws mirror-refused
 */
export async function assertMirrorOf(primary: Repository, mirror: ObjectStore): Promise<void> {
  // From afar each is a round trip.
  const epochs = [awaitedLater(readEpoch(primary)), awaitedLater(readEpoch(primary, mirror))] as const;
  const sealed = await configIn(mirror);
  if (sealed === undefined) return;
  const refused = (how: string, hint: string): HoldfastError =>
    new HoldfastError('mirror-refused', `${mirror.location} cannot be a mirror of ${primary.store.location}: ${how}`, {
      hint: `Nothing was changed there. ${hint}`,
      context: { mirror: mirror.location },
    });
  try {
    const { id } = decodeConfig(primary.key, sealed);
    if (id !== primary.config.id) throw refused('another repository lies there', 'Name an empty place in the plan.');
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw refused('another repository lies there', 'Name an empty place in the plan.');
  }
  const [own, its] = await Promise.all(epochs);
  if (succeeds(own, its)) return;
  if (succeeds(its, own)) {
    throw refused(
      'it was made the primary itself since',
      'Change the plan: what it calls the mirror is the repository now, and what it calls the primary may become a mirror of it.',
    );
  }
  throw refused(
    'each of them was made the primary without knowing of the other',
    'Both may have what the other lacks. Decide which of them goes on, and let its mirrors lie in other places.',
  );
}

async function configIn(store: ObjectStore): Promise<Uint8Array | undefined> {
  try {
    return await store.get(CONFIG_KEY);
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  }
}
