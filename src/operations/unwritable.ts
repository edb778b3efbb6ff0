import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';

/** Whether a place can be read and not be written to: on the day of a disaster it may be on a full disk, or a copy. */
export function isUnwritable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'permission-denied') || isHoldfastError(error, 'disk-full');
}

/**
 * Work that frees space, and takes a little of it first. On a disk without any, nobody but its owner can give it that.
 * @throws what the work throws; a disk that is full, with what it takes
 */
export async function freeingSpace<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error, 'disk-full')) throw error;
    throw new HoldfastError('disk-full', error.message, {
      hint: 'Before anything goes, a lock, what is about to go and the index anew are written: 2 MiB, and as much as the directory `index` of the repository takes. Delete something else on this disk, make it larger, or run this as root, for whom ext4 and others keep a share of it. Then run `holdfast retain` and `holdfast prune`. What is stored can be restored meanwhile.',
      context: error.context,
      cause: error,
    });
  }
}
