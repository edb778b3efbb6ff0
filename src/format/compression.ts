import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError, messageOf } from '../foundation/errors.ts';

/** zstd's level 3 is restic's default and its own. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

export function compress(plaintext: Uint8Array): Buffer {
  return zstdCompressSync(plaintext, OPTIONS);
}

/**
 * The plain bytes of a zstd frame.
 * @param limitBytes how many are accepted at most, so that hostile data cannot fill the memory
 * @throws repository-damaged when it is no such frame or holds more
 */
export function decompress(compressed: Uint8Array, limitBytes: number): Buffer {
  try {
    return zstdDecompressSync(compressed, { maxOutputLength: Math.max(1, limitBytes) });
  } catch (cause) {
    throw new HoldfastError('repository-damaged', `compressed data cannot be read: ${messageOf(cause)}`, { cause });
  }
}
