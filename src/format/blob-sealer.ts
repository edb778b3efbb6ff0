import { randomFillSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { compress } from './compression.ts';
import { loadNativeCodecs, type NativeCodecs } from './native-codecs.ts';
import { MAC_BYTES, NONCE_BYTES, SEAL_OVERHEAD_BYTES, type SealingKey, seal } from './sealing.ts';

interface Sodium {
  crypto_onetimeauth(out: Uint8Array, message: Uint8Array, key: Uint8Array): void;
}

/** Nonces are drawn so many at a time: asking the system for each costs as much as sealing a small blob. */
const NONCES_AT_ONCE = 256;

/**
 * Compresses and seals one blob after the other where it is to lie, with contexts that are made once. What comes out is
 * what `compress` and `seal` make of it.
 */
export class BlobSealer {
  readonly #key: SealingKey;
  readonly #codecs: NativeCodecs | null;
  readonly #sodium: Sodium;
  readonly #oneTimeKey: Buffer;
  readonly #nonces = Buffer.allocUnsafeSlow(NONCES_AT_ONCE * NONCE_BYTES);
  #noncesUsed = NONCES_AT_ONCE;

  /** @param codecs for tests: `null` for none */
  constructor(key: SealingKey, codecs: NativeCodecs | null = loadNativeCodecs(key) ?? null) {
    this.#key = key;
    this.#codecs = codecs;
    this.#sodium = createRequire(import.meta.url)('sodium-native') as Sodium;
    this.#oneTimeKey = Buffer.allocUnsafeSlow(32);
    this.#oneTimeKey.set(key.macR);
  }

  /**
   * Seals `plain`, compressed where that is asked for and makes it smaller.
   * @param room where it goes: at least SEAL_OVERHEAD_BYTES longer than `plain`
   */
  seal(
    plain: Uint8Array,
    room: Uint8Array,
    options: { compress: boolean },
  ): { sealedBytes: number; compressed: boolean } {
    return this.#codecs === null
      ? this.#sealByNode(plain, room, options)
      : this.#sealInPlace(this.#codecs, plain, room, options);
  }

  #sealInPlace(codecs: NativeCodecs, plain: Uint8Array, room: Uint8Array, options: { compress: boolean }) {
    // One byte less than it is: what is no smaller is not worth being decompressed.
    const tight = room.subarray(NONCE_BYTES, NONCE_BYTES + Math.max(0, plain.length - 1));
    const compressedBytes = options.compress ? codecs.compress(plain, tight) : undefined;
    if (compressedBytes === undefined) codecs.copy(plain, room.subarray(NONCE_BYTES));
    const textBytes = compressedBytes ?? plain.length;
    const nonce = this.#nonce();
    room.set(nonce);
    const text = room.subarray(NONCE_BYTES, NONCE_BYTES + textBytes);
    codecs.applyCounterMode(nonce, text);
    codecs.encryptBlock(nonce, this.#oneTimeKey.subarray(16));
    const sealedBytes = textBytes + SEAL_OVERHEAD_BYTES;
    this.#sodium.crypto_onetimeauth(room.subarray(sealedBytes - MAC_BYTES, sealedBytes), text, this.#oneTimeKey);
    return { sealedBytes, compressed: compressedBytes !== undefined };
  }

  #sealByNode(plain: Uint8Array, room: Uint8Array, options: { compress: boolean }) {
    const smaller = options.compress ? compress(plain) : plain;
    const compressed = smaller.length < plain.length;
    const sealed = seal(this.#key, compressed ? smaller : plain);
    room.set(sealed);
    return { sealedBytes: sealed.length, compressed };
  }

  #nonce(): Uint8Array {
    if (this.#noncesUsed === NONCES_AT_ONCE) {
      randomFillSync(this.#nonces);
      this.#noncesUsed = 0;
    }
    const start = this.#noncesUsed++ * NONCE_BYTES;
    return this.#nonces.subarray(start, start + NONCE_BYTES);
  }
}
