import { randomBytes } from 'node:crypto';
import { decodeLockFile, type LockFile, parseJsonDocument, sealJson, unsealJsonText } from '../format/index.ts';
import { isHoldfastError } from '../foundation/errors.ts';
import type { StoredObject } from '../store/index.ts';
import { LOCKS_PREFIX, WRITERS_PREFIX } from './layout.ts';
import type { Repository } from './repository.ts';

const ENTRY_NAME = /^([0-9a-f]{64})-([1-9]\d{0,8})$/;

/**
 * Where a lock lies. With credentials that cannot delete, and so cannot replace everywhere either, it is a series of entries
 * under `holdfast/writers/`, of which the newest counts: one when it is taken, one each time that it is refreshed, and one at
 * the end that says that its writer is done. Somebody else removes them some time. restic does not look there.
 */
export interface LockPlace {
  /** Writes it as it is now. Resolves to its key. */
  write(lock: LockFile): Promise<string>;
  /** Makes one that was written bind nobody, where a newer one does not do so already. */
  remove(key: string): Promise<void>;
}

export function lockFiles(repository: Repository): LockPlace {
  return {
    write: async (lock) => `${LOCKS_PREFIX}${await repository.putDocument(LOCKS_PREFIX, lock)}`,
    remove: (key) => repository.store.delete(key),
  };
}

export function writerEntry({ store, key: sealingKey, config }: Repository): LockPlace {
  const id = randomBytes(32).toString('hex');
  let count = 0;
  let newest: { key: string; lock: LockFile } | undefined;
  const put = async (document: object): Promise<string> => {
    // What failed may be there all the same, so that its number is used up.
    count++;
    const key = `${WRITERS_PREFIX}${id}-${count}`;
    await store.put(key, sealJson(sealingKey, document, config.version));
    return key;
  };
  return {
    write: async (lock) => {
      const key = await put(lock);
      newest = { key, lock };
      return key;
    },
    remove: async (key) => {
      if (key === newest?.key) await put({ ...newest.lock, ended: true });
    },
  };
}

/** An object that is listed, as one of a writer's entries. */
export interface WriterEntry extends StoredObject {
  count: number;
}

/** The entries of each writer, oldest first, as far as a listing shows them. */
export async function listWriters({ store }: Repository): Promise<WriterEntry[][]> {
  const writers = new Map<string, WriterEntry[]>();
  for await (const object of store.list(WRITERS_PREFIX)) {
    const [, id, count] = ENTRY_NAME.exec(object.key.slice(WRITERS_PREFIX.length)) ?? [];
    if (id === undefined) continue;
    const entries = writers.get(id) ?? [];
    entries.push({ ...object, count: Number(count) });
    writers.set(id, entries);
  }
  return [...writers.values()].map((entries) => entries.sort((a, b) => a.count - b.count));
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
