import { hkdfSync } from 'node:crypto';

/**
 * Where to cut a file, by its content: a gear hash with normalised chunking.
 * Any boundaries are legal in a restic repository; these only decide what deduplicates against what Holdfast wrote.
 * The gear table comes from the repository's secret polynomial, which makes it harder to tell from the sizes of blobs
 * which files a repository holds. Harder, not impossible.
 *
 * Source: W. Xia et al., "FastCDC: a fast and efficient content-defined chunking approach" (2016).
 */

export const MIN_CHUNK_BYTES = 512 * 1024;
/** Up to here a cut is made rarely, from here on readily, which draws the sizes together around it. */
const NORMAL_CHUNK_BYTES = 1024 * 1024;
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** Cutting looks at the hash's highest bits: they depend on the last 32 bytes. */
const RARE_MASK = 0xff_ff_fc_00 | 0;
const READY_MASK = 0xff_ff_c0_00 | 0;

export function gearTable(chunkerPolynomial: string): Int32Array {
  const bytes = hkdfSync('sha256', chunkerPolynomial, '', 'holdfast gear table 1', 256 * 4);
  return new Int32Array(bytes);
}

/** Finds the end of the next chunk in bytes that arrive bit by bit. */
export class Chunker {
  readonly #gear: Int32Array;
  #hash = 0;
  /** How many bytes of the present chunk were looked at. */
  #seenBytes = 0;

  constructor(gear: Int32Array) {
    this.#gear = gear;
  }

  /** Forgets what was seen: the next byte begins a chunk. */
  reset(): void {
    this.#hash = 0;
    this.#seenBytes = 0;
  }

  /**
   * Looks for a cut in `bytes` from `start` on.
   * @param start where the present chunk begins
   * @param end how far bytes are there; earlier calls for the same chunk saw a part of them
   * @returns the chunk's length, after which the next chunk begins; 0 while the chunk goes on
   */
  next(bytes: Uint8Array, start: number, end: number): number {
    const available = Math.min(end - start, MAX_CHUNK_BYTES);
    // No cut is possible before the minimum, so the hash starts just as far before it as it remembers.
    let at = Math.max(this.#seenBytes, MIN_CHUNK_BYTES - 32);
    const normal = Math.min(available, NORMAL_CHUNK_BYTES);
    let hash = this.#hash;
    const gear = this.#gear;
    for (; at < normal; at++) {
      hash = ((hash << 1) + gear[bytes[start + at]!]!) | 0;
      if ((hash & RARE_MASK) === 0 && at >= MIN_CHUNK_BYTES) return this.#cut(at + 1);
    }
    for (; at < available; at++) {
      hash = ((hash << 1) + gear[bytes[start + at]!]!) | 0;
      if ((hash & READY_MASK) === 0) return this.#cut(at + 1);
    }
    if (available === MAX_CHUNK_BYTES) return this.#cut(MAX_CHUNK_BYTES);
    this.#hash = hash;
    this.#seenBytes = Math.max(this.#seenBytes, available);
    return 0;
  }

  #cut(length: number): number {
    this.reset();
    return length;
  }
}
