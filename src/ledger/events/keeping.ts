/** What is done to keep the ledger itself. */
export interface KeepingEvents {
  'ledger.folded': LedgerFolded;
  'checkpoint.signed': CheckpointSigned;
}

/** Events of days that are over lie together, and the objects that they were in are about to be removed. */
export interface LedgerFolded {
  /** Keys of the objects that they are in now, within the ledger; each ends with the SHA-256 of its events. */
  into: string[];
  /** By writer, the sequences in the keys of the objects that go: ranges such as `0-5,7`. */
  removed: Record<string, string>;
}

export interface CheckpointSigned {
  /** Of the object, within the repository. */
  checkpoint: string;
  /** SHA-256 (hex) of what was signed. */
  sha256: string;
  events: number;
  /** Of the public key: SHA-256 (hex). */
  key: string;
  /** Where copies were put, outside of the repository. */
  sentTo: string[];
  /** Channels of the plan that took a copy. */
  channels?: string[];
}
