import { decodeConfig, decodeIndexFile } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { settled, sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore } from '../../store/index.ts';
import {
  CONFIG_KEY,
  DATA_PREFIX,
  HOLDFAST_PREFIX,
  INDEX_PREFIX,
  idOfKey,
  KEYS_PREFIX,
  LEDGER_PREFIX,
  packKey,
  SNAPSHOTS_PREFIX,
} from '../layout.ts';
import { neededPacks } from '../object-lock/needed-objects.ts';
import { ReadPool } from '../read/pool.ts';
import { ReadWindow } from '../read/read-window.ts';
import { holdsRepository, Repository, sha256 } from '../repository.ts';
import { readSnapshot } from '../snapshots.ts';
import { readEpoch, succeeds } from './epoch.ts';
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
  /** Keys of the primary's ledger, without their prefix, that are not among these, each behind those that it builds on. */
  newEvents(known: ReadonlySet<string>): Promise<string[]>;
  /** Which of these keys the primary's ledger says were to be removed. Asked once something is gone. */
  namedAsRemoved(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Until when a lock holds an object of the mirror; undefined where none does. Nothing is held without it. */
  heldUntil?(key: string): Promise<number | undefined>;
}

export interface MirrorReport {
  copiedObjects: number;
  copiedBytes: number;
  removedObjects: number;
  /** Objects that were to be removed, and that their lock in the mirror holds: they go once it has run out. */
  heldObjects: number;
  /** Keys that the mirror has and the primary has lost: nobody said that they were to be removed. They stay. */
  unexplained: string[];
}

/** Packs are large, and each is in memory as a whole: six of restic's size, or many small ones. */
const PACK_WINDOW_BYTES = 102 * 1024 * 1024;
const PARALLEL = 32;
/** How many objects a request lists. */
const LISTED_AT_ONCE = 1000;
/** A prune removes what was listed before; so often it does not. */
const ATTEMPTS = 5;

/** What is copied before what; each kind only once all of those before it is there. */
const COPY_ORDER: readonly ObjectKind[][] = [
  ['key'],
  ['config'],
  ['pack', 'damaged'],
  ['index'],
  ['snapshot'],
  ['tail', 'mark', 'checkpoint', 'other'],
];
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
  await run.lease.release();
  return run.report;
}

/** Brings what the ledger says of a run to the mirror that it was of. */
export async function mirrorLedger(primary: Repository, mirror: ObjectStore, options: MirrorOptions): Promise<void> {
  await new MirrorRun(primary, mirror, options).ledger();
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
  };

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
    await assertMirrorOf(this.#primary, this.#mirror);
    // First: what is there by now was in the primary before, whoever copied it.
    const theirs = await listObjects(this.#mirror, '');
    const { rewritten, sizes } = await this.#readRewritten();
    const events = await this.#options.newEvents(eventsIn(theirs, sizes));
    const ours = await listReferring(this.#primary.store);
    const missing = [...ours].filter(([key, size]) => theirs.get(key) !== size && !isRewritten(kindOf(key)!));
    const gone = [...theirs.keys()].filter((key) => !ours.has(key));
    // What another run did in the meantime need not be done again.
    const isDue = missing.length + events.length + gone.length > 0;
    if (isDue && (await this.lease.take())) return this.#pass();
    progress.phase('copying to the mirror', {
      items: missing.length,
      bytes: missing.reduce((sum, [, size]) => sum + size, 0),
    });
    for (const kinds of COPY_ORDER) {
      if (kinds.includes('config')) await this.#putRewritten('config', rewritten, theirs);
      const objects = missing.filter(([key]) => kinds.includes(kindOf(key)!));
      if (kinds.includes('pack')) await this.#copyPacks(objects, theirs.size);
      else await sideBySide(objects, PARALLEL, ([key]) => this.#copy(key));
    }
    await this.#copyEvents(events);
    await this.#putRewritten('covered', rewritten, theirs);
    await this.#removeGone(gone, ours);
    // Last: a mirror with the primary's epoch has all that it had.
    await this.#putRewritten('epoch', rewritten, theirs);
  }

  async ledger(): Promise<void> {
    const known = eventsIn(await listObjects(this.#mirror, LEDGER_PREFIX), new Map());
    await this.#copyEvents(await this.#options.newEvents(known));
  }

  /** What is written anew now and then, as it was before anything else was looked at: it must not be ahead of that. */
  async #readRewritten(): Promise<{ rewritten: Map<string, Uint8Array>; sizes: Map<string, number> }> {
    const sizes = await listObjects(this.#primary.store, HOLDFAST_PREFIX);
    const rewritten = new Map<string, Uint8Array>();
    for (const key of [CONFIG_KEY, ...sizes.keys()]) {
      if (isRewritten(kindOf(key)!)) rewritten.set(key, await this.#get(key));
    }
    return { rewritten, sizes };
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
    await this.#put(key, await this.#get(key));
  }

  #assertMayGoOn(): void {
    this.#options.signal.throwIfAborted();
    this.lease.assertHeld();
  }

  /** Read side by side, and put one after the other: each builds on those before it. */
  async #copyEvents(events: readonly string[]): Promise<void> {
    for (let at = 0; at < events.length; at += PARALLEL) {
      const keys = events.slice(at, at + PARALLEL).map((event) => `${LEDGER_PREFIX}${event}`);
      const read = await sideBySide(keys, PARALLEL, async (key) => ({ key, bytes: await this.#get(key) }));
      for (const { key, bytes } of read) {
        this.#assertMayGoOn();
        await this.#put(key, bytes);
      }
    }
  }

  /** Through shared memory, in which threads see to it that each pack is what its name says. */
  async #copyPacks(packs: readonly [key: string, sizeBytes: number][], theirCount: number): Promise<void> {
    if (packs.length === 0) return;
    await using pool = new ReadPool(this.#primary.key);
    const window = new ReadWindow(PACK_WINDOW_BYTES);
    const stored = new Map<string, number>();
    await sideBySide(packs, PARALLEL, async ([key, sizeBytes]) => {
      const region = await window.take(sizeBytes);
      try {
        this.#assertMayGoOn();
        const { bytes, md5 } = await this.#getPack(key, { sizeBytes, into: region.bytes, pool });
        await this.#mirror.put(key, bytes, { bulk: true, ...(md5 !== undefined && { md5 }) });
        stored.set(key, bytes.byteLength);
        this.#count(bytes.byteLength);
      } finally {
        window.give(region);
      }
    });
    await this.#confirm(stored, theirCount);
  }

  async #getPack(
    key: string,
    { sizeBytes, into, pool }: { sizeBytes: number; into: Uint8Array; pool: ReadPool },
  ): Promise<{ bytes: Uint8Array; md5?: string }> {
    const bytes = await this.#primary.store.get(key, { offset: 0, length: sizeBytes }, { into });
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    const digests = isShared ? await pool.digest(bytes) : { sha256: sha256(bytes) };
    const { sha256: id, ...others } = digests;
    if (id === idOfKey(key)) return { bytes, ...others };
    // Read as a whole, it is held against what the store says of it as well, and its damage is told.
    return { bytes: await this.#get(key) };
  }

  /** That what was stored is there as it was given: by a listing, where that takes fewer requests than a look at each. */
  async #confirm(stored: ReadonlyMap<string, number>, theirCount: number): Promise<void> {
    const pages = (theirCount + stored.size) / LISTED_AT_ONCE;
    const listed = pages < stored.size ? await listObjects(this.#mirror, DATA_PREFIX) : new Map<string, number>();
    await sideBySide([...stored], PARALLEL, async ([key, sizeBytes]) => {
      // A listing may lag behind.
      if (listed.get(key) !== sizeBytes) await this.#confirmOne(key, sizeBytes);
    });
  }

  /** An object of the primary, as it was written. */
  #get(key: string): Promise<Uint8Array> {
    return readAuthentic(this.#primary, this.#primary.store, key);
  }

  async #put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#mirror.put(key, bytes);
    await this.#confirmOne(key, bytes.byteLength);
    this.#count(bytes.byteLength);
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

/** All of a repository with sizes in bytes, what refers to others listed before them. */
async function listReferring(store: ObjectStore): Promise<Map<string, number>> {
  const listed = new Map<string, number>();
  for (const prefix of [HOLDFAST_PREFIX, SNAPSHOTS_PREFIX, INDEX_PREFIX, DATA_PREFIX, KEYS_PREFIX]) {
    for (const [key, size] of await listObjects(store, prefix)) listed.set(key, size);
  }
  listed.set(CONFIG_KEY, 0);
  return listed;
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
  const ours = await listReferring(primary.store);
  const gone = new Map([...theirs].filter(([key]) => !ours.has(key) && !['damaged', 'mark'].includes(kindOf(key)!)));
  // What was put in the meantime is not gone, whatever was listed.
  await sideBySide([...gone.keys()], PARALLEL, async (key) => {
    if ((await primary.store.stat(key)) !== undefined) gone.delete(key);
  });
  return { gone, all: theirs.size };
}

/** The objects below a prefix that belong to a repository, with their sizes in bytes. */
export async function listObjects(store: ObjectStore, prefix: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes } of store.list(prefix)) if (kindOf(key) !== undefined) sizes.set(key, sizeBytes);
  return sizes;
}

/** The events that are whole in a mirror, as far as sizes tell. */
function eventsIn(theirs: ReadonlyMap<string, number>, ours: ReadonlyMap<string, number>): Set<string> {
  const isWhole = ([key, size]: [string, number]): boolean => size === (ours.get(key) ?? size);
  const events = [...theirs].filter((entry) => kindOf(entry[0]) === 'ledger' && isWhole(entry));
  return new Set(events.map(([key]) => key.slice(LEDGER_PREFIX.length)));
}

/**
 * That nothing lies at a mirror's place, or a copy of this repository that may be brought up to date.
 * @throws mirror-refused
 */
export async function assertMirrorOf(primary: Repository, mirror: ObjectStore): Promise<void> {
  if (!(await holdsRepository(mirror))) return;
  const refused = (how: string, hint: string): HoldfastError =>
    new HoldfastError('mirror-refused', `${mirror.location} cannot be a mirror of ${primary.store.location}: ${how}`, {
      hint: `Nothing was changed there. ${hint}`,
      context: { mirror: mirror.location },
    });
  const sealed = await mirror.get(CONFIG_KEY);
  try {
    const { id } = decodeConfig(primary.key, sealed);
    if (id !== primary.config.id) throw refused('another repository lies there', 'Name an empty place in the plan.');
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw refused('another repository lies there', 'Name an empty place in the plan.');
  }
  const [own, its] = [await readEpoch(primary), await readEpoch(primary, mirror)];
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
