import type { ObjectLock, Retention } from './object-lock.ts';
import type { ByteRange, StoredObject } from './stored-object.ts';

/** Where it is tried what a store honours: what is there is of no lasting use, and belongs to no repository. */
export const PROBE_PREFIX = 'holdfast/probe/';

/**
 * Where objects lie. The smallest thing that a repository needs of a disk or a cloud; retries, caches and limits wrap it.
 *
 * A key is a relative path of parts separated by `/`, each of letters, digits, `-`, `_` and `.`, none beginning with `.`.
 * Every method may be called at the same time as any other. Errors: `store-unreachable` (trying again may help),
 * `no-bucket`, `permission-denied`, `disk-full`, `store-failed`.
 */
export interface ObjectStore {
  /** The place, fit to be shown: never with credentials. */
  readonly location: string;
  /**
   * Where a large object may be written as a file before it is put, at no cost beyond a rename.
   * Undefined where there is no such place: then any directory does.
   */
  readonly stagingDirectory: string | undefined;

  /** What may be relied on here. Where that is not known yet, it is tried: then a small object is written and removed. */
  capabilities(): Promise<StoreCapabilities>;

  /**
   * Stores an object whole, replacing one that is there. When the promise resolves it is durable and visible to `get`,
   * `stat` and `list`; when it rejects it may or may not be there, but never in part.
   * A file given as content need not be synced; it belongs to the store from here on and may be moved, and it is gone when
   * all is over. Only after an error that is `retryable` it is where it was, so that the same call can be made again.
   * @throws object-exists with `ifAbsent` where something is there (needs the capability `conditionalPut`)
   */
  put(key: string, content: Content, options?: PutOptions): Promise<void>;

  /**
   * An object's bytes, or `range` of them, all of it or nothing: a range beyond its end, or a short answer, is an error.
   * The buffer belongs to the caller alone.
   * @param use what makes it faster; a store need not look at it
   * @throws object-missing; object-offline where it must be asked for before: see `recall`
   */
  get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array>;

  /** Every object whose key begins with `prefix` (whole parts, ending in `/`, or empty for all), in no order. */
  list(prefix: string): AsyncIterable<StoredObject>;

  /**
   * The keys of what `list` gives, in no order: only where they are had for less than that, and by whoever needs no
   * more. Without the method, `list` is asked.
   */
  names?(prefix: string): Promise<string[]>;

  /** What is known of an object, if it is there. */
  stat(key: string): Promise<StoredObject | undefined>;

  /** Removes an object, durably when the promise resolves. One that is not there is no error. */
  delete(key: string): Promise<void>;

  /**
   * The absolute path of the file that an object is, if it is there, for whoever reads much of it: only in a store whose
   * objects are files of this machine. Without the method, or when the file cannot be read, `get` is asked.
   */
  fileOf?(key: string): string;

  /**
   * Asks for an object that `stat` says is offline to be made readable, which takes hours. Asking again does no harm. Without
   * the method, no object is ever offline.
   * @throws object-missing
   */
  recall?(key: string, request: RecallRequest): Promise<void>;

  /**
   * Makes the place that objects lie in, where that is more than a name: a bucket. One that is there is left alone.
   * @param options.lock whether versions of objects are to be locked there
   */
  makePlace?(options?: { lock?: boolean }): Promise<void>;

  /** Versions and object lock, where the kind of store has them; whether this place does, `lock.state` tells. */
  readonly lock?: ObjectLock | undefined;
}

export interface StoreCapabilities {
  /** Whether `ifAbsent` decides a race between writers. */
  conditionalPut: boolean;
  /** Whether a listing shows what was put and hides what was deleted before it began. */
  consistentListing: boolean;
  /** Whether these credentials may delete, where it is known that they may not. */
  deletes?: false;
}

/** What a caller knows of an object, which changes nothing but how fast it is had. */
export interface Use {
  /** Its bytes are named by their hash, and what is in it will be read again by other commands: worth keeping near. */
  again?: boolean;
  /** Of a `get` of a part: how large the whole object is, about, which saves whoever wants all of it a look. */
  objectBytes?: number;
  /**
   * Of a `get`: memory that its bytes may be put into, which may be shared with other threads, as long as what is asked for.
   * They are what `get` resolves to: a part of this memory, or not.
   */
  into?: Uint8Array;
  /**
   * Of a `get`: told the MD5 of the whole object, in hex, as the store keeps it, where its answer says so. Nothing has been
   * held against it.
   */
  onMd5?: (md5: string) => void;
}

export interface PutOptions extends Use {
  ifAbsent?: boolean;
  /**
   * Whether it is large and seldom read: then it may lie where that costs less. What says what is there, trees among it, is
   * never, so that it can be listed and planned with at once.
   */
  bulk?: boolean;
  /** What is stored is locked from its first instant on. Only in a place with object lock: see `ObjectStore.lock`. */
  retention?: Retention;
  /** Of its bytes, in hex, where the caller has it: a store that goes by it need not look at them all for that. */
  md5?: string;
}

export type Content = Uint8Array | StagedContent;

export interface StagedContent {
  file: string;
  sizeBytes: number;
}

export interface RecallRequest {
  /** How soon: what is faster costs more. */
  tier: RecallTier;
  /** For how long it can be read then. */
  days: number;
}

export type RecallTier = 'bulk' | 'standard' | 'expedited';

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

/** Whether a key is one: a hostile one must not lead out of the store. */
export function isObjectKey(key: string): boolean {
  return key.length <= 512 && KEY.test(key);
}
