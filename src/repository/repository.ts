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
import { awaitedLater } from '../foundation/promises.ts';
import type { ScryptInput } from '../foundation/scrypt.ts';
import type { ByteRange, ObjectStore, StoredObject, Use } from '../store/index.ts';
import { IndexMemory } from './index-memory.ts';
import { CONFIG_KEY, DATA_PREFIX, INDEX_PREFIX, idOfKey, KEYS_PREFIX, SNAPSHOTS_PREFIX } from './layout.ts';
import { isUnusable, orReadAnew } from './read-anew.ts';

/** How long a key without a configuration may be that of somebody who is about to write one. */
const RIVAL_FOR_MS = 30 * 60_000;
/** Who took longer may be taken for dead by the time that a write arrives. */
export const CREATE_WITHIN_MS = 5 * 60_000;
/** Of more documents that are new, a listing tells all there is to know. */
const LOOKED_UP_ONE_BY_ONE = 32;

/**
 * Where an object may be had that was found missing or damaged.
 * @returns all of its bytes, authenticated; undefined when nobody has it
 */
export type Healer = (key: string, reason: HoldfastError) => Promise<Uint8Array | undefined>;

/** A repository whose password was right: documents can be read and written, blobs not yet. See `loadIndex`. */
export class Repository {
  readonly store: ObjectStore;
  readonly key: SealingKey;
  readonly config: RepositoryConfig;
  /** The id of the key file that the password opened. */
  readonly keyId: string;
  /** Where `loadIndex` finds what it has read before. */
  readonly indexMemory: IndexMemory | undefined;

  readonly #healer: Healer | undefined;
  /** When each document was stored, by key, as far as somebody asked: it never changes. */
  readonly #storedMs = new Map<string, number>();

  constructor(
    store: ObjectStore,
    key: SealingKey,
    config: RepositoryConfig,
    keyId: string,
    { healer, indexMemory }: { healer?: Healer | undefined; indexMemory?: IndexMemory | undefined } = {},
  ) {
    this.store = store;
    this.key = key;
    this.config = config;
    this.keyId = keyId;
    this.indexMemory = indexMemory;
    this.#healer = healer;
  }

  /** The same repository, with another way of coming by what is damaged, or without one. */
  healedBy(healer: Healer | undefined): Repository {
    return this.#with(this.store, { healer });
  }

  /**
   * Makes something of an object's bytes, or of a range of them. Where they are damaged they are read once more; where they
   * are so again, or cannot be read, or a pack is missing, and there is another copy, it is made of that. What else is missing was listed
   * before and is gone since, which is no damage.
   * @param make throws repository-damaged when the bytes are not what they should be, and may be called three times
   */
  async read<T>(key: string, make: (bytes: Uint8Array) => T | Promise<T>, range?: ByteRange, use?: Use): Promise<T> {
    try {
      return await orReadAnew(async () => make(await this.store.get(key, range, use)));
    } catch (error) {
      const isMissingPack = isHoldfastError(error, 'object-missing') && key.startsWith(DATA_PREFIX);
      if (!isMissingPack && !isUnusable(error)) throw error;
      const whole = await this.#healer?.(key, error);
      if (whole === undefined) throw error;
      // A copy of its own, as a store gives it.
      return await make(
        range === undefined ? whole : new Uint8Array(whole.subarray(range.offset, range.offset + range.length)),
      );
    }
  }

  /** The same repository, its objects had through another store. */
  through(store: ObjectStore): Repository {
    return this.#with(store);
  }

  /** The same repository, for who loads its index again and again: what it has read of it, it reads no more. */
  rememberingIndex(): Repository {
    return this.#with(this.store, { indexMemory: new IndexMemory() });
  }

  #with(store: ObjectStore, other: { healer?: Healer | undefined; indexMemory?: IndexMemory } = {}): Repository {
    const { key, config, keyId, indexMemory } = this;
    return new Repository(store, key, config, keyId, { healer: this.#healer, indexMemory, ...other });
  }

  /** Seals a document and stores it under the hash of what is stored. Resolves to that id once it is durable. */
  async putDocument(prefix: string, document: unknown): Promise<string> {
    return this.putSealed(prefix, sealJson(this.key, document, this.config.version));
  }

  /** The bytes of a document, for `putSealed`. @param json its text in UTF-8, which is taken over */
  sealDocumentText(json: Buffer): Buffer {
    return sealJsonText(this.key, json, this.config.version);
  }

  /** Stores a sealed document under its hash. Resolves to that id once it is durable. */
  async putSealed(prefix: string, sealed: Buffer): Promise<string> {
    const id = sha256(sealed);
    await this.store.put(`${prefix}${id}`, sealed);
    return id;
  }

  /** @throws object-missing; repository-damaged when its bytes are not those that its name promises */
  async getDocument(key: string): Promise<unknown> {
    return this.read(key, (bytes) =>
      openDocument(key, bytes, (sealed) => parseJsonDocument(unsealJsonText(this.key, sealed).toString('utf8'))),
    );
  }

  /** The keys of the documents below a prefix, sorted. */
  async documentKeys(prefix: string): Promise<string[]> {
    const { store } = this;
    const keys = store.names === undefined ? [...(await this.documentSizes(prefix)).keys()] : await store.names(prefix);
    return keys.filter((key) => idOfKey(key) !== undefined).sort();
  }

  /**
   * The keys of the documents below a prefix, in no order, with the times at which they were stored, in milliseconds since
   * 1970. Who asks again has only those looked up that are new, where names are had for less than a listing.
   */
  async documentTimes(prefix: string): Promise<Map<string, number>> {
    const names = this.store.names === undefined ? undefined : await this.documentKeys(prefix);
    const fresh = names?.filter((key) => !this.#storedMs.has(key));
    if (names === undefined || fresh!.length > LOOKED_UP_ONE_BY_ONE) {
      const times = new Map<string, number>();
      for await (const { key, modifiedMs } of this.store.list(prefix)) {
        if (idOfKey(key) !== undefined) times.set(key, modifiedMs);
      }
      this.#remember(prefix, times);
      return times;
    }
    const times = new Map<string, number>();
    for (const key of names) {
      const storedMs = this.#storedMs.get(key) ?? (await this.store.stat(key))?.modifiedMs;
      // It may have gone since.
      if (storedMs !== undefined) times.set(key, storedMs);
    }
    this.#remember(prefix, times);
    return times;
  }

  #remember(prefix: string, times: ReadonlyMap<string, number>): void {
    for (const key of this.#storedMs.keys()) if (key.startsWith(prefix) && !times.has(key)) this.#storedMs.delete(key);
    for (const [key, storedMs] of times) this.#storedMs.set(key, storedMs);
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
 * @throws repository-exists; repository-locked and store-unsuitable where the store decides no race
 */
export async function createRepository(store: ObjectStore, password: string, clock: Clock): Promise<Repository> {
  if (password === '') throw new HoldfastError('bad-usage', 'a repository cannot have an empty password');
  await refuseIfThere(store);
  const { conditionalPut, consistentListing } = await store.capabilities();
  if (!conditionalPut && !consistentListing) throw undecidable(store);
  const abandonedKeys = await keysOf(store);
  const key = newSealingKey();
  const config = newConfig();
  const keyFile = await encodeKeyFile(key, password, clock.nowMs());
  const keyId = sha256(keyFile);
  const keyFileKey = `${KEYS_PREFIX}${keyId}`;
  const startMs = clock.monotonicMs();
  await store.put(keyFileKey, keyFile);
  try {
    if (!conditionalPut) await refuseRivals(store, keyFileKey, { clock, startMs });
    await store.put(CONFIG_KEY, encodeConfig(key, config), { ifAbsent: conditionalPut });
  } catch (error) {
    // When it is there all the same, by a put that failed after its effect, its key must stay.
    const isBeaten = isHoldfastError(error, 'object-exists');
    if (isBeaten || isHoldfastError(error, 'repository-locked')) await store.delete(keyFileKey);
    throw isBeaten ? repositoryExists(store) : error;
  }
  for (const abandoned of abandonedKeys) await store.delete(abandoned);
  return new Repository(store, key, config, keyId);
}

/**
 * Where the store decides no race: whoever sees another's key gives up before the configuration. Each lists after its own
 * put, so that of two at least one sees the other.
 * @throws repository-locked
 */
async function refuseRivals(
  store: ObjectStore,
  own: string,
  { clock, startMs }: { clock: Clock; startMs: number },
): Promise<void> {
  const keys: StoredObject[] = [];
  for await (const object of store.list(KEYS_PREFIX)) if (idOfKey(object.key) !== undefined) keys.push(object);
  const ownMs = keys.find(({ key }) => key === own)?.modifiedMs;
  const isRival = ({ key, modifiedMs }: StoredObject) => key !== own && ownMs! - modifiedMs < RIVAL_FOR_MS;
  const isLate = clock.monotonicMs() - startMs > CREATE_WITHIN_MS;
  if (ownMs !== undefined && !isLate && !keys.some(isRival)) return;
  throw new HoldfastError('repository-locked', `somebody else is making a repository at ${store.location}`, {
    hint: 'Try again in 30 minutes: what a run that died has left binds nobody by then.',
    retryable: true,
    context: { store: store.location },
  });
}

function undecidable(store: ObjectStore): HoldfastError {
  return new HoldfastError(
    'store-unsuitable',
    `no repository can be made at ${store.location}: it neither decides between two that write the same object, nor lists what was just written`,
    { hint: 'Use a store with conditional writes (If-None-Match) or with consistent listings.' },
  );
}

/** @throws repository-exists also when a configuration alone is missing: what is there would be lost with a new one */
async function refuseIfThere(store: ObjectStore): Promise<void> {
  if (await holdsRepository(store)) throw repositoryExists(store);
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

/** Whether a repository lies there, as far as its configuration tells. */
export async function holdsRepository(store: ObjectStore): Promise<boolean> {
  return (await store.stat(CONFIG_KEY)) !== undefined;
}

/**
 * Opens a repository with any of its passwords.
 * @param meanwhile is called for each key that is tried, see `decodeKeyFile`; for the one that opens it last
 * @throws no-repository, wrong-password, repository-damaged, repository-unsupported
 */
export async function openRepository(
  store: ObjectStore,
  password: string,
  meanwhile?: (input: ScryptInput) => void,
): Promise<Repository> {
  // Side by side: from afar each is a round trip.
  const [keys, sealed] = await Promise.all([keysOf(store), store.get(CONFIG_KEY)]).catch((error: unknown) => {
    const isMissing = isHoldfastError(error, 'object-missing') || isHoldfastError(error, 'no-bucket');
    throw isMissing ? noRepository(store, error) : error;
  });
  if (keys.length === 0) throw noKeyFile(store);
  let damage: unknown;
  // Read side by side, too, and tried one after the other: to try a password takes a processor for a while.
  const files = keys.map((keyFile) => ({ keyFile, read: awaitedLater(readKeyFile(store, keyFile)) }));
  for (const { keyFile, read } of files) {
    try {
      const key = await decodeKeyFile(await read, password, meanwhile);
      if (key !== undefined) return new Repository(store, key, openConfig(key, sealed), idOfKey(keyFile)!);
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

/** @throws repository-damaged, naming it; repository-unsupported */
function openConfig(key: SealingKey, sealed: Uint8Array): RepositoryConfig {
  try {
    return decodeConfig(key, sealed);
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    throw new HoldfastError('repository-damaged', `${CONFIG_KEY} is damaged: ${error.message}`, { cause: error });
  }
}

/** Oldest first: that of a recovery kit, which opens nothing on most days, came after that of every day. */
async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: StoredObject[] = [];
  for await (const object of store.list(KEYS_PREFIX)) if (idOfKey(object.key) !== undefined) keys.push(object);
  return keys.sort((a, b) => a.modifiedMs - b.modifiedMs || (a.key < b.key ? -1 : 1)).map(({ key }) => key);
}

/** @throws repository-damaged, naming it */
async function readKeyFile(store: ObjectStore, keyFile: string): Promise<Uint8Array> {
  const bytes = await store.get(keyFile);
  if (sha256(bytes) !== idOfKey(keyFile)) {
    throw new HoldfastError('repository-damaged', `${keyFile} is damaged: its content does not match its name`);
  }
  return bytes;
}

/** Its configuration is there: one that is being made has its key file first. */
function noKeyFile(store: ObjectStore): HoldfastError {
  return new HoldfastError('no-repository', `no key file is left of the repository at ${store.location}`, {
    hint: 'Without one nothing that is stored can be read. Run `holdfast check --repair` where the plan has a mirror, or bring `keys/` back from another copy.',
    context: { store: store.location },
  });
}

/** @param missing what the store said, of which a bucket that is gone is the news */
function noRepository(store: ObjectStore, missing: HoldfastError): HoldfastError {
  const what = isHoldfastError(missing, 'no-bucket') ? missing.message : `there is no repository at ${store.location}`;
  return new HoldfastError('no-repository', what, {
    hint: 'Run `holdfast init` to make it, or check the place that the plan names.',
    context: { store: store.location },
    cause: missing,
  });
}
