import { type HoldfastError, isHoldfastError } from '../foundation/errors.ts';

/** Whether an object is there and of no use: its bytes are not what they should be, or cannot be read. */
export function isUnusable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'repository-damaged') || isHoldfastError(error, 'object-unreadable');
}

/**
 * What a read gives, or a second one where the first was of damaged bytes: those that were altered on their way come right
 * then, and those that are stored so do not.
 * @param read fetches anew each time
 */
export async function orReadAnew<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return read();
  }
}
