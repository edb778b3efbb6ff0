import { byteFunctions, FREE, PAPER, RESULT, SAID } from './bytes.ts';
import { RdbDamage, RdbUnknown } from './damage.ts';
import type { Packed } from './packed.ts';

/** Thrown where bytes are wanted that have not come yet. One object: it is thrown at the end of every chunk. */
export const MORE = Symbol('more bytes');

/** What must be in memory as a whole: a key, a function, a value in a compact form. Servers make the latter some kilobytes long. */
export const LARGEST_WHOLE_BYTES = 32 * 1024 * 1024;

const FIRST_WINDOW_BYTES = 1024 * 1024;
const FIRST_ROOM_BYTES = 256 * 1024;
/** What hashes a string reads a word at a time, and beyond its end. */
const SLACK_BYTES = 64;
const PAGE_BYTES = 65_536;
/** No compression of this kind does better. */
const BEST_RATIO = 140;

/** How a string stands there. */
export const STRING_INT8 = 0xc0;
export const STRING_INT16 = 0xc1;
export const STRING_INT32 = 0xc2;
export const STRING_LZF = 0xc3;

/**
 * The bytes that are read, as far as they have come and are still needed, in the memory of `byteFunctions`; behind them
 * room for what is decompressed. What is not yet there makes every reading method throw MORE, and nothing is made room for
 * that has only been announced.
 */
export class Cursor {
  readonly functions = byteFunctions();
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the next byte is, and where those end that have come. */
  at = FREE;
  end = FREE;
  /** The last string that was read whole. */
  from = 0;
  to = 0;
  #windowBytes = FIRST_WINDOW_BYTES;
  #roomBytes = FIRST_ROOM_BYTES;
  #checkedTo = FREE;
  /** How many bytes came before the one at FREE. */
  #goneBytes = 0;

  constructor() {
    this.#reserve();
  }

  /** How many bytes were read before this address. */
  offset(at: number = this.at): number {
    return this.#goneBytes + at - FREE;
  }

  /**
   * Takes the next bytes.
   * @param keep from this address on bytes are still needed; `at` or less
   * @returns how far down what is kept has moved
   */
  append(chunk: Uint8Array, keep: number): number {
    let moved = 0;
    if (this.end + chunk.length > FREE + this.#windowBytes) {
      this.#check();
      moved = keep - FREE;
      this.bytes.copyWithin(FREE, keep, this.end);
      this.at -= moved;
      this.end -= moved;
      this.#checkedTo -= moved;
      this.#goneBytes += moved;
      const needed = this.end + chunk.length - FREE;
      if (needed > this.#windowBytes) {
        this.#windowBytes = Math.max(needed, 2 * this.#windowBytes);
        this.#reserve();
      }
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
    return moved;
  }

  /** The checksum of all that was read, as eight bytes of the memory. */
  checksum(): Uint8Array {
    this.#check();
    this.functions.checked(RESULT);
    return this.bytes.subarray(RESULT, RESULT + 8);
  }

  need(bytes: number): void {
    if (this.end - this.at < bytes) throw MORE;
  }

  byte(): number {
    this.need(1);
    return this.bytes[this.at++]!;
  }

  uint32(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  /** A signed number of 64 bits; beyond 2^53 about as large. */
  int64(): number {
    this.need(8);
    this.at += 8;
    return this.view.getInt32(this.at - 4, true) * 2 ** 32 + this.view.getUint32(this.at - 8, true);
  }

  double(): number {
    this.need(8);
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }

  /** A number as lengths are written; beyond 2^53 about as large. */
  length(): number {
    this.need(1);
    const first = this.bytes[this.at]!;
    if (first < 0x40) {
      this.at++;
      return first;
    }
    if (first < 0x80) {
      this.need(2);
      this.at += 2;
      return ((first & 0x3f) << 8) | this.bytes[this.at - 1]!;
    }
    if (first === 0x80) {
      this.need(5);
      this.at += 5;
      return this.view.getUint32(this.at - 4);
    }
    if (first !== 0x81) throw new RdbDamage('a length of no known kind');
    this.need(9);
    this.at += 9;
    return this.view.getUint32(this.at - 8) * 2 ** 32 + this.view.getUint32(this.at - 4);
  }

  /** A string that must be in memory as a whole, at `from` up to `to` until the next one is read. */
  string(largestBytes: number = LARGEST_WHOLE_BYTES): void {
    this.need(1);
    const first = this.bytes[this.at]!;
    if (first < 0xc0) {
      const length = this.length();
      if (length > largestBytes) throw tooLarge(length);
      this.need(length);
      this.from = this.at;
      this.at += length;
      this.to = this.at;
    } else if (first === STRING_LZF) {
      this.at++;
      const { packed, plain } = this.lengthsOfLzf();
      if (plain > largestBytes) throw tooLarge(plain);
      this.need(packed);
      this.decompress(packed, plain);
    } else {
      const text = Buffer.from(String(this.integer()));
      this.bytes.set(text, PAPER);
      this.from = PAPER;
      this.to = PAPER + text.length;
    }
  }

  /** A string that stands there as a number. */
  integer(): number {
    const kind = this.byte();
    const size = kind === STRING_INT8 ? 1 : kind === STRING_INT16 ? 2 : kind === STRING_INT32 ? 4 : 0;
    if (size === 0) throw new RdbDamage('a string of no known kind');
    this.need(size);
    const at = this.at;
    this.at += size;
    if (size === 1) return this.view.getInt8(at);
    return size === 2 ? this.view.getInt16(at, true) : this.view.getInt32(at, true);
  }

  /** The lengths of a compressed string, behind its first byte. */
  lengthsOfLzf(): { packed: number; plain: number } {
    const packed = this.length();
    const plain = this.length();
    if (plain === 0 || packed === 0 || plain > packed * BEST_RATIO) {
      throw new RdbDamage('a compressed string of an impossible length');
    }
    return { packed, plain };
  }

  /** Decompresses the bytes that are next into the room, at `from` up to `to`. */
  decompress(packed: number, plain: number): void {
    const room = this.room(plain);
    const end = this.at + packed;
    const stopped = this.functions.decompress(this.at, end, room, room, room + plain, SAID);
    if (stopped !== end || this.view.getUint32(SAID, true) !== room + plain) {
      throw new RdbDamage('a compressed string that does not decompress');
    }
    this.at = end;
    this.from = room;
    this.to = room + plain;
  }

  /**
   * Counts the keys that are next, as far as that takes one call.
   * @param expiresMs when the first one expires, or less than zero
   * @returns the address behind the last one
   */
  entries(database: number, expiresMs: number, expiredBeforeMs: number): number {
    const room = this.room(0);
    const { at, end } = this;
    return this.functions.entries(at, end, room, room + this.#roomBytes, database, expiresMs, expiredBeforeMs);
  }

  /** The address of so much room behind the window. */
  room(bytes: number): number {
    if (bytes > this.#roomBytes) {
      this.#roomBytes = Math.max(bytes, 2 * this.#roomBytes);
      this.#reserve();
    }
    return FREE + this.#windowBytes;
  }

  /** A value in a compact form. */
  packed(): Packed {
    this.string();
    return { bytes: this.bytes, view: this.view, at: this.from, end: this.to };
  }

  #check(): void {
    this.functions.check(this.#checkedTo, this.at);
    this.#checkedTo = this.at;
  }

  #reserve(): void {
    const { memory } = this.functions;
    const wanted = FREE + this.#windowBytes + this.#roomBytes + SLACK_BYTES;
    const missing = wanted - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }
}

function tooLarge(bytes: number): RdbUnknown {
  return new RdbUnknown(
    `a key, or a value in a compact form, of ${bytes} bytes, which is more than ${LARGEST_WHOLE_BYTES},`,
  );
}
