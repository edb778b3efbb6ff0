/** An object as a listing has it. */
export interface StoredLedgerObject {
  /** Within the ledger. */
  key: string;
  sizeBytes: number;
  modifiedMs: number;
}

/** Where events lie, and the key that seals them: what the ledger needs of a repository. Keys are relative to the ledger. */
export interface LedgerStorage {
  seal(plain: Uint8Array): Uint8Array;
  /** @throws repository-damaged */
  unseal(sealed: Uint8Array): Uint8Array;
  /** @throws object-exists */
  putNew(key: string, sealed: Uint8Array): Promise<void>;
  /** @throws object-missing */
  get(key: string): Promise<Uint8Array>;
  list(): AsyncIterable<StoredLedgerObject>;
  delete(key: string): Promise<void>;
}
