import { hostname } from 'node:os';
import { formatTimeMs, type HoldfastLock, type LockFile } from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError } from '../foundation/errors.ts';
import { allOver, settled } from '../foundation/promises.ts';
import { currentUser } from '../foundation/user.ts';
import { readMark, readMarks } from './prune/marks.ts';
import type { Repository } from './repository.ts';
import { describeHolder, removeStanding, type StandingLock, standingLocks } from './standing-locks.ts';
import { type LockPlace, lockFiles, writerEntry } from './writers.ts';

/**
 * Locks as restic has them: any number of shared ones, or one exclusive one. A holder refreshes its own; one that nobody
 * refreshed for half an hour, or whose process on this machine is gone, is stale and binds nobody: who meets it removes it.
 * Source: restic's design document, "Locks".
 *
 * What is relied on is that a listing shows what was put and deleted up to some moment, and a later one no less; it may lag
 * behind. So who takes a lock looks until the listing shows that lock of their own, and no other that is gone already: of two
 * that come together, the later then sees the earlier.
 *
 * Beyond that, Holdfast's own know each other by what `HoldfastLock` says, so that upkeep, which is exclusive towards
 * everybody else, never keeps a backup from running.
 */

const REFRESH_EVERY_MS = 5 * 60_000;
/** A holder that could not refresh for so long must take it that others hold its lock for stale soon. */
const GIVE_UP_AFTER_MS = 22 * 60_000;
/** After taking a lock one looks again: somebody may have taken theirs in the same moment. */
const SETTLE_MS = 200;
/** So long a listing may lag behind: with more, locks could not be waited for. */
const LONGEST_LAG_MS = 60_000;
const LOOK_AGAIN_MS = 100;

export interface HeldLock {
  /** @throws lock-lost when it could not be refreshed for so long that others may take it for stale, or was removed */
  assertHeld(): void;
  /**
   * The same, after a look at whether it lies in the repository still: for who is about to make something visible that
   * builds on what others may remove without the lock.
   * @throws lock-lost; the store's errors
   */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

export interface LockOptions {
  exclusive: boolean;
  clock: Clock;
  /**
   * With `exclusive`: others of ours may be there, as long as they know these marks (ids), or none when it is empty. Two
   * that are exclusive still exclude each other.
   */
  besideOurs?: readonly string[];
  /** Without `exclusive`: the holder looks at everything, also at what is marked, so that no upkeep may go on meanwhile. */
  whole?: boolean;
}

/**
 * Takes a lock. Load the index after that: the lock says which marks its holder keeps off, and those are read now.
 * @throws repository-locked when somebody's lock is in the way; store-unsuitable; permission-denied for an exclusive one with
 *   credentials that cannot delete
 */
export async function lockRepository(repository: Repository, options: LockOptions): Promise<HeldLock> {
  if (options.exclusive) await assertLockable(repository);
  // Side by side: from afar each takes round trips.
  const [{ deletes = true }, part] = await allOver([repository.store.capabilities(), ownPart(repository, options)]);
  const place = deletes ? lockFiles(repository) : writerEntry(repository);
  const lock = new RefreshedLock(repository, { ...options, place, isWriter: !deletes }, part);
  await refuseIfLocked(repository, lock);
  await lock.write();
  try {
    if (options.exclusive) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await standAlone(repository, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
  lock.keepFresh();
  return lock;
}

/**
 * That a repository can be locked for oneself: who is not listed at once would be run over, and a lock that cannot be removed
 * would keep everybody out. Without anybody exclusive, shared locks exclude nobody.
 * @throws store-unsuitable; permission-denied with credentials that cannot delete
 */
export async function assertLockable(repository: Repository): Promise<void> {
  const { consistentListing, deletes = true } = await repository.store.capabilities();
  if (!consistentListing) throw locksAreUnseen(repository);
  if (!deletes) throw cannotDelete(repository);
}

function locksAreUnseen({ store }: Repository): HoldfastError {
  return new HoldfastError(
    'store-unsuitable',
    `the repository at ${store.location} cannot be locked for oneself: its listings do not show at once what was written`,
    {
      hint: 'Backups and restores need no such lock. For upkeep, copy the repository to a store with consistent listings.',
    },
  );
}

/** Whose own lock could not be removed again would keep everybody else out. */
function cannotDelete({ store }: Repository): HoldfastError {
  return new HoldfastError(
    'permission-denied',
    `the repository at ${store.location} cannot be locked for oneself: these credentials cannot delete`,
    {
      hint: 'Backups need no such permission. For upkeep, use credentials that may delete.',
      context: { store: store.location },
    },
  );
}

/** Looks until nothing is in the way as far as a listing shows that can be relied on. */
async function standAlone(repository: Repository, lock: RefreshedLock): Promise<void> {
  const beganMs = lock.clock.monotonicMs();
  for (;;) {
    const seen = await refuseIfLocked(repository, lock);
    // A mark that came up in the meantime is said in the lock as well, and then one looks again.
    if (seen.learnt) await lock.write();
    else if (seen.own && !seen.gone) return;
    // Removed by somebody, it is never listed.
    else await lock.confirm();
    if (lock.clock.monotonicMs() - beganMs > LONGEST_LAG_MS) throw listingLags(repository);
    if (!seen.learnt) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

function listingLags({ store }: Repository): HoldfastError {
  return new HoldfastError(
    'store-failed',
    `the store at ${store.location} does not list what was put a minute ago: whether somebody else holds a lock cannot be told`,
    {
      hint: 'Use a store whose listings show what was written, or try again when it is well.',
      retryable: true,
      context: { store: store.location },
    },
  );
}

async function ownPart(repository: Repository, { exclusive, besideOurs, whole }: LockOptions): Promise<HoldfastLock> {
  if (besideOurs !== undefined) return { access: 'upkeep', marks: [...besideOurs] };
  if (exclusive) return { access: 'exclusive', marks: [] };
  if (whole) return { access: 'whole', marks: [] };
  return { access: 'shared', marks: (await readMarks(repository)).map(({ id }) => id) };
}

/** What a listing showed beside the locks of others. */
interface Seen {
  /** There were marks to be learnt, so that the lock is to be written again. */
  learnt: boolean;
  /** Our own lock. */
  own: boolean;
  /** One that was released, or gave way to a newer one of its holder that the listing may not show yet. */
  gone: boolean;
}

async function refuseIfLocked(repository: Repository, own: RefreshedLock): Promise<Seen> {
  const seen: Seen = { learnt: false, own: false, gone: false };
  const listing = {
    // Those who share exclude no writer.
    writers: own.isWriter || own.part.access !== 'shared',
    isOwn: (key: string): boolean => {
      if (key !== own.key) return false;
      seen.own = true;
      return true;
    },
    onGone: () => {
      seen.gone = true;
    },
  };
  for await (const standing of standingLocks(repository, own.clock, listing)) {
    const { lock, stale } = standing;
    // Who cannot delete leaves it to who can.
    if (stale && !own.isWriter) await removeStanding(repository.store, standing);
    else if (stale) continue;
    // A lock that cannot be read binds like the strictest one, as long as its holder may be alive.
    else if (lock === undefined) throw locked(repository, standing);
    else if (await learnMarks(repository, own.part, lock)) seen.learnt = true;
    else if (!standBesideEachOther(own.part, lock)) throw locked(repository, standing);
  }
  return seen;
}

function standBesideEachOther(own: HoldfastLock, other: LockFile): boolean {
  if (other.holdfast === undefined) return !other.exclusive && (own.access === 'shared' || own.access === 'whole');
  const { access } = other.holdfast;
  if (own.access === 'upkeep') return access === 'shared' && knows(other.holdfast, own);
  if (access === 'upkeep') return own.access === 'shared' && knows(own, other.holdfast);
  return own.access !== 'exclusive' && access !== 'exclusive';
}

function knows({ marks }: HoldfastLock, upkeep: HoldfastLock): boolean {
  return upkeep.marks.every((id) => marks.includes(id));
}

/**
 * Whoever begins while a sweep goes on keeps off what that removes, too. One whose mark is gone already has removed it.
 * @returns whether there was something to learn
 */
async function learnMarks(repository: Repository, own: HoldfastLock, { holdfast }: LockFile): Promise<boolean> {
  if (own.access !== 'shared' || holdfast?.access !== 'upkeep') return false;
  const unknown = holdfast.marks.filter((id) => !own.marks.includes(id));
  for (const id of unknown) if ((await readMark(repository, id)) === 'unreadable') return false;
  own.marks.push(...unknown);
  return unknown.length > 0;
}

function locked({ store }: Repository, standing: StandingLock): HoldfastError {
  const { key, lock } = standing;
  if (lock === undefined) {
    return new HoldfastError(
      'repository-locked',
      `the repository at ${store.location} has a lock that cannot be read: ${key}`,
      { hint: 'Try again in 30 minutes: by then it binds nobody.', retryable: true, context: { lock: key } },
    );
  }
  return new HoldfastError(
    'repository-locked',
    `the repository at ${store.location} is locked${lock.exclusive ? ' exclusively' : ''} by ${describeHolder(standing)} since ${lock.time}`,
    {
      hint: 'Wait until it is done. A lock whose process is dead on this machine, or that is older than 30 minutes, binds nobody; `holdfast unlock --all` removes any.',
      retryable: true,
      context: { lock: key, host: lock.hostname, pid: lock.pid },
    },
  );
}

interface PlacedOptions extends LockOptions {
  place: LockPlace;
  isWriter: boolean;
}

class RefreshedLock implements HeldLock {
  readonly part: HoldfastLock;
  /** The lock that stands, and those before it that could not be removed yet. */
  readonly #keys: string[] = [];
  readonly #repository: Repository;
  readonly #options: PlacedOptions;
  #written = { wallMs: 0, monotonicMs: 0 };
  #wasRemoved = false;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(repository: Repository, options: PlacedOptions, part: HoldfastLock) {
    this.#repository = repository;
    this.#options = options;
    this.part = part;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Whether it is an entry of who cannot delete. */
  get isWriter(): boolean {
    return this.#options.isWriter;
  }

  get key(): string | undefined {
    return this.#keys.at(-1);
  }

  /** Writes a lock of now, then removes what came before it. */
  async write(): Promise<void> {
    const { clock, exclusive, place } = this.#options;
    const written = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const lock: LockFile = {
      time: formatTimeMs(written.wallMs),
      exclusive,
      hostname: hostname(),
      pid: process.pid,
      ...currentUser(),
      holdfast: this.part,
    };
    const key = await place.write(lock);
    if (!this.#keys.includes(key)) this.#keys.push(key);
    this.#written = written;
    await this.#removeAllBut(key);
  }

  keepFresh(): void {
    this.#timer = setInterval(() => {
      // A refresh that fails is tried again at the next turn; `assertHeld` tells when that has gone on for too long.
      this.#refreshing = this.#refreshing.then(() => settled(this.#refresh()));
    }, REFRESH_EVERY_MS);
    this.#timer.unref();
  }

  /** What was lost stays lost: others may have worked in the meantime as if nobody were here. */
  async #refresh(): Promise<void> {
    await this.confirm();
    await this.write();
  }

  async confirm(): Promise<void> {
    this.assertHeld();
    const { key } = this;
    const isThere = key === undefined || (await this.#repository.store.stat(key)) !== undefined;
    // Refreshed in the meantime, it stands by another key.
    if (!isThere && key !== this.key) return this.confirm();
    // Somebody removed it by hand, and may have done since what a lock keeps others from.
    if (!isThere) this.#wasRemoved = true;
    this.assertHeld();
  }

  assertHeld(): void {
    const { clock } = this.#options;
    // Others go by the wall clock, which goes on while this machine sleeps and the other clock may not.
    const wallMs = clock.nowMs() - this.#written.wallMs;
    const monotonicMs = clock.monotonicMs() - this.#written.monotonicMs;
    if (Math.max(wallMs, monotonicMs) < GIVE_UP_AFTER_MS && !this.#wasRemoved) return;
    throw new HoldfastError(
      'lock-lost',
      this.#wasRemoved
        ? 'somebody removed the lock of this run from the repository'
        : 'the lock of the repository could not be refreshed for 22 minutes: others may take it for stale',
      {
        hint: 'Check that the repository can be written to, then run the same command again.',
        retryable: true,
      },
    );
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#refreshing;
    await this.#removeAllBut(undefined);
  }

  async #removeAllBut(kept: string | undefined): Promise<void> {
    for (const key of this.#keys.filter((each) => each !== kept)) {
      await this.#options.place.remove(key);
      this.#keys.splice(this.#keys.indexOf(key), 1);
    }
  }
}
