import { hostname } from 'node:os';
import { decodeLockFile, type LockFile, parseTimeMs } from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { isHoldfastError } from '../foundation/errors.ts';
import { isProcessAlive } from '../foundation/process-alive.ts';
import type { ObjectStore } from '../store/index.ts';
import { idOfKey, LOCKS_PREFIX } from './layout.ts';
import type { Repository } from './repository.ts';
import { listWriters, readWriter } from './writers.ts';

/** A lock that nobody refreshed for so long binds nobody. restic's own figure. */
const STALE_AFTER_MS = 30 * 60_000;

/** A lock that lies in a repository, whoever's it is. */
export interface StandingLock {
  /** The key of its object. */
  key: string;
  /** Of the objects that it took the place of, oldest first: they go with it. */
  olderKeys: readonly string[];
  /** Undefined when it cannot be read: then it binds like the strictest one, as long as its holder may be alive. */
  lock: LockFile | undefined;
  /** Whether it binds nobody any more. */
  stale: boolean;
}

/**
 * The locks of a repository, and with `writers` the entries of those who cannot delete.
 * @param listing is told of locks that the listing shows and that are not looked at: one that is the asker's own, and what
 * was gone when it was to be read
 */
export async function* standingLocks(
  repository: Repository,
  clock: Clock,
  { writers, ...listing }: { writers: boolean; isOwn?(key: string): boolean; onGone?(): void },
): AsyncIterable<StandingLock> {
  if (writers) yield* standingWriters(repository, clock, listing);
  for await (const { key, sizeBytes, modifiedMs } of repository.store.list(LOCKS_PREFIX)) {
    // An empty one is a lock that somebody is about to write, or that a crash kept from being one.
    if (idOfKey(key) === undefined || sizeBytes === 0 || listing.isOwn?.(key)) continue;
    const lock = await readLock(repository, key);
    if (lock === undefined) listing.onGone?.();
    if (lock === undefined) continue;
    const olderKeys: string[] = [];
    if (lock !== 'damaged') yield { key, olderKeys, lock, stale: isStale(lock, clock.nowMs()) };
    else yield { key, olderKeys, lock: undefined, stale: clock.nowMs() - modifiedMs > STALE_AFTER_MS };
  }
}

/** Who is done has left a last entry that binds nobody. */
async function* standingWriters(
  repository: Repository,
  clock: Clock,
  { isOwn }: { isOwn?(key: string): boolean },
): AsyncIterable<StandingLock> {
  for (const entries of await listWriters(repository)) {
    const { key, modifiedMs } = entries.at(-1)!;
    if (isOwn?.(key)) continue;
    const olderKeys = entries.slice(0, -1).map((entry) => entry.key);
    try {
      const writer = await readWriter(repository, key);
      if (writer === undefined) continue;
      yield { key, olderKeys, lock: writer.lock, stale: writer.hasEnded || isStale(writer.lock, clock.nowMs()) };
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      yield { key, olderKeys, lock: undefined, stale: clock.nowMs() - modifiedMs > STALE_AFTER_MS };
    }
  }
}

/** Removes a lock. What counts goes last: else what it took the place of would count again. */
export async function removeStanding(store: ObjectStore, { key, olderKeys }: StandingLock): Promise<void> {
  for (const each of [...olderKeys, key]) await store.delete(each);
}

/** A lock; undefined when it was released between being listed and being read. */
async function readLock(repository: Repository, key: string): Promise<LockFile | 'damaged' | undefined> {
  try {
    return decodeLockFile(await repository.getDocument(key));
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    if (isHoldfastError(error, 'repository-damaged')) return 'damaged';
    throw error;
  }
}

/** Whether nobody refreshed a lock for half an hour, or its process on this machine is gone. */
function isStale(lock: LockFile, nowMs: number): boolean {
  if (nowMs - parseTimeMs(lock.time)! > STALE_AFTER_MS) return true;
  return lock.hostname === hostname() && lock.pid > 0 && !isProcessAlive(lock.pid);
}

/** Who holds a lock, for people. */
export function describeHolder({ lock }: StandingLock): string {
  if (lock === undefined) return 'somebody unknown: the lock cannot be read';
  return `${lock.username || 'somebody'} on ${lock.hostname || 'an unknown host'} (process ${lock.pid})`;
}

/**
 * Removes the locks that bind nobody, or with `all` every one, also of who is at work and will then find theirs lost.
 * @returns what was removed, and what was left
 */
export async function removeLocks(
  repository: Repository,
  { clock, all, dryRun }: { clock: Clock; all: boolean; dryRun: boolean },
): Promise<{ removed: StandingLock[]; left: StandingLock[] }> {
  const removed: StandingLock[] = [];
  const left: StandingLock[] = [];
  for await (const standing of standingLocks(repository, clock, { writers: true })) {
    const goes = all || standing.stale;
    if (goes && !dryRun) await removeStanding(repository.store, standing);
    (goes ? removed : left).push(standing);
  }
  return { removed, left };
}
