export interface ByteRange {
  offset: number;
  length: number;
}

export interface StoredObject {
  key: string;
  sizeBytes: number;
  /** Milliseconds since 1970, by the store's clock. */
  modifiedMs: number;
  /** By `stat` alone, of an object that cannot be read now: whether it has been asked for already. */
  offline?: 'unasked' | 'asked';
}
