import { seal, unseal } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectStore } from '../../store/index.ts';
import { EPOCH_KEY } from '../layout.ts';
import type { Repository } from '../repository.ts';

const VERSION = 1;

/**
 * How often a mirror of a repository was made the primary, as one copy of it knows. A copy with a higher number is never
 * overwritten by one with a lower.
 * @param store where the copy lies, when that is not where the repository does
 * @throws repository-damaged
 */
export async function readEpoch({ key, store: own }: Repository, store: ObjectStore = own): Promise<number> {
  let sealed: Uint8Array;
  try {
    sealed = await store.get(EPOCH_KEY);
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return 0;
    throw error;
  }
  const { version, epoch } = JSON.parse(unseal(key, sealed).toString('utf8')) as { version: unknown; epoch: unknown };
  if (version === VERSION && typeof epoch === 'number' && Number.isSafeInteger(epoch)) return epoch;
  throw new HoldfastError('repository-unsupported', `${EPOCH_KEY} in ${store.location} has an unknown form`, {
    hint: 'Use the version of Holdfast that wrote it, or a newer one.',
  });
}

/** Makes a repository known as the primary from its epoch on. */
export async function writeEpoch({ key, store }: Repository, epoch: number): Promise<void> {
  await store.put(EPOCH_KEY, seal(key, Buffer.from(JSON.stringify({ version: VERSION, epoch }))));
}
