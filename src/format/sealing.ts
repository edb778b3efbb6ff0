import { type Cipheriv, createCipheriv, createDecipheriv, randomFillSync, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import { HoldfastError } from '../foundation/errors.ts';

/**
 * restic's authenticated encryption: AES-256 in counter mode, and Poly1305-AES over the ciphertext.
 * A sealed message is nonce (16 bytes) ‖ ciphertext ‖ MAC (16 bytes); the nonce is also the counter's start.
 *
 * Source: restic's design document, "Keys, Encryption and MAC"; D. J. Bernstein, "The Poly1305-AES message-authentication
 * code" (2005).
 */

export interface SealingKey {
  /** AES-256 key, 32 bytes. */
  encrypt: Buffer;
  /** AES-128 key of the MAC, 16 bytes. */
  macK: Buffer;
  /** Poly1305's r, 16 bytes. Clamped by the MAC itself. */
  macR: Buffer;
}

export const NONCE_BYTES = 16;
export const MAC_BYTES = 16;
/** How much longer a sealed message is than its plaintext. */
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + MAC_BYTES;

interface Sodium {
  crypto_onetimeauth(out: Buffer, message: Uint8Array, key: Buffer): void;
}
let sodium: Sodium | undefined;

/** Loaded at first use, or by who has time for it just then: a command that reads no repository need not pay for it. */
export function loadSodium(): Sodium {
  sodium ??= createRequire(import.meta.url)('sodium-native') as Sodium;
  return sodium;
}

function poly1305(out: Buffer, message: Uint8Array, key: Buffer): void {
  loadSodium().crypto_onetimeauth(out, message, key);
}

/** Each encrypts block after block, none of which depends on another: to make one takes longer than to seal a short message. */
const macCiphers = new WeakMap<SealingKey, Cipheriv>();

function macCipherOf(key: SealingKey): Cipheriv {
  const known = macCiphers.get(key) ?? createCipheriv('aes-128-ecb', key.macK, null).setAutoPadding(false);
  macCiphers.set(key, known);
  return known;
}

function macOf(key: SealingKey, nonce: Uint8Array, ciphertext: Uint8Array): Buffer {
  const oneTimeKey = Buffer.concat([key.macR, macCipherOf(key).update(nonce)]);
  const mac = Buffer.allocUnsafeSlow(MAC_BYTES);
  poly1305(mac, ciphertext, oneTimeKey);
  return mac;
}

/** The parts of a sealed message, apart so that they can be written without being copied together. */
export function sealParts(key: SealingKey, plaintext: Uint8Array): [nonce: Buffer, ciphertext: Buffer, mac: Buffer] {
  const nonce = randomFillSync(Buffer.allocUnsafeSlow(NONCE_BYTES));
  const ciphertext = createCipheriv('aes-256-ctr', key.encrypt, nonce).update(plaintext);
  return [nonce, ciphertext, macOf(key, nonce, ciphertext)];
}

/** `plaintext` sealed under a fresh random nonce. */
export function seal(key: SealingKey, plaintext: Uint8Array): Buffer {
  return Buffer.concat(sealParts(key, plaintext));
}

/**
 * The plaintext of a sealed message.
 * @throws repository-damaged when it is too short or was not sealed by this key as it is.
 */
export function unseal(key: SealingKey, sealed: Uint8Array): Buffer {
  if (sealed.byteLength < SEAL_OVERHEAD_BYTES) {
    throw new HoldfastError(
      'repository-damaged',
      `sealed data is ${sealed.byteLength} bytes long, too short to be any`,
    );
  }
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const ciphertext = sealed.subarray(NONCE_BYTES, sealed.byteLength - MAC_BYTES);
  const mac = sealed.subarray(sealed.byteLength - MAC_BYTES);
  if (!timingSafeEqual(macOf(key, nonce, ciphertext), mac)) {
    throw new HoldfastError(
      'repository-damaged',
      'authentication failed: the data is damaged or was sealed by another key',
    );
  }
  return createDecipheriv('aes-256-ctr', key.encrypt, nonce).update(ciphertext);
}
