import { HoldfastError } from '../foundation/errors.ts';
import { nativeFunctionIfThere } from '../foundation/native-library.ts';
import { STRATEGIES, type Strategy, strategyFor } from './compression.ts';

/**
 * OpenSSL's AES and zstd, as Node's own binary holds them, called where the bytes lie. Node's interfaces make a context, a
 * key and a buffer for every call, which costs more than the work itself for a small blob and a fifth of it for a large one.
 */
export interface NativeCodecs {
  /** AES-256 in counter mode, in place: the same call turns it back. */
  applyCounterMode(nonce: Uint8Array, bytes: Uint8Array): void;
  /** One block of AES-128, from `block` to `into`; 16 bytes each. */
  encryptBlock(block: Uint8Array, into: Uint8Array): void;
  /** Copies: where one of the two is shared, JavaScript copies byte by byte unless they lie alike, a tenth as fast. @throws RangeError where there is no room */
  copy(from: Uint8Array, into: Uint8Array): void;
  /** One frame of `plain`. @returns how many bytes it has, or undefined when it wants more room */
  compress(plain: Uint8Array, room: Uint8Array): number | undefined;
  /** Decompresses whole frames. @returns how many bytes there were, or undefined when they are damaged or want more room */
  decompress(compressed: Uint8Array, room: Uint8Array): number | undefined;
}

type Pointer = unknown;
interface Calls {
  newCipher(): Pointer;
  aes256Counter(): Pointer;
  aes128Block(): Pointer;
  begin(context: Pointer, cipher: Pointer, engine: null, key: Uint8Array | null, nonce: Uint8Array | null): number;
  setPadding(context: Pointer, padding: number): number;
  update(context: Pointer, out: Uint8Array, outBytes: Int32Array, bytes: Uint8Array, length: number): number;
  copy(into: Uint8Array, from: Uint8Array, length: number): Pointer;
  newCompressor(): Pointer;
  setParameter(context: Pointer, parameter: number, value: number): number | bigint;
  compress(context: Pointer, room: Uint8Array, roomBytes: number, bytes: Uint8Array, length: number): number | bigint;
  newDecompressor(): Pointer;
  decompress(context: Pointer, room: Uint8Array, roomBytes: number, bytes: Uint8Array, length: number): number | bigint;
}

const DECLARATIONS: Record<keyof Calls, string> = {
  newCipher: 'void *EVP_CIPHER_CTX_new()',
  aes256Counter: 'void *EVP_aes_256_ctr()',
  aes128Block: 'void *EVP_aes_128_ecb()',
  begin: 'int EVP_EncryptInit_ex(void *, void *, void *, const void *, const void *)',
  setPadding: 'int EVP_CIPHER_CTX_set_padding(void *, int)',
  update: 'int EVP_EncryptUpdate(void *, void *, int *, const void *, int)',
  copy: 'void *memcpy(void *, const void *, size_t)',
  newCompressor: 'void *ZSTD_createCCtx()',
  setParameter: 'size_t ZSTD_CCtx_setParameter(void *, int, int)',
  compress: 'size_t ZSTD_compress2(void *, void *, size_t, const void *, size_t)',
  newDecompressor: 'void *ZSTD_createDCtx()',
  decompress: 'size_t ZSTD_decompressDCtx(void *, void *, size_t, const void *, size_t)',
};

/** Undefined where Node's binary does not offer them, as when it was built to hide them. */
export function loadNativeCodecs(key: { encrypt: Uint8Array; macK: Uint8Array }): NativeCodecs | undefined {
  const calls = findCalls();
  if (calls === undefined) return undefined;
  const counter = calls.newCipher();
  const block = calls.newCipher();
  const isReady =
    calls.begin(counter, calls.aes256Counter(), null, key.encrypt, null) === 1 &&
    calls.begin(block, calls.aes128Block(), null, key.macK, null) === 1 &&
    calls.setPadding(block, 0) === 1;
  if (!isReady) return undefined;
  zstd ??= zstdContexts(calls);
  const { compressors, decompressor } = zstd;
  const compressBy = (plain: Uint8Array, room: Uint8Array, strategy: Strategy): number =>
    Number(calls.compress(compressors[strategy], room, room.length, plain, plain.length));
  const written = new Int32Array(1);
  return {
    applyCounterMode(nonce, bytes) {
      demand(calls.begin(counter, null, null, null, nonce));
      demand(calls.update(counter, bytes, written, bytes, bytes.length));
      demand(written[0] === bytes.length ? 1 : 0);
    },
    encryptBlock(from, into) {
      demand(calls.update(block, into, written, from, from.length));
      demand(written[0] === from.length ? 1 : 0);
    },
    copy(from, into) {
      // C would write beyond its end.
      if (from.length > into.length) throw new RangeError(`${from.length} bytes have no room in ${into.length}`);
      calls.copy(into, from, from.length);
    },
    compress(plain, room) {
      const strategy = strategyFor(plain, (sample, each) => compressBy(sample, room, each));
      return sizeIn(room, compressBy(plain, room, strategy));
    },
    decompress: (compressed, room) =>
      sizeIn(room, Number(calls.decompress(decompressor, room, room.length, compressed, compressed.length))),
  };
}

/** This thread's, whatever the key: nothing frees them, and each call begins anew. */
let zstd: ReturnType<typeof zstdContexts> | undefined;

function zstdContexts(calls: Calls): { compressors: Record<Strategy, Pointer>; decompressor: Pointer } {
  const compressorOf = (strategy: Strategy): Pointer => {
    const compressor = calls.newCompressor();
    for (const [parameter, value] of Object.entries(STRATEGIES[strategy])) {
      calls.setParameter(compressor, Number(parameter), value);
    }
    return compressor;
  };
  return {
    compressors: { dfast: compressorOf('dfast'), fast: compressorOf('fast') },
    decompressor: calls.newDecompressor(),
  };
}

/** What was not encrypted must never pass for it. */
function demand(result: number): void {
  if (result !== 1) throw new HoldfastError('internal', 'OpenSSL did not encrypt');
}

/** zstd's errors are sizes that no memory has. */
function sizeIn(room: Uint8Array, bytes: number): number | undefined {
  return bytes <= room.length ? bytes : undefined;
}

function findCalls(): Calls | undefined {
  const found = Object.entries(DECLARATIONS).map(([name, declaration]) => [name, nativeFunctionIfThere(declaration)]);
  return found.every(([, call]) => call !== undefined) ? (Object.fromEntries(found) as Calls) : undefined;
}
