import type { StoreMethod } from './store-metrics.ts';
import type { ByteRange, StoredObject } from './stored-object.ts';

/** `governance` can be lifted by who has a permission of its own, `compliance` by nobody before its time. */
export type LockMode = 'governance' | 'compliance';

/** How long a version of an object can be neither removed nor altered. */
export interface Retention {
  mode: LockMode;
  /** Milliseconds since 1970; a store may round it up to whole seconds. */
  untilMs: number;
}

/** One version of an object: what one put made. */
export interface VersionId {
  key: string;
  /** The store's own name of it. */
  id: string;
}

/** A version of an object, or a marker: what a deletion left, which hides the versions before it. */
export interface ObjectVersion extends StoredObject, VersionId {
  isMarker: boolean;
  /** Whether it is what a reader without versions meets: its bytes, or, of a marker, nothing. */
  isNewest: boolean;
  /** Versions of an object that have the same one have the same content; not every store has one. */
  tag?: string;
}

/** What the settings of the place allow. */
export interface LockState {
  /** Whether what is replaced or deleted stays as a version. */
  keepsVersions: boolean;
  /** Whether versions can be locked. */
  locks: boolean;
}

/**
 * What a store with versions and object lock can do beside. Versions that are replaced or deleted stay, and can be read,
 * until they are removed by themselves. A put locks what it makes when it is given `retention`. To delete or replace an
 * object under lock succeeds all the same: it hides the locked version behind a marker or a newer version.
 *
 * Errors are those of `ObjectStore`; `permission-denied` also for what a lock forbids.
 */
export interface ObjectLock {
  /** What the place allows. */
  state(): Promise<LockState>;

  /**
   * Locks a version, or makes its lock longer or stricter. What is locked for longer or more strictly already stays so, and
   * where the store makes no lock stricter for these credentials it is only made longer.
   * @throws object-missing
   */
  extend(version: VersionId, retention: Retention): Promise<void>;

  /** The lock of a version, also one that has run out; undefined when it never had one. @throws object-missing */
  lockOf(version: VersionId): Promise<Retention | undefined>;

  /**
   * Every version and marker of every object whose key begins with `prefix` (as in `list`, or one whole key), those of one
   * object one after the other, its newest first.
   */
  listVersions(prefix: string): AsyncIterable<ObjectVersion>;

  /** As `get`, of one version, hidden or not. @throws object-missing also of a marker */
  getVersion(version: VersionId, range?: ByteRange): Promise<Uint8Array>;

  /**
   * Removes a version or a marker for good: what it hid is there again, in some stores as a copy of its own. So of several
   * the oldest goes first. One that is not there is no error.
   * @param options.bypass lifts a lock of mode governance, where the credentials may
   * @throws permission-denied while it is locked
   */
  removeVersion(version: VersionId, options?: { bypass?: boolean }): Promise<void>;
}

/** What stands between a lock and its user: each request, as the kind of request that it is like, and each listing. */
export interface LockPassage {
  request<T>(method: StoreMethod, work: () => Promise<T>): Promise<T>;
  /** @param begin gives the listing from its beginning, as often as it is asked */
  listing(begin: () => AsyncIterable<ObjectVersion>): AsyncIterable<ObjectVersion>;
}

/** The same lock, its every request made through what a decorator puts before it. */
export function lockThrough(lock: ObjectLock, { request, listing }: LockPassage): ObjectLock {
  return {
    state: () => request('stat', () => lock.state()),
    extend: (version, retention) => request('put', () => lock.extend(version, retention)),
    lockOf: (version) => request('stat', () => lock.lockOf(version)),
    listVersions: (prefix) => listing(() => lock.listVersions(prefix)),
    getVersion: (version, range) => request('get', () => lock.getVersion(version, range)),
    removeVersion: (version, options) => request('delete', () => lock.removeVersion(version, options)),
  };
}
