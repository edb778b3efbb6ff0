import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { lockIn } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';

/**
 * That a bucket that is there can lock objects. One that is not there yet is made so; credentials that may not look find
 * out with the first object.
 * @throws store-unsuitable
 */
export async function assertLocks(store: ObjectStore): Promise<void> {
  try {
    const { keepsVersions, locks } = await lockIn(store).state();
    if (keepsVersions && locks) return;
  } catch (error) {
    if (isHoldfastError(error, 'no-bucket') || isHoldfastError(error, 'permission-denied')) return;
    throw error;
  }
  throw new HoldfastError(
    'store-unsuitable',
    `the bucket of ${store.location} cannot lock objects, as the plan asks for`,
    {
      hint: 'Nothing was changed. Turn on versions and object lock there, or name a bucket that is not there yet: `holdfast init` makes it so.',
      context: { store: store.location },
    },
  );
}
