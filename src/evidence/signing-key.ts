/** Ed25519 keys that sign what Holdfast says: checkpoints of the ledger, and evidence that leaves it. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { HoldfastError, messageOf } from '../foundation/errors.ts';

/** A new key, as PEM. */
export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** The public key of a private one, as PEM. @param key a PEM, or what came of one */
export function publicKeyOf(key: string | KeyObject): string {
  const own = typeof key !== 'string' && key.type === 'public' ? key : createPublicKey(key);
  return own.export({ type: 'spki', format: 'pem' }) as string;
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

/** Names a key: SHA-256 (hex) of the public one in SPKI, as DER. */
export function fingerprintOf(key: KeyObject): string {
  const own = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(own.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
