import { createHash } from 'node:crypto';
import {
  decodeConfig,
  decodeKeyFile,
  encodeConfig,
  encodeKeyFile,
  newConfig,
  newSealingKey,
  parseJsonDocument,
  type RepositoryConfig,
  type SealingKey,
  sealJson,
  sealJsonText,
  unsealJsonText,
} from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { ObjectStore } from '../store/index.ts';
import { CONFIG_KEY, DATA_PREFIX, INDEX_PREFIX, idOfKey, KEYS_PREFIX, SNAPSHOTS_PREFIX } from './layout.ts';

/** So long whoever makes a repository at the same moment has to put theirs, where the store does not tell who is first. */
const SETTLE_MS = 1000;

/** A repository whose password was right: documents can be read and written, blobs not yet. See `loadIndex`. */
export class Repository {
  readonly store: ObjectStore;
  readonly key: SealingKey;
  readonly config: RepositoryConfig;
  /** The id of the key file that the password opened. */
  readonly keyId: string;

  constructor(store: ObjectStore, key: SealingKey, config: RepositoryConfig, keyId: string) {
    this.store = store;
    this.key = key;
    this.config = config;
    this.keyId = keyId;
  }

  /** The same repository, its objects had through another store. */
  through(store: ObjectStore): Repository {
    return new Repository(store, this.key, this.config, this.keyId);
  }

  /** Seals a document and stores it under the hash of what is stored. Resolves to that id once it is durable. */
  async putDocument(prefix: string, document: unknown): Promise<string> {
    return this.#put(prefix, sealJson(this.key, document, this.config.version));
  }

  /** The same of JSON text in UTF-8, which is taken over. */
  async putDocumentText(prefix: string, json: Buffer): Promise<string> {
    return this.#put(prefix, sealJsonText(this.key, json, this.config.version));
  }

  async #put(prefix: string, sealed: Buffer): Promise<string> {
    const id = sha256(sealed);
    await this.store.put(`${prefix}${id}`, sealed);
    return id;
  }

  /** @throws object-missing; repository-damaged when its bytes are not those that its name promises */
  async getDocument(key: string): Promise<unknown> {
    return openDocument(key, await this.store.get(key), (sealed) =>
      parseJsonDocument(unsealJsonText(this.key, sealed).toString('utf8')),
    );
  }

  /** The keys of the documents below a prefix, sorted. */
  async documentKeys(prefix: string): Promise<string[]> {
    return [...(await this.documentSizes(prefix)).keys()].sort();
  }

  /** The keys of the documents below a prefix, in no order, with their sealed sizes in bytes. */
  async documentSizes(prefix: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { key, sizeBytes } of this.store.list(prefix)) {
      if (idOfKey(key) !== undefined) sizes.set(key, sizeBytes);
    }
    return sizes;
  }
}

/**
 * Reads a sealed document, once its bytes are those that its name promises.
 * @param name its key
 * @throws repository-damaged, naming it
 */
export function openDocument<Read>(name: string, sealed: Uint8Array, read: (sealed: Uint8Array) => Read): Read {
  if (sha256(sealed) !== idOfKey(name)) {
    throw new HoldfastError('repository-damaged', `${name} is damaged: its content does not match its name`, {
      context: { key: name },
    });
  }
  try {
    return read(sealed);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(error.code, `${name}: ${error.message}`, { cause: error, context: { key: name } });
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Makes a repository in a store that has none.
 * The key is stored first and the configuration last: a repository exists from the moment that it has a configuration.
 * What an attempt that died before left behind is only keys: they are removed.
 * @throws repository-exists
 */
export async function createRepository(store: ObjectStore, password: string, clock: Clock): Promise<Repository> {
  if (password === '') throw new HoldfastError('bad-usage', 'a repository cannot have an empty password');
  await refuseIfThere(store);
  const abandonedKeys = await keysOf(store);
  const key = newSealingKey();
  const config = newConfig();
  const keyFile = await encodeKeyFile(key, password, clock.nowMs());
  const keyId = sha256(keyFile);
  const keyFileKey = `${KEYS_PREFIX}${keyId}`;
  await store.put(keyFileKey, keyFile);
  const { conditionalPut } = store.capabilities;
  const sealed = encodeConfig(key, config);
  try {
    await store.put(CONFIG_KEY, sealed, { ifAbsent: conditionalPut });
    if (!conditionalPut) await refuseIfReplaced(store, sealed, keyFileKey);
  } catch (error) {
    // When it is there all the same, by a put that failed after its effect, its key must stay.
    if (isHoldfastError(error, 'object-exists')) {
      await store.delete(keyFileKey);
      throw repositoryExists(store);
    }
    throw error;
  }
  for (const abandoned of abandonedKeys) await store.delete(abandoned);
  return new Repository(store, key, config, keyId);
}

/**
 * Where the store does not decide who is first, the last one is: its configuration stays, and everybody else finds that.
 * @throws object-exists
 */
async function refuseIfReplaced(store: ObjectStore, config: Uint8Array, keyFileKey: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const isOurs = Buffer.from(await store.get(CONFIG_KEY)).equals(config);
  if (isOurs && (await store.stat(keyFileKey)) !== undefined) return;
  throw new HoldfastError('object-exists', 'somebody else made a repository there in the same moment');
}

/** @throws repository-exists also when a configuration alone is missing: what is there would be lost with a new one */
async function refuseIfThere(store: ObjectStore): Promise<void> {
  if ((await store.stat(CONFIG_KEY)) !== undefined) throw repositoryExists(store);
  for (const prefix of [SNAPSHOTS_PREFIX, INDEX_PREFIX, DATA_PREFIX]) {
    for await (const { key } of store.list(prefix)) if (idOfKey(key) !== undefined) throw repositoryExists(store);
  }
}

function repositoryExists(store: ObjectStore): HoldfastError {
  return new HoldfastError('repository-exists', `there is a repository at ${store.location} already`, {
    hint: 'Nothing was changed. Use it as it is, or name another place in the plan.',
    context: { store: store.location },
  });
}

/**
 * Opens a repository with any of its passwords.
 * @throws no-repository, wrong-password, repository-damaged, repository-unsupported
 */
export async function openRepository(store: ObjectStore, password: string): Promise<Repository> {
  const keys = await keysOf(store);
  if (keys.length === 0) throw noRepository(store);
  const sealed = await store.get(CONFIG_KEY).catch((error: unknown) => {
    throw isHoldfastError(error, 'object-missing') ? noRepository(store) : error;
  });
  let damage: unknown;
  for (const keyFile of keys) {
    try {
      const key = await readKeyFile(store, keyFile, password);
      if (key !== undefined) return new Repository(store, key, decodeConfig(key, sealed), idOfKey(keyFile)!);
    } catch (error) {
      if (!isHoldfastError(error) || error.code === 'repository-unsupported') throw error;
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

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(KEYS_PREFIX)) if (idOfKey(key) !== undefined) keys.push(key);
  return keys.sort();
}

/** The master key, when the password opens this key file. @throws repository-damaged, naming it */
async function readKeyFile(store: ObjectStore, keyFile: string, password: string): Promise<SealingKey | undefined> {
  const bytes = await store.get(keyFile);
  if (sha256(bytes) !== idOfKey(keyFile)) {
    throw new HoldfastError('repository-damaged', `${keyFile} is damaged: its content does not match its name`);
  }
  return decodeKeyFile(bytes, password);
}

function noRepository(store: ObjectStore): HoldfastError {
  return new HoldfastError('no-repository', `there is no repository at ${store.location}`, {
    hint: 'Run `holdfast init` to make it, or check the place that the plan names.',
    context: { store: store.location },
  });
}
