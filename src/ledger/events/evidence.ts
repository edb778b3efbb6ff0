/** Which keys sign, and what was signed by them for others to keep. */
export interface EvidenceEvents {
  /** In the ledger of each repository that sources are kept in. */
  'signing-keys.listed': SigningKeysListed;
  'evidence.signed': EvidenceSigned;
}

export interface SigningKeysListed {
  /** `recorded`: it was used for the first time. */
  change: 'recorded' | 'rotated' | 'revoked';
  /** The fingerprint of the key that it is about: of the new one, where one was rotated. */
  key: string;
  why?: string;
  /** All keys that there ever were, as evidence that the newest of them signed: what of it counts is in there. */
  envelope: string;
}

/** Evidence was signed, and is about to be handed out. */
export interface EvidenceSigned {
  /** The fingerprint of the key. */
  key: string;
  /** SHA-256 (hex) of each file. */
  files: { name: string; sha256: string }[];
}
