import { HoldfastError } from '../foundation/errors.ts';
import { DecoratedStore } from './decorated-store.ts';
import type { ObjectLock, ObjectVersion } from './object-lock.ts';
import { isObjectKey, type ObjectStore } from './object-store.ts';
import type { ByteRange, StoredObject } from './stored-object.ts';

/**
 * A store as it was at a time: each object is the version that was the newest then. All versions are listed once, when
 * something is first asked for. Nothing is written there.
 */
export class AsOfStore extends DecoratedStore {
  readonly #timeMs: number;
  readonly #lock: ObjectLock;
  #versions: Promise<ReadonlyMap<string, ObjectVersion>> | undefined;

  /** @throws store-unsuitable where the kind of store has no versions */
  constructor(inner: ObjectStore, timeMs: number) {
    super(inner);
    this.#timeMs = timeMs;
    if (inner.lock === undefined) {
      throw new HoldfastError('store-unsuitable', `${inner.location} is known only as it is now`, {
        hint: 'Only a bucket that keeps versions can be read as it was.',
        context: { store: inner.location },
      });
    }
    this.#lock = inner.lock;
  }

  override async capabilities() {
    return { conditionalPut: false, consistentListing: true };
  }

  override async put(key: string): Promise<void> {
    throw this.#refusal(`write ${key}`);
  }

  override async delete(key: string): Promise<void> {
    throw this.#refusal(`delete ${key}`);
  }

  override async makePlace(): Promise<void> {
    throw this.#refusal('make the place');
  }

  override get lock(): undefined {
    return undefined;
  }

  override async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const version = await this.#find(key);
    if (version === undefined) {
      throw new HoldfastError('object-missing', `${key} was not in ${this.location} at ${this.#time}`);
    }
    return this.#lock.getVersion(version, range);
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const { key, sizeBytes, modifiedMs } of (await this.#all()).values()) {
      if (key.startsWith(prefix)) yield { key, sizeBytes, modifiedMs };
    }
  }

  override async stat(key: string): Promise<StoredObject | undefined> {
    const version = await this.#find(key);
    return version && { key, sizeBytes: version.sizeBytes, modifiedMs: version.modifiedMs };
  }

  async #find(key: string): Promise<ObjectVersion | undefined> {
    if (!isObjectKey(key)) throw new HoldfastError('internal', `${JSON.stringify(key)} is no object key`);
    return (await this.#all()).get(key);
  }

  #all(): Promise<ReadonlyMap<string, ObjectVersion>> {
    this.#versions ??= this.#listAll();
    return this.#versions;
  }

  async #listAll(): Promise<ReadonlyMap<string, ObjectVersion>> {
    const newest = new Map<string, ObjectVersion>();
    for await (const version of this.#lock.listVersions('')) {
      // Those of an object come newest first.
      if (version.modifiedMs <= this.#timeMs && !newest.has(version.key)) newest.set(version.key, version);
    }
    for (const [key, { isMarker }] of newest) if (isMarker) newest.delete(key);
    return newest;
  }

  get #time(): string {
    return new Date(this.#timeMs).toISOString();
  }

  #refusal(what: string): HoldfastError {
    return new HoldfastError(
      'permission-denied',
      `cannot ${what}: ${this.location} is looked at as it was at ${this.#time}`,
      {
        hint: 'Leave out `--as-of` to work with it as it is.',
        context: { store: this.location },
      },
    );
  }
}
