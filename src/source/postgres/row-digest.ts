/** The name of the digest below, as the manifest has it. A change of the algorithm takes a new name. */
export const ROW_DIGEST = 'rows-v1';

const NEWLINE = 0x0a;
const BLOCK_BYTES = 16;
const SEED = 0x9747b28c | 0;
const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;
const NEWLINES = 0x0a0a0a0a;
const LOW_BITS = 0x01010101;
const HIGH_BITS = 0x80808080 | 0;

/**
 * Digest `rows-v1`: of a set of rows, whatever their order.
 *
 * A row is a line without its newline, as `COPY … TO STDOUT` in text format gives it. Each row is hashed by
 * MurmurHash3_x86_128 with the seed 0x9747b28c in all four lanes, and the digest is the sum of these hashes modulo 2^128,
 * each lane a digit of 32 bits, the first the lowest. It is shown as 32 hex digits, the highest first.
 *
 * It tells damage and mistakes, not forgery: the repository authenticates what it stores. Rows may be spread over any
 * number of chunks. Nothing is allocated per row, and the bytes are looked at once: a block's four words are tested for
 * a newline before they are mixed.
 */
export class RowDigest {
  /** How many rows were complete so far. */
  rows = 0;
  /** How many bytes were given so far, newlines included. */
  bytes = 0;
  readonly #sum = new Int32Array(4);
  /** The lanes of the row that is under way, and how many of its bytes they have taken in. */
  readonly #lanes = new Int32Array(4).fill(SEED);
  #rowBytes = 0;
  /** Bytes of the row under way that do not fill a block yet; zero from `#pendingBytes` on. */
  readonly #pending = new Uint8Array(BLOCK_BYTES);
  readonly #pendingWords = new DataView(this.#pending.buffer);
  #pendingBytes = 0;

  update(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    let position = 0;
    while (position < chunk.length) {
      position = this.#pendingBytes === 0 ? this.#blocks(chunk, position) : position;
      position = this.#bytewise(chunk, position);
    }
  }

  /** Takes in the complete rows of another one, which are then rows of both together. */
  add(other: RowDigest): void {
    let carry = 0;
    for (const lane of this.#sum.keys()) {
      const digit = (this.#sum[lane]! >>> 0) + (other.#sum[lane]! >>> 0) + carry;
      this.#sum[lane] = digit;
      carry = digit > 0xffffffff ? 1 : 0;
    }
    this.rows += other.rows;
    this.bytes += other.bytes;
  }

  /** The digest of all complete rows; a last line without its newline does not count. */
  digest(): string {
    return [...this.#sum]
      .reverse()
      .map((digit) => (digit >>> 0).toString(16).padStart(8, '0'))
      .join('');
  }

  /** Whether the last byte given was a row's end (or none was given). */
  get atRowEnd(): boolean {
    return this.#rowBytes === 0 && this.#pendingBytes === 0;
  }

  /** Takes whole blocks from `start` on, and gives the position from where on there is none. */
  #blocks(chunk: Uint8Array, start: number): number {
    const words = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const last = chunk.length - BLOCK_BYTES;
    const lanes = this.#lanes;
    let h1 = lanes[0]!;
    let h2 = lanes[1]!;
    let h3 = lanes[2]!;
    let h4 = lanes[3]!;
    let rowBytes = this.#rowBytes;
    let position = start;
    while (position <= last) {
      let k1 = words.getInt32(position, true);
      let k2 = words.getInt32(position + 4, true);
      let k3 = words.getInt32(position + 8, true);
      let k4 = words.getInt32(position + 12, true);
      const n1 = newlineBits(k1);
      const n2 = newlineBits(k2);
      const n3 = newlineBits(k3);
      const n4 = newlineBits(k4);
      if ((n1 | n2 | n3 | n4) === 0) {
        h1 ^= Math.imul(rotate15(Math.imul(k1, C1)), C2);
        h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2, 5) + 0x561ccd1b) | 0;
        h2 ^= Math.imul(rotate16(Math.imul(k2, C2)), C3);
        h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3, 5) + 0x0bcaa747) | 0;
        h3 ^= Math.imul(rotate17(Math.imul(k3, C3)), C4);
        h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4, 5) + 0x96cd1c35) | 0;
        h4 ^= Math.imul(rotate18(Math.imul(k4, C4)), C1);
        h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1, 5) + 0x32ac3b17) | 0;
        position += BLOCK_BYTES;
        rowBytes += BLOCK_BYTES;
        continue;
      }
      // The row ends in this block: what follows the newline counts as zero, which mixes nothing in.
      let tailBytes: number;
      if (n1 !== 0) {
        tailBytes = firstByte(n1);
        k1 = keepBytes(k1, tailBytes);
        k2 = 0;
        k3 = 0;
        k4 = 0;
      } else if (n2 !== 0) {
        tailBytes = 4 + firstByte(n2);
        k2 = keepBytes(k2, tailBytes - 4);
        k3 = 0;
        k4 = 0;
      } else if (n3 !== 0) {
        tailBytes = 8 + firstByte(n3);
        k3 = keepBytes(k3, tailBytes - 8);
        k4 = 0;
      } else {
        tailBytes = 12 + firstByte(n4);
        k4 = keepBytes(k4, tailBytes - 12);
      }
      this.#finish(h1, h2, h3, h4, k1, k2, k3, k4, rowBytes + tailBytes);
      h1 = SEED;
      h2 = SEED;
      h3 = SEED;
      h4 = SEED;
      rowBytes = 0;
      position += tailBytes + 1;
    }
    lanes[0] = h1;
    lanes[1] = h2;
    lanes[2] = h3;
    lanes[3] = h4;
    this.#rowBytes = rowBytes;
    return position;
  }

  /** Takes bytes one by one until a block or a row is complete, or the chunk ends. */
  #bytewise(chunk: Uint8Array, start: number): number {
    let position = start;
    while (position < chunk.length) {
      const byte = chunk[position++]!;
      if (byte === NEWLINE) {
        const words = this.#pendingWords;
        const [h1, h2, h3, h4] = this.#lanes as unknown as [number, number, number, number];
        const total = this.#rowBytes + this.#pendingBytes;
        const word = (index: number) => words.getInt32(index * 4, true);
        this.#finish(h1, h2, h3, h4, word(0), word(1), word(2), word(3), total);
        this.#lanes.fill(SEED);
        this.#rowBytes = 0;
        this.#clearPending();
        return position;
      }
      this.#pending[this.#pendingBytes++] = byte;
      if (this.#pendingBytes === BLOCK_BYTES) {
        this.#pendingBytes = 0;
        this.#blocks(this.#pending, 0);
        this.#clearPending();
        return position;
      }
    }
    return position;
  }

  #clearPending(): void {
    this.#pending.fill(0);
    this.#pendingBytes = 0;
  }

  /** Mixes in the last words of a row and adds its hash to the sum. */
  #finish(
    lane1: number,
    lane2: number,
    lane3: number,
    lane4: number,
    k1: number,
    k2: number,
    k3: number,
    k4: number,
    totalBytes: number,
  ): void {
    let h4 = lane4 ^ Math.imul(rotate18(Math.imul(k4, C4)), C1) ^ totalBytes;
    let h3 = lane3 ^ Math.imul(rotate17(Math.imul(k3, C3)), C4) ^ totalBytes;
    let h2 = lane2 ^ Math.imul(rotate16(Math.imul(k2, C2)), C3) ^ totalBytes;
    let h1 = lane1 ^ Math.imul(rotate15(Math.imul(k1, C1)), C2) ^ totalBytes;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = avalanche((h2 + h1) | 0);
    h3 = avalanche((h3 + h1) | 0);
    h4 = avalanche((h4 + h1) | 0);
    h1 = avalanche(h1);
    h1 = (h1 + h2 + h3 + h4) | 0;
    const sum = this.#sum;
    let digit = (sum[0]! >>> 0) + (h1 >>> 0);
    sum[0] = digit;
    digit = (sum[1]! >>> 0) + ((h2 + h1) >>> 0) + (digit > 0xffffffff ? 1 : 0);
    sum[1] = digit;
    digit = (sum[2]! >>> 0) + ((h3 + h1) >>> 0) + (digit > 0xffffffff ? 1 : 0);
    sum[2] = digit;
    sum[3] = (sum[3]! >>> 0) + ((h4 + h1) >>> 0) + (digit > 0xffffffff ? 1 : 0);
    this.rows += 1;
  }
}

/** Not zero when one of the word's bytes is a newline; the lowest bit that is set stands in the first such byte. */
function newlineBits(word: number): number {
  const difference = word ^ NEWLINES;
  return (difference - LOW_BITS) & ~difference & HIGH_BITS;
}

function firstByte(bits: number): number {
  return (31 - Math.clz32(bits & -bits)) >> 3;
}

/** The word's lowest `count` (0 to 3) bytes, the others zero. */
function keepBytes(word: number, count: number): number {
  return word & ((1 << (count * 8)) - 1);
}

function rotate15(word: number): number {
  return (word << 15) | (word >>> 17);
}

function rotate16(word: number): number {
  return (word << 16) | (word >>> 16);
}

function rotate17(word: number): number {
  return (word << 17) | (word >>> 15);
}

function rotate18(word: number): number {
  return (word << 18) | (word >>> 14);
}

function avalanche(value: number): number {
  let mixed = value;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
