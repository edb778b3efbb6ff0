import { randomBytes } from 'node:crypto';
import { decodeLockFile, type LockFile, parseJsonDocument, sealJson, unsealJsonText } from '../format/index.ts';
import { isHoldfastError } from '../foundation/errors.ts';
import { LOCKS_PREFIX, WRITERS_PREFIX } from './layout.ts';
import type { Repository } from './repository.ts';

/**
 * Where a lock lies. With credentials that cannot delete it is an entry of its own under `holdfast/writers/`, which is
 * written anew when it is refreshed, and says at the end that its writer is done; somebody else removes it some time. restic
 * does not look there.
 */
export interface LockPlace {
  /** Writes it as it is now. Resolves to its key. */
  write(lock: LockFile): Promise<string>;
  /** Makes one that was written bind nobody. */
  remove(key: string): Promise<void>;
}

export function lockFiles(repository: Repository): LockPlace {
  return {
    write: async (lock) => `${LOCKS_PREFIX}${await repository.putDocument(LOCKS_PREFIX, lock)}`,
    remove: (key) => repository.store.delete(key),
  };
}

export function writerEntry({ store, key: sealingKey, config }: Repository): LockPlace {
  const key = `${WRITERS_PREFIX}${randomBytes(32).toString('hex')}`;
  let last: LockFile | undefined;
  const put = (document: object): Promise<void> => store.put(key, sealJson(sealingKey, document, config.version));
  return {
    write: async (lock) => {
      last = lock;
      await put(lock);
      return key;
    },
    remove: () => put({ ...last, ended: true }),
  };
}

/** A writer's entry; undefined when it is gone. @throws repository-damaged */
export async function readWriter(
  { store, key: sealingKey }: Repository,
  key: string,
): Promise<{ lock: LockFile; hasEnded: boolean } | undefined> {
  try {
    const document = parseJsonDocument(unsealJsonText(sealingKey, await store.get(key)).toString('utf8'));
    return { lock: decodeLockFile(document), hasEnded: (document as { ended?: unknown }).ended === true };
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  }
}
