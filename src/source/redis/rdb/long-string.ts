import { type Cursor, MORE, STRING_LZF } from './cursor.ts';
import { RdbDamage } from './damage.ts';

/** From here on a string is taken as it comes, and not kept. */
const LONG_BYTES = 1024 * 1024;
/** A compression refers so far back at most. */
const REACH_BYTES = 8192;
const ROOM_BYTES = 128 * 1024;
/** What one step of a compressed string may take and give. */
const LONGEST_STEP_BYTES = 33;

/** A string of any length, plain or compressed, of which only the hash is wanted. */
export class LongString {
  readonly #cursor: Cursor;
  readonly #plainBytes: number;
  /** Of what stands there. */
  #leftBytes: number;
  readonly #isPacked: boolean;
  /** In the room, from its start: what was decompressed, and how much of that was hashed. */
  #writtenBytes = 0;
  #hashedBytes = 0;
  #sentBytes = 0;

  private constructor(cursor: Cursor, lengths: { here: number; plain: number; isPacked: boolean }) {
    this.#cursor = cursor;
    this.#leftBytes = lengths.here;
    this.#plainBytes = lengths.plain;
    this.#isPacked = lengths.isPacked;
    cursor.functions.open();
  }

  /** Where the string that is next is long; undefined where it is not: nothing is read then. */
  static begin(cursor: Cursor): LongString | undefined {
    const start = cursor.at;
    const isPacked = cursor.bytes[start] === STRING_LZF;
    if (isPacked) cursor.at++;
    const lengths = isPacked ? cursor.lengthsOfLzf() : { packed: 0, plain: cursor.length() };
    const here = isPacked ? lengths.packed : lengths.plain;
    if (lengths.plain > LONG_BYTES) return new LongString(cursor, { here, plain: lengths.plain, isPacked });
    cursor.at = start;
    return undefined;
  }

  /** Takes what is there. @returns whether that was all @throws MORE, RdbDamage */
  step(): boolean {
    if (this.#isPacked ? !this.#decompress() : !this.#take()) return false;
    this.#cursor.functions.close(this.#plainBytes);
    return true;
  }

  #take(): boolean {
    const cursor = this.#cursor;
    const there = Math.min(this.#leftBytes, cursor.end - cursor.at);
    const isLast = there === this.#leftBytes;
    const taken = isLast ? there : there - (there % 8);
    if (taken === 0) throw MORE;
    cursor.functions.more(cursor.at, cursor.at + taken);
    cursor.at += taken;
    this.#leftBytes -= taken;
    return isLast;
  }

  #decompress(): boolean {
    const cursor = this.#cursor;
    const there = Math.min(this.#leftBytes, cursor.end - cursor.at);
    const isLast = there === this.#leftBytes;
    if (there === 0) throw MORE;
    const room = cursor.room(ROOM_BYTES);
    const { functions } = cursor;
    const stopped = functions.decompress(
      cursor.at,
      cursor.at + there,
      room,
      room + this.#writtenBytes,
      room + ROOM_BYTES,
    );
    const taken = stopped - cursor.at;
    const before = this.#writtenBytes;
    this.#writtenBytes = functions.written.value - room;
    this.#sentBytes += this.#writtenBytes - before;
    cursor.at = stopped;
    this.#leftBytes -= taken;
    if (functions.broken.value !== 0 || this.#sentBytes > this.#plainBytes) throw broken();
    const isOver = this.#leftBytes === 0;
    this.#hash(isOver);
    if (isOver && this.#sentBytes !== this.#plainBytes) throw broken();
    if (taken === 0 && before === this.#writtenBytes) {
      if (isLast || there > LONGEST_STEP_BYTES) throw broken();
      throw MORE;
    }
    return isOver;
  }

  /** Hashes what was decompressed, and keeps what may still be referred to. */
  #hash(isLast: boolean): void {
    const { functions, bytes } = this.#cursor;
    const room = this.#cursor.room(ROOM_BYTES);
    const end = isLast ? this.#writtenBytes : this.#writtenBytes - ((this.#writtenBytes - this.#hashedBytes) % 8);
    functions.more(room + this.#hashedBytes, room + end);
    this.#hashedBytes = end;
    const spare = Math.min(this.#hashedBytes, this.#writtenBytes - REACH_BYTES);
    if (spare <= 0) return;
    bytes.copyWithin(room, room + spare, room + this.#writtenBytes);
    this.#writtenBytes -= spare;
    this.#hashedBytes -= spare;
  }
}

function broken(): RdbDamage {
  return new RdbDamage('a compressed string that does not decompress');
}
