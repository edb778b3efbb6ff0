/** Objects of somebody else in a bucket, under any keys, which are read and never written. */
export interface Bucket {
  /** The place, fit to be shown: never with credentials. */
  readonly location: string;
  /**
   * Every object, in the order of the bytes of its key.
   * @param after a key: those behind it alone
   * @throws what a store's `list` throws
   */
  list(after?: string): AsyncIterable<BucketObject>;
  /**
   * An object as it is now. Whoever does not read its body to the end ends it.
   * @returns undefined when it is not there
   * @throws what a store's `get` throws; its body throws the same, also when what came is not what is stored
   */
  open(key: string): Promise<OpenedObject | undefined>;
}

/** What a listing tells of an object. */
export interface BucketObject {
  /** Text, below the place; any characters, and perhaps empty. */
  key: string;
  sizeBytes: number;
  modifiedMs: number;
  /** Another one whenever its content is, or what else it was stored with. */
  version: string;
}

export interface OpenedObject extends BucketObject {
  headers: ObjectHeaders;
  body: AsyncIterable<Uint8Array>;
}

/** What an object was stored with beside its content. Of S3's metadata, names are in lower case. */
export interface ObjectHeaders {
  contentType?: string;
  contentEncoding?: string;
  contentDisposition?: string;
  contentLanguage?: string;
  cacheControl?: string;
  metadata?: Record<string, string>;
}
