import { isHoldfastError } from '../foundation/errors.ts';

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
