import { createHash } from 'node:crypto';
import { settled } from '../../foundation/promises.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  type Use,
} from '../index.ts';
import { CacheDirectory, type CacheDirectoryOptions } from './cache-directory.ts';

/** What is read by nearly every command, whole: restic's names for the index and the snapshots. */
const KEPT_PREFIXES = ['index/', 'snapshots/'];
const LISTED_PREFIXES = [...KEPT_PREFIXES, 'data/'];
const HASH = /\/[0-9a-f]{64}$/;
/** A larger object is read in the ranges that are asked for. */
const LARGEST_BYTES = 64 * 1024 * 1024;
/** So many objects are fetched whole at the same time: each is in memory meanwhile. */
const FETCHED_AT_ONCE = 2;

/**
 * Keeps the index, the snapshots and the packs of trees in a directory of this machine, as they are in the store: sealed.
 * Whatever is given out of it matches the hash that it is named by. Listings, and whether an object is there, always come
 * from the store; what a listing does not show any more is removed.
 *
 * Packs of trees are fetched whole, as restic does: who reads one tree of a pack reads most of them, and only a whole pack
 * can be held against its name.
 */
export class CachingStore extends DecoratedStore {
  readonly #cache: CacheDirectory;
  readonly #fetching = new Map<string, Promise<void>>();
  readonly #passedOver = new Set<string>();
  #fetchers = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(inner: ObjectStore, options: CacheDirectoryOptions) {
    super(inner);
    this.#cache = new CacheDirectory(options);
  }

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    if (!isKept(key, options)) return super.put(key, content, options);
    // The store takes the file, and may change the buffer's owner: what is kept is taken before, and removed if it failed.
    await this.#cache.keep(key, content);
    try {
      await super.put(key, content, options);
    } catch (error) {
      await this.#cache.remove(key);
      throw error;
    }
  }

  override async get(key: string, range?: ByteRange, use: Use = {}): Promise<Uint8Array> {
    if (!isKept(key, use)) return super.get(key, range, use);
    const kept = this.#cache.read(key, range);
    if (kept !== undefined) return kept;
    if (range === undefined) return this.#fetchWhole(key);
    if (!this.#passedOver.has(key)) {
      await this.#fetchForRanges(key, use.objectBytes);
      const fetched = this.#cache.read(key, range);
      if (fetched !== undefined) return fetched;
      this.#passedOver.add(key);
    }
    return super.get(key, range, use);
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    // Only what is kept before the store is asked can be seen to be gone: what comes meanwhile may not be listed yet.
    const gone = LISTED_PREFIXES.includes(prefix) ? await this.#cache.names(prefix) : new Set<string>();
    for await (const object of super.list(prefix)) {
      gone.delete(object.key);
      yield object;
    }
    for (const key of gone) await this.#cache.remove(key);
  }

  override async delete(key: string): Promise<void> {
    await super.delete(key);
    await this.#cache.remove(key);
  }

  async #fetchWhole(key: string): Promise<Uint8Array> {
    const bytes = await super.get(key);
    if (isNamedBy(key, bytes)) await this.#cache.keep(key, bytes);
    return bytes;
  }

  /** Once for all who wait. However it ends, the ranges themselves tell. */
  async #fetchForRanges(key: string, objectBytes: number | undefined): Promise<void> {
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = settled(this.#inTurn(() => this.#fetchUnlessLarge(key, objectBytes))).finally(() =>
        this.#fetching.delete(key),
      );
      this.#fetching.set(key, fetching);
    }
    await fetching;
  }

  async #fetchUnlessLarge(key: string, objectBytes: number | undefined): Promise<void> {
    const sizeBytes = objectBytes ?? (await this.stat(key))?.sizeBytes ?? Number.POSITIVE_INFINITY;
    if (sizeBytes <= Math.min(LARGEST_BYTES, this.#cache.limitBytes / 8)) await this.#fetchWhole(key);
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#fetchers >= FETCHED_AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#fetchers++;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#fetchers--;
      else next();
    }
  }
}

function isKept(key: string, { again = false }: Use): boolean {
  return HASH.test(key) && (again || KEPT_PREFIXES.some((prefix) => key.startsWith(prefix)));
}

function isNamedBy(key: string, bytes: Uint8Array): boolean {
  return createHash('sha256').update(bytes).digest('hex') === key.slice(key.lastIndexOf('/') + 1);
}
