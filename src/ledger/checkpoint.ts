import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { parseJsonDocument } from '../format/index.ts';
import { HoldfastError, messageOf } from '../foundation/errors.ts';
import type { Head } from './chain-check.ts';
import { sha256 } from './objects.ts';

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
    publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }),
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

function noCheckpoint(how: string): HoldfastError {
  return new HoldfastError('repository-damaged', `the checkpoint cannot be believed: ${how}`, {
    hint: 'Take another copy of it, or the key that it was signed with.',
  });
}

/** A new key, as PEM. */
export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** The public key of a private one, as PEM. */
export function publicKeyOf(pem: string): string {
  return createPublicKey(pem).export({ type: 'spki', format: 'pem' }) as string;
}

/** @param pem an Ed25519 key in PKCS #8 @throws secret-unavailable when it is none */
export function parseSigningKey(pem: string): KeyObject {
  return parseKey(pem, 'the signing key of the ledger', createPrivateKey);
}

/** @param pem an Ed25519 public key in SPKI, or a private one @throws secret-unavailable when it is none */
export function parsePublicKey(pem: string): KeyObject {
  return parseKey(pem, 'the public key', createPublicKey);
}

function parseKey(pem: string, what: string, parse: (pem: string) => KeyObject): KeyObject {
  const hint = 'Expected an Ed25519 key in PEM, such as `openssl genpkey -algorithm ed25519` makes.';
  let key: KeyObject;
  try {
    key = parse(pem);
  } catch (error) {
    // The cause is left out: it may repeat what it was given.
    throw new HoldfastError('secret-unavailable', `${what} is no key in PEM (${messageOf(error).split('\n')[0]})`, {
      hint,
    });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new HoldfastError('secret-unavailable', `${what} is of the type ${key.asymmetricKeyType}`, { hint });
}

/** Names a key: SHA-256 (hex) of the public one. */
export function fingerprintOf(key: KeyObject): string {
  const own = key.type === 'private' ? createPublicKey(key) : key;
  return sha256(own.export({ type: 'spki', format: 'der' }));
}
