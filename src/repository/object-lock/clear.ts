import type { Clock } from '../../foundation/clock.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectLock, ObjectStore, ObjectVersion } from '../../store/index.ts';
import { HOLDFAST_PREFIX, LOCKS_PREFIX } from '../layout.ts';
import type { HiddenSearch } from './hidden.ts';
import { isLocked } from './locked-objects.ts';
import { lockIn, versionsByKey } from './versions.ts';

/** After so many refusals and no success the credentials may not. */
const REFUSALS = 3;

export interface ClearOptions extends Pick<HiddenSearch, 'namedAsRemoved'> {
  /** How long what is stored is locked at least. */
  forMs: number;
  clock: Clock;
  signal: AbortSignal;
}

/**
 * Removes the versions that nobody needs, which a bucket would keep and charge for: those of what is not locked but for the
 * newest, and all of what was removed, once its lock has run out.
 * @returns how many were removed; what credentials may not remove stays
 */
export async function clearVersions(store: ObjectStore, options: ClearOptions): Promise<number> {
  const lock = lockIn(store);
  const all = [...(await versionsByKey(lock, '')).values()];
  const free = all.filter(([newest]) => isFree(newest!.key));
  const gone = all.filter((versions) => versions[0]!.isMarker && isLocked(versions[0]!.key));
  const over = gone.filter((versions) => versions.every((version) => isOver(version, options)));
  const keys = over.map(([newest]) => newest!.key);
  const named = keys.length === 0 ? new Set<string>() : await options.namedAsRemoved(keys);
  const goingByKey = [
    ...free.map((versions) => (versions[0]!.isMarker ? versions : versions.slice(1))),
    ...over.filter(([newest]) => named.has(newest!.key)),
  ];
  const done = { removed: 0, refused: 0 };
  for (const versions of goingByKey) {
    if (done.removed === 0 && done.refused >= REFUSALS) break;
    options.signal.throwIfAborted();
    await removeAll(lock, versions, done);
  }
  return done.removed;
}

/** Markers last: what they hide is not to come back, and where some of that cannot go they stay. */
async function removeAll(
  lock: ObjectLock,
  versions: readonly ObjectVersion[],
  done: { removed: number; refused: number },
): Promise<void> {
  try {
    for (const version of versions.toSorted((a, b) => Number(a.isMarker) - Number(b.isMarker))) {
      await lock.removeVersion(version);
      done.removed++;
    }
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    done.refused++;
  }
}

/** Ours, and never locked. */
function isFree(key: string): boolean {
  return [LOCKS_PREFIX, HOLDFAST_PREFIX].some((prefix) => key.startsWith(prefix)) && !isLocked(key);
}

/** Whether the lock that a version was stored with has run out. One that was made longer is for the store to refuse. */
function isOver({ isMarker, modifiedMs }: ObjectVersion, { forMs, clock }: ClearOptions): boolean {
  return isMarker || modifiedMs + forMs < clock.nowMs();
}
