import { type HoldfastError, isHoldfastError } from '../foundation/errors.ts';

/** Whether a place can be read and not be written to: on the day of a disaster it may be on a full disk, or a copy. */
export function isUnwritable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'permission-denied') || isHoldfastError(error, 'disk-full');
}
