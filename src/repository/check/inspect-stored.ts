import type { ObjectStore } from '../../store/index.ts';
import { packKey } from '../layout.ts';
import type { ReadPool } from '../read/pool.ts';
import type { Inspection } from './inspect-pack.ts';

/**
 * Reads every byte of a pack, once more where something is wrong with them: only what is so again is stored so.
 * @param pack its id
 * @throws object-missing; the store's errors
 */
export async function inspectStored(
  store: ObjectStore,
  pool: ReadPool,
  pack: string,
  options: { wantsBlobs?: boolean } = {},
): Promise<{ bytes: number; inspection: Inspection }> {
  const inspect = async () => {
    const sealed = await store.get(packKey(pack));
    const bytes = sealed.byteLength;
    return { bytes, inspection: await pool.inspect(pack, sealed, options) };
  };
  const first = await inspect();
  return first.inspection.messages.length === 0 ? first : inspect();
}
