import { hash, timingSafeEqual } from 'node:crypto';
import { createRequire } from 'node:module';
import {
  loadNativeCodecs,
  MAC_BYTES,
  type NativeCodecs,
  NONCE_BYTES,
  plainLengthOfText,
  SEAL_OVERHEAD_BYTES,
  type SealingKey,
  unsealJsonText,
} from '../../format/index.ts';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { hashEach } from '../../foundation/sha256.ts';
import { openBlob } from '../indexed.ts';

export interface OpenableBlob {
  /** The SHA-256 of its plain bytes, 32 bytes. */
  id: Uint8Array;
  /** 0 when it is not compressed. */
  uncompressedLength: number;
  pack: string;
  /** Where its plain bytes go if it is compressed, as many as there are; left out, into memory that is used again. */
  into?: Uint8Array | undefined;
}

/** What `openBoth` takes. */
export interface SealedBlob {
  sealed: Uint8Array;
  blob: OpenableBlob;
}

/** Of smaller ones, two need no less time at once. */
const BOTH_FROM_BYTES = 16 * 1024;

/**
 * The least room: many open one small blob alone, and the engine's collector takes room that is given up for a reason to
 * work, whether anything was ever in it.
 */
const LEAST_ROOM_BYTES = 64 * 1024;
/** Room for an index file of 50,000 blobs. What is larger has room of its own, given back at once. */
const MAX_ROOM_BYTES = 16 * 1024 * 1024;

interface Sodium {
  crypto_onetimeauth_verify(mac: Uint8Array, message: Uint8Array, key: Uint8Array): boolean;
}

/**
 * Opens one sealed blob after the other in the same memory: authenticated, decompressed, and held against its id, as
 * `openBlob` does it. What is found to be damaged is given to `openBlob`, which says how.
 */
export class BlobOpener {
  readonly #key: SealingKey;
  readonly #codecs: NativeCodecs | null;
  readonly #sodium: Sodium;
  readonly #oneTimeKey: Buffer;
  readonly #rooms = [Buffer.alloc(0), Buffer.alloc(0)];

  /** @param codecs for tests: `null` for none */
  constructor(key: SealingKey, codecs: NativeCodecs | null = loadNativeCodecs(key) ?? null) {
    this.#key = key;
    this.#codecs = codecs;
    this.#sodium = createRequire(import.meta.url)('sodium-native') as Sodium;
    this.#oneTimeKey = Buffer.allocUnsafeSlow(32);
    this.#oneTimeKey.set(key.macR);
  }

  /**
   * A blob's plain bytes, valid until the next call.
   * @param sealed is used up; it must not be shared memory
   * @param sha256 for who has something else to hash along with them
   * @throws repository-damaged
   */
  open(sealed: Uint8Array, blob: OpenableBlob, sha256: (plain: Uint8Array) => Buffer = hashOf): Buffer {
    const plain = this.#codecs === null ? undefined : this.#open(this.#codecs, sealed, blob, sha256);
    if (plain !== undefined) return plain;
    const id = Buffer.from(blob.id).toString('hex');
    return openBlob(this.#key, sealed, { id, uncompressedLength: blob.uncompressedLength || undefined }, blob.pack);
  }

  /**
   * The plain bytes of two blobs, valid until the next call: to hash two takes hardly longer than one.
   * @param first `sealed` as `open` takes it
   * @returns undefined where they are to be opened one after the other, since they are small, or one of them is damaged: they
   *   are as they were then
   */
  openBoth(first: SealedBlob, second: SealedBlob): [Buffer, Buffer] | undefined {
    const codecs = this.#codecs;
    if (codecs === null || Math.min(first.sealed.length, second.sealed.length) < BOTH_FROM_BYTES) return undefined;
    const plain = this.#plain(codecs, first.sealed, first.blob, 0);
    if (plain === undefined) return undefined;
    const other = this.#plain(codecs, second.sealed, second.blob, 1);
    if (other !== undefined) {
      const ids = hashEach([plain, other]);
      const isRight = timingSafeEqual(ids[0]!, first.blob.id) && timingSafeEqual(ids[1]!, second.blob.id);
      if (isRight) return [bufferOf(plain), bufferOf(other)];
      sealAgain(codecs, second.sealed);
    }
    sealAgain(codecs, first.sealed);
    return undefined;
  }

  /**
   * The JSON text of a sealed document, valid until the next call.
   * @param sealed is used up
   * @throws repository-damaged
   */
  openText(sealed: Uint8Array): Uint8Array {
    const text = this.#codecs === null ? undefined : this.#unseal(this.#codecs, sealed);
    if (this.#codecs === null || text === undefined) return unsealJsonText(this.#key, sealed);
    const plainLength = plainLengthOfText(text);
    const plain = plainLength && this.#decompress(this.#codecs, text.subarray(1), this.#room(0, plainLength));
    if (plain) return plain;
    sealAgain(this.#codecs, sealed);
    return unsealJsonText(this.#key, sealed);
  }

  /** Undefined when it is damaged: `sealed` is as it was then. */
  #open(
    codecs: NativeCodecs,
    sealed: Uint8Array,
    blob: OpenableBlob,
    sha256: (plain: Uint8Array) => Buffer,
  ): Buffer | undefined {
    const plain = this.#plain(codecs, sealed, blob, 0);
    if (plain === undefined) return undefined;
    if (timingSafeEqual(sha256(plain), blob.id)) return bufferOf(plain);
    sealAgain(codecs, sealed);
    return undefined;
  }

  /** Authentic, but not held against its id yet. Undefined when it is damaged: `sealed` is as it was then. */
  #plain(
    codecs: NativeCodecs,
    sealed: Uint8Array,
    { uncompressedLength, into }: OpenableBlob,
    room: 0 | 1,
  ): Uint8Array | undefined {
    const text = this.#unseal(codecs, sealed);
    if (text === undefined || uncompressedLength === 0) return text;
    const plain = this.#decompress(codecs, text, into ?? this.#room(room, uncompressedLength));
    if (plain === undefined) sealAgain(codecs, sealed);
    return plain;
  }

  /** What is sealed, where it lies. Undefined when it is not authentic: it is as it was then. */
  #unseal(codecs: NativeCodecs, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < SEAL_OVERHEAD_BYTES) return undefined;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const text = sealed.subarray(NONCE_BYTES, sealed.length - MAC_BYTES);
    codecs.encryptBlock(nonce, this.#oneTimeKey.subarray(16));
    const mac = sealed.subarray(sealed.length - MAC_BYTES);
    if (!this.#sodium.crypto_onetimeauth_verify(mac, text, this.#oneTimeKey)) return undefined;
    codecs.applyCounterMode(nonce, text);
    return text;
  }

  /** Undefined when it is damaged, or there is no room for it. */
  #decompress(codecs: NativeCodecs, compressed: Uint8Array, into: Uint8Array | undefined): Uint8Array | undefined {
    return into !== undefined && codecs.decompress(compressed, into) === into.length ? into : undefined;
  }

  #room(number: 0 | 1, length: number): Uint8Array | undefined {
    if (length > MAX_ROOM_BYTES) return undefined;
    if (this.#rooms[number]!.length < length) {
      releaseBuffer(this.#rooms[number]!);
      this.#rooms[number] = Buffer.allocUnsafeSlow(roomFor(length));
    }
    return this.#rooms[number]!.subarray(0, length);
  }
}

/** Turns what was unsealed back into what it was. */
function sealAgain(codecs: NativeCodecs, sealed: Uint8Array): void {
  const text = sealed.subarray(NONCE_BYTES, sealed.length - MAC_BYTES);
  codecs.applyCounterMode(sealed.subarray(0, NONCE_BYTES), text);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hashOf(plain: Uint8Array): Buffer {
  return hash('sha256', plain, 'buffer');
}

/** Doubled, so that blobs that grow have it made anew a few times at most. */
function roomFor(length: number): number {
  let bytes = LEAST_ROOM_BYTES;
  while (bytes < length) bytes *= 2;
  return bytes;
}
