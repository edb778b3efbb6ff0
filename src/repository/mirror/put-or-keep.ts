import { isHoldfastError } from '../../foundation/errors.ts';
import type { ObjectStore, PutOptions } from '../../store/index.ts';
import { kindOf } from './objects.ts';

/**
 * Brings an object of the primary to a mirror. Some stores let nobody replace an object who may not delete it. There, what
 * another run or an answer that got lost has stored already is left, and so is what said earlier up to when a log is
 * whole: that is still true, and the next part of the log says it anew.
 *
 * @returns `kept` where what is there stays, and is older than what was to be put
 * @throws the store's errors
 */
export async function putOrKeep(
  mirror: ObjectStore,
  key: string,
  bytes: Uint8Array,
  options?: PutOptions,
): Promise<'stored' | 'kept'> {
  try {
    await mirror.put(key, bytes, options);
    return 'stored';
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    const { deletes = true } = await mirror.capabilities();
    if (deletes || (await mirror.stat(key)) === undefined) throw error;
    if (Buffer.from(await mirror.get(key)).equals(bytes)) return 'stored';
    if (kindOf(key) === 'covered') return 'kept';
    throw error;
  }
}
