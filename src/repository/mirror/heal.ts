import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore } from '../../store/index.ts';
import { isUnusable } from '../read-anew.ts';
import type { Repository } from '../repository.ts';
import { listObjects } from './listings.ts';
import { isRewritten, kindOf, type ObjectKind, readAuthentic } from './objects.ts';

/** Each is in memory as a whole. */
const PARALLEL_READS = 4;

/** What refers to others is put back after them. */
const HEALING_ORDER: readonly ObjectKind[] = ['ledger', 'checkpoint', 'key', 'pack', 'index', 'snapshot', 'tail'];

/** An object that is not as it should be. */
export interface Suspect {
  key: string;
  /** repository-damaged, object-unreadable, or object-missing. */
  reason: HoldfastError;
}

/** The keys of what a copy of a repository holds. */
export async function objectsIn(store: ObjectStore): Promise<Set<string>> {
  return new Set((await listObjects(store, '')).keys());
}

/** Reads all of a repository, and says what is damaged, and what others have and it has not; what is referred to first. */
export async function findSuspects(
  repository: Repository,
  elsewhere: ReadonlySet<string>,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<Suspect[]> {
  const { store } = repository;
  const there = await listObjects(store, '');
  const suspects: Suspect[] = [];
  for (const key of elsewhere) {
    if (there.has(key) || isRewritten(kindOf(key)!)) continue;
    suspects.push({ key, reason: new HoldfastError('object-missing', `it is missing in ${store.location}`) });
  }
  const bytes = [...there.values()].reduce((sum, size) => sum + size, 0);
  progress.phase('reading everything', { items: there.size, bytes });
  await sideBySide([...there], PARALLEL_READS, async ([key, sizeBytes]) => {
    signal.throwIfAborted();
    try {
      await readAuthentic(repository, store, key);
    } catch (error) {
      if (isUnusable(error)) suspects.push({ key, reason: error });
      // Gone since it was listed.
      else if (!isHoldfastError(error, 'object-missing')) throw error;
    }
    progress.advance({ items: 1, bytes: sizeBytes });
  });
  const rank = ({ key }: Suspect): number => HEALING_ORDER.indexOf(kindOf(key)!);
  return suspects.filter((each) => rank(each) !== -1).sort((a, b) => rank(a) - rank(b));
}
