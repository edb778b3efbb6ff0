import { hostname, userInfo } from 'node:os';
import { decodeLockFile, formatTimeMs, type LockFile, parseTimeMs } from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError, systemCode } from '../foundation/errors.ts';
import { LOCKS_PREFIX } from './layout.ts';
import type { Repository } from './repository.ts';

/**
 * Locks as restic has them: any number of shared ones, or one exclusive one. A holder refreshes its own; one that nobody
 * refreshed for half an hour, or whose process on this machine is gone, is stale and binds nobody.
 * Source: restic's design document, "Locks".
 */

const REFRESH_EVERY_MS = 5 * 60_000;
const STALE_AFTER_MS = 30 * 60_000;
/** A holder that could not refresh for so long must take it that others hold its lock for stale soon. */
const GIVE_UP_AFTER_MS = 22 * 60_000;
/** After taking a lock one looks again: somebody may have taken theirs in the same moment. */
const SETTLE_MS = 200;

export interface HeldLock {
  /** @throws lock-lost when the lock could not be refreshed for so long that others may take it for stale */
  assertHeld(): void;
  release(): Promise<void>;
}

export interface LockOptions {
  exclusive: boolean;
  clock: Clock;
}

/**
 * Takes a lock.
 * @throws repository-locked when somebody's lock is in the way
 */
export async function lockRepository(repository: Repository, options: LockOptions): Promise<HeldLock> {
  await refuseIfLocked(repository, options, undefined);
  const lock = new RefreshedLock(repository, options);
  await lock.write();
  try {
    if (options.exclusive) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await refuseIfLocked(repository, options, lock.key);
  } catch (error) {
    await lock.release();
    throw error;
  }
  lock.keepFresh();
  return lock;
}

async function refuseIfLocked(
  repository: Repository,
  { exclusive, clock }: LockOptions,
  own: string | undefined,
): Promise<void> {
  for (const { key, lock } of await readLocks(repository)) {
    if (key === own || (!exclusive && !lock.exclusive) || isStale(lock, clock.nowMs())) continue;
    const who = `${lock.username || 'somebody'} on ${lock.hostname || 'an unknown host'} (process ${lock.pid})`;
    throw new HoldfastError(
      'repository-locked',
      `the repository at ${repository.store.location} is locked${lock.exclusive ? ' exclusively' : ''} by ${who} since ${lock.time}`,
      {
        hint: 'Wait until it is done. A lock whose process is dead on this machine, or that is older than 30 minutes, binds nobody.',
        retryable: true,
        context: { lock: key, host: lock.hostname, pid: lock.pid },
      },
    );
  }
}

async function readLocks(repository: Repository): Promise<{ key: string; lock: LockFile }[]> {
  const locks: { key: string; lock: LockFile }[] = [];
  for (const key of await repository.documentKeys(LOCKS_PREFIX)) {
    try {
      locks.push({ key, lock: decodeLockFile(await repository.getDocument(key)) });
    } catch (error) {
      // It was released between being listed and being read.
      if (!isHoldfastError(error, 'object-missing')) throw error;
    }
  }
  return locks;
}

export function isStale(lock: LockFile, nowMs: number): boolean {
  if (nowMs - parseTimeMs(lock.time)! > STALE_AFTER_MS) return true;
  return lock.hostname === hostname() && lock.pid > 0 && !isAlive(lock.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

class RefreshedLock implements HeldLock {
  key: string | undefined;
  readonly #repository: Repository;
  readonly #options: LockOptions;
  #writtenMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();

  constructor(repository: Repository, options: LockOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** Writes a lock of now, then removes the one before it. */
  async write(): Promise<void> {
    const before = this.key;
    const { username, uid, gid } = userInfo();
    const nowMs = this.#options.clock.nowMs();
    const lock: LockFile = {
      time: formatTimeMs(nowMs),
      exclusive: this.#options.exclusive,
      hostname: hostname(),
      username,
      pid: process.pid,
      ...(uid >= 0 && { uid, gid }),
    };
    this.key = `${LOCKS_PREFIX}${await this.#repository.putDocument(LOCKS_PREFIX, lock)}`;
    this.#writtenMs = this.#options.clock.monotonicMs();
    if (before !== undefined && before !== this.key) await this.#repository.store.delete(before);
  }

  keepFresh(): void {
    this.#timer = setInterval(() => {
      // A refresh that fails is tried again at the next turn; `assertHeld` tells when that has gone on for too long.
      this.#refreshing = this.#refreshing.then(() => this.write()).catch(() => undefined);
    }, REFRESH_EVERY_MS);
    this.#timer.unref();
  }

  assertHeld(): void {
    if (this.#options.clock.monotonicMs() - this.#writtenMs < GIVE_UP_AFTER_MS) return;
    throw new HoldfastError(
      'lock-lost',
      'the lock of the repository could not be refreshed for 22 minutes: others may take it for stale',
      {
        hint: 'Check that the repository can be written to, then run the same command again.',
        retryable: true,
      },
    );
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#refreshing;
    if (this.key !== undefined) await this.#repository.store.delete(this.key);
  }
}
