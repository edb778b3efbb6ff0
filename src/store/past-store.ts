import { HoldfastError } from '../foundation/errors.ts';
import { DecoratedStore } from './decorated-store.ts';
import type { ObjectLock, ObjectVersion } from './object-lock.ts';
import { isObjectKey, type ObjectStore } from './object-store.ts';
import type { ByteRange, StoredObject } from './stored-object.ts';

/** Which version of an object is looked at, of all of them, the newest first; none where it is not looked at. */
export interface Past {
  /** Completes "as it was …". */
  when: string;
  choose(versions: readonly ObjectVersion[]): ObjectVersion | undefined;
}

/** What was the newest at a time. */
export function asOf(timeMs: number): Past {
  const choose = (versions: readonly ObjectVersion[]) => versions.find(({ modifiedMs }) => modifiedMs <= timeMs);
  return { when: `at ${new Date(timeMs).toISOString()}`, choose };
}

/** What each object was at first. */
export const asFirstWritten: Past = {
  when: 'when it was first written',
  choose: (versions) => versions.findLast(({ isMarker }) => !isMarker),
};

/**
 * A store as it was: of each object a version of the past. All versions are listed once, when something is first asked for.
 * Nothing is written there.
 */
export class PastStore extends DecoratedStore {
  readonly #past: Past;
  readonly #lock: ObjectLock;
  #versions: Promise<ReadonlyMap<string, ObjectVersion>> | undefined;

  /** @throws store-unsuitable where the kind of store has no versions */
  constructor(inner: ObjectStore, past: Past) {
    super(inner);
    this.#past = past;
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
      throw new HoldfastError('object-missing', `${key} was not in ${this.location} ${this.#past.when}`);
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
    const chosen = new Map<string, ObjectVersion>();
    let own: ObjectVersion[] = [];
    const choose = (): void => {
      const version = this.#past.choose(own);
      if (version !== undefined && !version.isMarker) chosen.set(version.key, version);
    };
    // Those of an object come one after the other, newest first.
    for await (const version of this.#lock.listVersions('')) {
      if (own.length > 0 && own[0]!.key !== version.key) {
        choose();
        own = [];
      }
      own.push(version);
    }
    choose();
    return chosen;
  }

  #refusal(what: string): HoldfastError {
    return new HoldfastError(
      'permission-denied',
      `cannot ${what}: ${this.location} is looked at as it was ${this.#past.when}`,
      {
        hint: 'Leave out `--as-of` to work with it as it is.',
        context: { store: this.location },
      },
    );
  }
}
