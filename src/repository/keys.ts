import { timingSafeEqual } from 'node:crypto';
import {
  decodeKeyFile,
  describeKeyFile,
  encodeKeyFile,
  type KdfParameters,
  type KeyDescription,
} from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { idOfKey, KEYS_PREFIX } from './layout.ts';
import { type Repository, sha256 } from './repository.ts';

/**
 * The passwords of a repository: each has a key file, which holds the one master key. Taking a password away does not
 * change the master key, so it shuts out only who has not read the repository before.
 */

/** Told which key is about to be removed, by its id; what it throws keeps the key. */
export type Announce = (id: string) => Promise<void>;

export interface RepositoryKey extends KeyDescription {
  id: string;
  /** Whether it is the one that opened the repository. */
  current: boolean;
  /** Whether its content is not what its name promises; what it says of itself is empty then. */
  damaged: boolean;
}

/** The key files, oldest first. */
export async function listKeys(repository: Repository): Promise<RepositoryKey[]> {
  const keys: RepositoryKey[] = [];
  for (const key of await repository.documentKeys(KEYS_PREFIX)) {
    const id = idOfKey(key)!;
    const description = await describe(repository, key);
    if (description !== undefined) keys.push({ id, current: id === repository.keyId, ...description });
  }
  return keys.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
}

const NOTHING_SAID: KeyDescription = { created: '', username: '', hostname: '' };

/** Undefined when the key was removed between being listed and being read. */
async function describe(
  repository: Repository,
  key: string,
): Promise<(KeyDescription & { damaged: boolean }) | undefined> {
  try {
    const bytes = await repository.store.get(key);
    if (sha256(bytes) !== idOfKey(key)) return { ...NOTHING_SAID, damaged: true };
    return { ...describeKeyFile(bytes), damaged: false };
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    if (isHoldfastError(error, 'repository-damaged')) return { ...NOTHING_SAID, damaged: true };
    throw error;
  }
}

/**
 * Adds a password. Resolves to the new key's id once its file is durable, was read back, and opens.
 * @param kdf for tests
 * @throws bad-usage for an empty password
 */
export async function addKey(
  repository: Repository,
  password: string,
  clock: Clock,
  kdf?: KdfParameters,
): Promise<string> {
  if (password === '') throw new HoldfastError('bad-usage', 'a password cannot be empty');
  const { store, key: master } = repository;
  const keyFile = await encodeKeyFile(master, password, clock.nowMs(), kdf);
  const id = sha256(keyFile);
  await store.put(`${KEYS_PREFIX}${id}`, keyFile);
  const opened = await decodeKeyFile(await store.get(`${KEYS_PREFIX}${id}`), password);
  if (opened === undefined || !timingSafeEqual(opened.encrypt, master.encrypt)) {
    throw new HoldfastError('store-failed', `the new key ${id} does not open the repository when it is read back`, {
      hint: 'Nothing else was changed. Check the store, then try again.',
      context: { key: id },
    });
  }
  return id;
}

/**
 * Takes a password away. Resolves to the id of its key.
 * @param idPrefix the id, or enough of its beginning to name one
 * @param options `dryRun` removes nothing, and only says which key it would be
 * @throws unknown-key, key-in-use for the key that opened the repository: so one at least always remains
 */
export async function removeKey(
  repository: Repository,
  idPrefix: string,
  { dryRun = false, announce }: { dryRun?: boolean; announce?: Announce } = {},
): Promise<string> {
  const { id } = findKey(await listKeys(repository), idPrefix);
  if (id === repository.keyId) {
    throw new HoldfastError('key-in-use', `key ${id.slice(0, 8)} is the one that opened the repository`, {
      hint: 'Open the repository with another password to remove this one, or change it with `holdfast key passwd`.',
      context: { key: id },
    });
  }
  if (dryRun) return id;
  await announce?.(id);
  await repository.store.delete(`${KEYS_PREFIX}${id}`);
  return id;
}

function findKey(keys: readonly RepositoryKey[], idPrefix: string): RepositoryKey {
  const matching = /^[0-9a-f]+$/.test(idPrefix) ? keys.filter(({ id }) => id.startsWith(idPrefix)) : [];
  if (matching.length === 1) return matching[0]!;
  const howMany = matching.length === 0 ? 'no key' : `${matching.length} keys`;
  throw new HoldfastError('unknown-key', `${howMany} with an id that begins with ${JSON.stringify(idPrefix)}`, {
    hint: 'List them with `holdfast key list`.',
  });
}

/**
 * Puts a new password in the place of the one that opened the repository. The new one is there and was tried before the
 * old one goes: a run that dies in between leaves both.
 * @param options `kdf` is for tests
 */
export async function changePassword(
  repository: Repository,
  password: string,
  clock: Clock,
  { kdf, announce }: { kdf?: KdfParameters; announce?: Announce } = {},
): Promise<{ added: string; removed: string }> {
  const added = await addKey(repository, password, clock, kdf);
  await announce?.(repository.keyId);
  await repository.store.delete(`${KEYS_PREFIX}${repository.keyId}`);
  return { added, removed: repository.keyId };
}
