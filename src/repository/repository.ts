import { createHash } from 'node:crypto';
import {
  decodeConfig,
  decodeKeyFile,
  encodeConfig,
  encodeKeyFile,
  newConfig,
  newSealingKey,
  type RepositoryConfig,
  type SealingKey,
  sealJson,
  unsealJson,
} from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { ObjectStore } from '../store/index.ts';
import { CONFIG_KEY, idOfKey, KEYS_PREFIX } from './layout.ts';

/** A repository whose password was right: documents can be read and written, blobs not yet. See `loadIndex`. */
export class Repository {
  readonly store: ObjectStore;
  readonly key: SealingKey;
  readonly config: RepositoryConfig;

  constructor(store: ObjectStore, key: SealingKey, config: RepositoryConfig) {
    this.store = store;
    this.key = key;
    this.config = config;
  }

  /** Seals a document and stores it under the hash of what is stored. Resolves to that id once it is durable. */
  async putDocument(prefix: string, document: unknown): Promise<string> {
    const sealed = sealJson(this.key, document, this.config.version);
    const id = sha256(sealed);
    await this.store.put(`${prefix}${id}`, sealed);
    return id;
  }

  /** @throws object-missing; repository-damaged when its bytes are not those that its name promises */
  async getDocument(key: string): Promise<unknown> {
    const sealed = await this.store.get(key);
    if (sha256(sealed) !== idOfKey(key)) {
      throw new HoldfastError('repository-damaged', `${key} is damaged: its content does not match its name`, {
        context: { key },
      });
    }
    try {
      return unsealJson(this.key, sealed);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      throw new HoldfastError(error.code, `${key}: ${error.message}`, { cause: error, context: { key } });
    }
  }

  /** The keys of the documents below a prefix, sorted. */
  async documentKeys(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list(prefix)) if (idOfKey(key) !== undefined) keys.push(key);
    return keys.sort();
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Makes a repository in a store that has none.
 * The key is stored first and the configuration last: a repository exists from the moment that it has a configuration.
 * @throws repository-exists
 */
export async function createRepository(store: ObjectStore, password: string, clock: Clock): Promise<Repository> {
  if (password === '') throw new HoldfastError('bad-usage', 'a repository cannot have an empty password');
  const refuse = (): HoldfastError =>
    new HoldfastError('repository-exists', `there is a repository at ${store.location} already`, {
      hint: 'Nothing was changed. Use it as it is, or name another place in the plan.',
      context: { store: store.location },
    });
  if ((await store.stat(CONFIG_KEY)) !== undefined) throw refuse();
  for await (const { key } of store.list(KEYS_PREFIX)) if (idOfKey(key) !== undefined) throw refuse();
  const key = newSealingKey();
  const config = newConfig();
  const keyFile = await encodeKeyFile(key, password, clock.nowMs());
  const keyFileKey = `${KEYS_PREFIX}${sha256(keyFile)}`;
  await store.put(keyFileKey, keyFile);
  try {
    await store.put(CONFIG_KEY, encodeConfig(key, config), { ifAbsent: store.capabilities.conditionalPut });
  } catch (error) {
    await store.delete(keyFileKey);
    throw isHoldfastError(error, 'object-exists') ? refuse() : error;
  }
  return new Repository(store, key, config);
}

/**
 * Opens a repository with any of its passwords.
 * @throws no-repository, wrong-password, repository-damaged, repository-unsupported
 */
export async function openRepository(store: ObjectStore, password: string): Promise<Repository> {
  const key = await findKey(store, password);
  const sealed = await store.get(CONFIG_KEY).catch((error: unknown) => {
    throw isHoldfastError(error, 'object-missing') ? noRepository(store) : error;
  });
  return new Repository(store, key, decodeConfig(key, sealed));
}

async function findKey(store: ObjectStore, password: string): Promise<SealingKey> {
  const keys: string[] = [];
  for await (const { key } of store.list(KEYS_PREFIX)) if (idOfKey(key) !== undefined) keys.push(key);
  if (keys.length === 0) throw noRepository(store);
  let damage: unknown;
  for (const key of keys.sort()) {
    try {
      const bytes = await store.get(key);
      if (sha256(bytes) !== idOfKey(key)) {
        throw new HoldfastError('repository-damaged', `${key} is damaged: its content does not match its name`);
      }
      const master = await decodeKeyFile(bytes, password);
      if (master !== undefined) return master;
    } catch (error) {
      // Another key file may still open the repository: only when none does is this one's damage the news.
      damage = error;
    }
  }
  if (damage !== undefined) throw damage;
  throw new HoldfastError('wrong-password', `the password does not open the repository at ${store.location}`, {
    hint: 'Check where the plan takes the password of this repository from.',
    context: { store: store.location },
  });
}

function noRepository(store: ObjectStore): HoldfastError {
  return new HoldfastError('no-repository', `there is no repository at ${store.location}`, {
    hint: 'Run `holdfast init` to make it, or check the place that the plan names.',
    context: { store: store.location },
  });
}
