import { HoldfastError } from '../../src/foundation/errors.ts';
import { DecoratedStore, type ObjectStore } from '../../src/store/index.ts';

/** A store as credentials that may not delete see it. */
export function withoutDeletion(store: ObjectStore): ObjectStore {
  const kept = new DecoratedStore(store);
  kept.capabilities = async () => ({ conditionalPut: true, consistentListing: true, deletes: false });
  kept.delete = async (key) => {
    throw new HoldfastError('permission-denied', `cannot delete ${key}`);
  };
  // To replace something is to delete it, in some stores.
  kept.put = async (key, ...rest) => {
    if ((await store.stat(key)) !== undefined) throw new HoldfastError('permission-denied', `cannot replace ${key}`);
    await store.put(key, ...rest);
  };
  return kept;
}
