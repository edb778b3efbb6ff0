import { hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

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
export const MAX_CHUNK_BYTES = 2 * 1024 * 1024;
/** Cutting looks at the hash's highest bits: they depend on the last 32 bytes. */
const RARE_MASK = 0xff_ff_fc_00 | 0;
const READY_MASK = 0xff_ff_c0_00 | 0;

/** Where the chunker's bytes begin in its memory: before them stands the gear table. */
export const CHUNKER_DATA_OFFSET = 64 * 1024;
const PAGE_BYTES = 64 * 1024;

/** Shared memory for so many bytes to be cut, from CHUNKER_DATA_OFFSET on. */
export function chunkerMemory(sizeBytes: number): WebAssembly.Memory {
  const pages = Math.ceil((CHUNKER_DATA_OFFSET + sizeBytes) / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

export function gearTable(chunkerPolynomial: string): Int32Array {
  const bytes = hkdfSync('sha256', chunkerPolynomial, '', 'holdfast gear table 1', 256 * 4);
  return new Int32Array(bytes);
}

interface Loops {
  hash: WebAssembly.Global;
  /** @returns the address behind the byte where the hash has none of the mask's bits, or 0 */
  scan(at: number, end: number, mask: number): number;
  move(to: number, from: number, length: number): void;
}

/** Compiled once: a few hundred bytes, so that it is not worth a thread. */
let compiled: WebAssembly.Module | undefined;

function instantiate(memory: WebAssembly.Memory): Loops {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./gear/scan.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled, { env: { memory } }).exports as unknown as Loops;
}

/** Finds the end of the next chunk in bytes that arrive bit by bit, in a memory of `chunkerMemory`. */
export class Chunker {
  readonly #bytes: Uint8Array;
  readonly #gear: Int32Array;
  readonly #loops: Loops;
  #hash = 0;
  /** How many bytes of the present chunk were looked at. */
  #seenBytes = 0;

  /** All chunkers of a memory share its gear table. */
  constructor(memory: WebAssembly.Memory, gear: Int32Array) {
    this.#bytes = new Uint8Array(memory.buffer);
    this.#gear = gear;
    new Int32Array(memory.buffer).set(gear);
    this.#loops = instantiate(memory);
  }

  /** Forgets what was seen: the next byte begins a chunk. */
  reset(): void {
    this.#hash = 0;
    this.#seenBytes = 0;
  }

  /**
   * Looks for a cut in the memory's bytes from address `start` on.
   * @param start where the present chunk begins
   * @param end how far bytes are there; earlier calls for the same chunk saw a part of them
   * @returns the chunk's length, after which the next chunk begins; 0 while the chunk goes on
   */
  next(start: number, end: number): number {
    const available = Math.min(end - start, MAX_CHUNK_BYTES);
    this.#warmUp(start, available);
    const normal = Math.min(available, NORMAL_CHUNK_BYTES);
    const cut = this.#find(start, normal, RARE_MASK) || this.#find(start, available, READY_MASK);
    if (cut > 0 || available < MAX_CHUNK_BYTES) return cut;
    this.reset();
    return MAX_CHUNK_BYTES;
  }

  /** Moves bytes of the memory from one address to another; the places may overlap. */
  move(to: number, from: number, lengthBytes: number): void {
    this.#loops.move(to, from, lengthBytes);
  }

  /** No cut is possible before the minimum, so the hash starts just as far before it as it remembers. */
  #warmUp(start: number, available: number): void {
    let at = Math.max(this.#seenBytes, MIN_CHUNK_BYTES - 32);
    for (; at < Math.min(available, MIN_CHUNK_BYTES); at++) {
      this.#hash = ((this.#hash << 1) + this.#gear[this.#bytes[start + at]!]!) | 0;
    }
    this.#seenBytes = Math.max(this.#seenBytes, Math.min(available, at));
  }

  /** Looks on up to the chunk's length `limit`. @returns the chunk's length, or 0 */
  #find(start: number, limit: number, mask: number): number {
    if (this.#seenBytes >= limit) return 0;
    this.#loops.hash.value = this.#hash;
    const found = this.#loops.scan(start + this.#seenBytes, start + limit, mask);
    if (found > 0) {
      this.reset();
      return found - start;
    }
    this.#hash = this.#loops.hash.value;
    this.#seenBytes = limit;
    return 0;
  }
}
