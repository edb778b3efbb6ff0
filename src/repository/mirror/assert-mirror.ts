import { decodeConfig } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { ObjectStore } from '../../store/index.ts';
import { CONFIG_KEY } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { readEpoch, succeeds } from './epoch.ts';

/**
 * That nothing lies at a mirror's place, or a copy of this repository that may be brought up to date.
 * @throws mirror-refused
 */
export async function assertMirrorOf(primary: Repository, mirror: ObjectStore): Promise<void> {
  // From afar each is a round trip.
  const epochs = [awaitedLater(readEpoch(primary)), awaitedLater(readEpoch(primary, mirror))] as const;
  const sealed = await configIn(mirror);
  if (sealed === undefined) return;
  const refused = (how: string, hint: string): HoldfastError =>
    new HoldfastError('mirror-refused', `${mirror.location} cannot be a mirror of ${primary.store.location}: ${how}`, {
      hint: `Nothing was changed there. ${hint}`,
      context: { mirror: mirror.location },
    });
  try {
    const { id } = decodeConfig(primary.key, sealed);
    if (id !== primary.config.id) throw refused('another repository lies there', 'Name an empty place in the plan.');
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw refused('another repository lies there', 'Name an empty place in the plan.');
  }
  const [own, its] = await Promise.all(epochs);
  if (succeeds(own, its)) return;
  if (succeeds(its, own)) {
    throw refused(
      'it was made the primary itself since',
      'Change the plan: what it calls the mirror is the repository now, and what it calls the primary may become a mirror of it.',
    );
  }
  throw refused(
    'each of them was made the primary without knowing of the other',
    'Both may have what the other lacks. Decide which of them goes on, and let its mirrors lie in other places.',
  );
}

async function configIn(store: ObjectStore): Promise<Uint8Array | undefined> {
  try {
    return await store.get(CONFIG_KEY);
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  }
}
