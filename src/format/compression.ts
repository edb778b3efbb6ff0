import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { HoldfastError, messageOf } from '../foundation/errors.ts';

/** By zstd's own names: `fast` looks for matches in one table, `dfast` in one of long matches and one of short ones. */
export type Strategy = 'dfast' | 'fast';

/**
 * The parameters of either strategy, with tables that stay in a processor's caches, in the first but for that of long matches,
 * and matches of 5 bytes and more. Beside level 3, `dfast` is 1.2 to 1.5 times as fast on table text, database pages, JSON,
 * sources and programs, and at most 5 % larger; beside what restic's default makes of them, table text is smaller, pages, JSON
 * and sources are within 1 % of it, and programs 3 % larger.
 */
export const STRATEGIES: Readonly<Record<Strategy, Readonly<Record<number, number>>>> = {
  dfast: {
    [constants.ZSTD_c_compressionLevel]: 3,
    [constants.ZSTD_c_strategy]: constants.ZSTD_dfast,
    [constants.ZSTD_c_hashLog]: 15,
    [constants.ZSTD_c_chainLog]: 12,
    [constants.ZSTD_c_minMatch]: 5,
  },
  fast: {
    [constants.ZSTD_c_compressionLevel]: 1,
    [constants.ZSTD_c_strategy]: constants.ZSTD_fast,
    [constants.ZSTD_c_hashLog]: 12,
    [constants.ZSTD_c_minMatch]: 5,
  },
};
/** What is shorter is compressed sooner than a sample of it twice. */
const SAMPLED_FROM_BYTES = 512 * 1024;
const SAMPLE_BYTES = 32 * 1024;
/** `fast` may make the sample so much larger. */
const MOST_OF_DFAST = 1.01;

/**
 * The strategy that suits `plain`, by a sample from its middle. Table text, logs, WAL, Redis's RDB and most database pages are
 * compressed 1.2 to 1.6 times as fast by `fast`, to between 2 % less and 1 % more; JSON would become 4 % larger by it, programs
 * 7 % and sources 19 %. A sample tells these apart but for one chunk in eight of JSON and one in six of programs, which makes
 * them half a per cent larger, and costs 0.2 ms a MiB.
 * @param sizeOf how many bytes a sample has once it is compressed
 */
export function strategyFor(plain: Uint8Array, sizeOf: (sample: Uint8Array, strategy: Strategy) => number): Strategy {
  if (plain.byteLength < SAMPLED_FROM_BYTES) return 'dfast';
  const start = (plain.byteLength - SAMPLE_BYTES) >> 1;
  const sample = plain.subarray(start, start + SAMPLE_BYTES);
  return sizeOf(sample, 'fast') <= sizeOf(sample, 'dfast') * MOST_OF_DFAST ? 'fast' : 'dfast';
}

/** The longest output that is taken room for at once; what is longer comes in pieces of this size. */
const MAX_OUTPUT_PIECE_BYTES = 16 * 1024 * 1024;
const MIN_OUTPUT_PIECE_BYTES = 64;

/**
 * A zstd frame of `plaintext`. The buffer may be a part of a larger one that nobody else uses.
 *
 * Node collects output in pieces of 16 KiB unless told otherwise, and puts them together at the end: room for all of it at
 * once makes compressing 1.1 to 1.3 times as fast, and decompressing 1.5 to 2 times.
 */
export function compress(plaintext: Uint8Array): Buffer {
  return compressBy(
    plaintext,
    strategyFor(plaintext, (sample, strategy) => compressBy(sample, strategy).length),
  );
}

function compressBy(plaintext: Uint8Array, strategy: Strategy): Buffer {
  const longestBytes = plaintext.byteLength + (plaintext.byteLength >> 8) + 512;
  return zstdCompressSync(plaintext, { params: STRATEGIES[strategy], chunkSize: pieceBytes(longestBytes) });
}

/**
 * The plain bytes of a zstd frame.
 * @param limitBytes how many are accepted at most, so that hostile data cannot fill the memory
 * @throws repository-damaged when it is no such frame or holds more
 */
export function decompress(compressed: Uint8Array, limitBytes: number): Buffer {
  try {
    return zstdDecompressSync(compressed, {
      maxOutputLength: Math.max(1, limitBytes),
      chunkSize: pieceBytes(Math.min(limitBytes, contentBytes(compressed) ?? limitBytes)),
    });
  } catch (cause) {
    throw new HoldfastError('repository-damaged', `compressed data cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function pieceBytes(outputBytes: number): number {
  return Math.min(Math.max(outputBytes, MIN_OUTPUT_PIECE_BYTES), MAX_OUTPUT_PIECE_BYTES);
}

const FRAME_MAGIC = 0xfd2fb528;

/**
 * How many bytes a frame says that it holds, which may be wrong; undefined when it does not say.
 * Source: RFC 8878, 3.1.1.1, "Frame header".
 */
export function contentBytes(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.byteLength < 18 || view.getUint32(0, true) !== FRAME_MAGIC) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
