import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { fingerprintOf, parsePublicKey, publicKeyOf } from '../evidence/index.ts';
import { parseJsonDocument } from '../format/index.ts';
import { HoldfastError } from '../foundation/errors.ts';
import type { Head } from './chain-check.ts';

/** What a ledger held at a moment. Member names are part of the stored form. */
export interface Checkpoint {
  version: 1;
  plan: string;
  /** The id in the repository's configuration. */
  repository: string;
  /** RFC 3339. */
  time: string;
  /** How many events there were. */
  events: number;
  /** Newest events: through what they build on, and that in turn, all events are bound. Sequence and SHA-256 (hex) by writer. */
  heads: Record<string, { sequence: number; hash: string }>;
  /** SHA-256 (hex) of the newest event of every writer: see `digestOfHeads`. */
  digest: string;
}

/** Of the newest events of all writers, whatever their order. */
export function digestOfHeads(heads: readonly Head[]): string {
  const hash = createHash('sha256');
  const sorted = heads.toSorted((a, b) => (a.writer < b.writer ? -1 : 1));
  for (const { writer, sequence, hash: own } of sorted) hash.update(`${writer} ${sequence} ${own}\n`);
  return hash.digest('hex');
}

/** A checkpoint as it is stored and sent: JSON text that holds what was signed, byte for byte, and an Ed25519 signature of it. */
export function signCheckpoint(checkpoint: Checkpoint, privateKey: KeyObject): string {
  const signed = JSON.stringify(checkpoint);
  const document = {
    checkpoint: signed,
    publicKey: publicKeyOf(privateKey),
    signature: sign(null, Buffer.from(signed), privateKey).toString('base64'),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/**
 * What a checkpoint says, once its signature was found right.
 * @param publicKey the only one that is believed: whoever forges a checkpoint can put a key of their own beside it
 * @throws repository-damaged when it was not signed by this key, or is no checkpoint
 */
export function openCheckpoint(text: string, publicKey: KeyObject): Checkpoint {
  const { checkpoint: signed, signature } = (parseJsonDocument(text) ?? {}) as Record<string, unknown>;
  if (typeof signed !== 'string' || typeof signature !== 'string') throw noCheckpoint('it is no checkpoint');
  if (!verify(null, Buffer.from(signed), publicKey, Buffer.from(signature, 'base64'))) {
    throw noCheckpoint('it was changed since it was signed, or signed with another key');
  }
  const checkpoint = parseJsonDocument(signed) as Checkpoint;
  if (checkpoint.version !== 1) {
    throw new HoldfastError('repository-unsupported', `the checkpoint has the unknown version ${checkpoint.version}`, {
      hint: 'Use the version of Holdfast that wrote it, or a newer one.',
    });
  }
  return checkpoint;
}

/** The fingerprint of the key that a checkpoint says it was signed with; undefined where it names none. Nothing vouches for it. */
export function signerOf(text: string): string | undefined {
  const { publicKey } = (parseJsonDocument(text) ?? {}) as Record<string, unknown>;
  if (typeof publicKey !== 'string') return undefined;
  try {
    return fingerprintOf(parsePublicKey(publicKey));
  } catch {
    return undefined;
  }
}

function noCheckpoint(how: string): HoldfastError {
  return new HoldfastError('repository-damaged', `the checkpoint cannot be believed: ${how}`, {
    hint: 'Take another copy of it, or the key that it was signed with.',
  });
}
