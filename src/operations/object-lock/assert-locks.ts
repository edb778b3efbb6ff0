import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { holdsRepository, lockIn } from '../../repository/index.ts';
import { asFirstWritten, type ObjectStore, PastStore } from '../../store/index.ts';

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

/** That no repository was there before, which somebody hid: to make one over it would make it harder to bring back. @throws repository-exists */
export async function assertNothingHidden(store: ObjectStore, name: string): Promise<void> {
  if (await holdsRepository(store).catch(noBucket)) return;
  if (!(await holdsRepository(new PastStore(store, asFirstWritten)).catch(noBucket))) return;
  throw new HoldfastError(
    'repository-exists',
    `somebody hid the repository at ${store.location}: it is there still, under its lock`,
    {
      hint: `Nothing was changed. \`holdfast repair ${name}\` brings it back.`,
      context: { store: store.location },
    },
  );
}

function noBucket(error: unknown): boolean {
  if (isHoldfastError(error, 'no-bucket') || isHoldfastError(error, 'permission-denied')) return false;
  throw error;
}
