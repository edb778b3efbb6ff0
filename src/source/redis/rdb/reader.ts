import { hash } from 'node:crypto';
import { RESULT } from './bytes.ts';
import { Cursor, MORE } from './cursor.ts';
import { RdbDamage, type RdbOrigin, RdbUnknown, rdbFailure } from './damage.ts';
import { Tally, type TypeCount } from './tally.ts';
import { NEWEST_RDB, OPCODE, typeOfKind, VALUE_TYPES, type ValueType } from './types.ts';
import { ValueReader } from './value-reader.ts';

/** One key, as it was read. The object is used again for the next one. */
export interface RdbEntry {
  database: number;
  type: ValueType;
  key: Buffer;
  /** Milliseconds since 1970; undefined without a time to live. */
  expiresMs: number | undefined;
  /** The digest's two words, and a word that depends on database and key alone. */
  low: number;
  high: number;
  place: number;
  /** The value as it stands in the RDB, its kind before it; only where it was asked for, and undefined where it is too large. Valid until the call returns. */
  value: Uint8Array | undefined;
}

export interface RdbReaderOptions {
  origin: RdbOrigin;
  /** Is told of every key. */
  onKey?: (entry: RdbEntry) => void;
  /** Is told of every library of functions: as it stands in the RDB, its opcode before it. */
  onFunction?: (library: Buffer) => void;
  /** Values are given to `onKey` up to that length. */
  valueLimitBytes?: number;
}

/** What an RDB holds. */
export interface RdbSummary {
  /** The version of its form, and whose form it is. */
  version: number;
  isValkey: boolean;
  /** What the server wrote about itself: `redis-ver`, `ctime` … */
  facts: ReadonlyMap<string, string>;
  /** 16 hexadecimal digits; undefined where the server writes none. */
  checksum: string | undefined;
  sizeBytes: number;
  keys: number;
  expiring: number;
  /** Keys, or fields of hashes, whose time had come before `expiredBeforeMs`: they are counted nowhere else. */
  expired: number;
  counts: TypeCount[];
  functions: number;
  /** Of the libraries' code, 16 hexadecimal digits; their order says nothing. */
  functionsDigest: string;
  /** What belongs to modules beside their values. */
  moduleFacts: number;
}

const HEAD_BYTES = 9;
const FACTS = 64;
const LONGEST_FACT_BYTES = 65_536;
/** The first form with a checksum. */
const FIRST_WITH_CHECKSUM = 5;

/**
 * Reads an RDB as it comes: checks every length in it and its checksum, counts what it holds, and digests it. Memory stays
 * bounded whatever the bytes are.
 * Source: what servers write; "Redis RDB Dump File Format", rdb.fnordig.de.
 */
export class RdbReader {
  readonly #options: RdbReaderOptions;
  readonly #cursor = new Cursor();
  readonly #value = new ValueReader(this.#cursor);
  readonly #tally = new Tally(this.#cursor.functions);
  readonly #facts = new Map<string, string>();
  readonly #entry: RdbEntry;
  /** Keys are told of one by one. */
  readonly #isEachWanted: boolean;
  #state: 'head' | 'entry' | 'value' | 'moduleFact' | 'end' = 'head';
  /** What is before was read, and does not come back. */
  #mark = this.#cursor.at;
  #version = 0;
  #isValkey = false;
  #checksum: string | undefined;
  #functions = 0;
  #functionsSum = 0n;
  #moduleFacts = 0;
  #expired = 0;
  #database = 0;
  #expiresMs = -1;
  #kind = 0;
  #type = 0;
  #valueAt = -1;

  constructor(options: RdbReaderOptions) {
    this.#options = options;
    this.#isEachWanted = options.onKey !== undefined;
    const none = { database: 0, type: 'string', expiresMs: undefined, low: 0, high: 0, place: 0 } as const;
    this.#entry = { ...none, key: Buffer.alloc(0), value: undefined };
  }

  /** What expires before that is not counted: milliseconds since 1970. */
  set expiredBeforeMs(timeMs: number) {
    this.#value.expiredBeforeMs = timeMs;
  }

  /** @throws source-damaged, or repository-damaged of a snapshot; source-unsupported */
  write(chunk: Uint8Array): void {
    const cursor = this.#cursor;
    this.#forgetLargeValue();
    const keep = this.#valueAt >= 0 ? this.#valueAt : cursor.at;
    const moved = cursor.append(chunk, keep);
    this.#mark -= moved;
    if (this.#valueAt >= 0) this.#valueAt -= moved;
    try {
      for (;;) {
        this.#mark = cursor.at;
        this.#step();
      }
    } catch (error) {
      if (error !== MORE) throw rdbFailure(error, this.#options.origin, cursor.offset());
      cursor.at = this.#mark;
      // What began before it is read again.
      if (this.#state === 'entry') this.#valueAt = -1;
    }
  }

  /** Nothing more comes. @throws as `write`, also where the RDB is not complete */
  end(): RdbSummary {
    const offset = this.#cursor.offset(this.#cursor.end);
    if (this.#state !== 'end') {
      throw rdbFailure(new RdbDamage('it ends too early'), this.#options.origin, offset);
    }
    const counts = this.#tally.counts();
    return {
      version: this.#version,
      isValkey: this.#isValkey,
      facts: this.#facts,
      checksum: this.#checksum,
      sizeBytes: offset,
      keys: counts.reduce((sum, { keys }) => sum + keys, 0),
      expiring: counts.reduce((sum, { expiring }) => sum + expiring, 0),
      expired: this.#expired + this.#tally.expired,
      counts,
      functions: this.#functions,
      functionsDigest: this.#functionsSum.toString(16).padStart(16, '0'),
      moduleFacts: this.#moduleFacts,
    };
  }

  #step(): void {
    switch (this.#state) {
      case 'head':
        this.#head();
        break;
      case 'entry':
        if (this.#isEachWanted || !this.#takeEntries()) this.#next();
        break;
      case 'value':
        if (this.#value.step()) this.#endKey();
        break;
      case 'moduleFact':
        if (this.#value.step()) this.#state = 'entry';
        break;
      case 'end':
        if (this.#cursor.at === this.#cursor.end) throw MORE;
        throw new RdbDamage('more bytes behind its end');
    }
  }

  #head(): void {
    const cursor = this.#cursor;
    cursor.need(HEAD_BYTES);
    const head = Buffer.from(cursor.bytes.subarray(cursor.at, cursor.at + HEAD_BYTES)).toString('latin1');
    const [, name, digits] = /^(REDIS|VALKEY)(\d{4}|\d{3})$/.exec(head) ?? [];
    if (name === undefined) throw new RdbDamage('no RDB at all');
    cursor.at += HEAD_BYTES;
    this.#isValkey = name === 'VALKEY';
    this.#version = Number(digits);
    const newest = this.#isValkey ? NEWEST_RDB.valkey : NEWEST_RDB.redis;
    if (this.#version < 1 || this.#version > newest) throw new RdbUnknown(`the version ${this.#version}`);
    this.#state = 'entry';
  }

  /** Takes what most keys are in one call, since calls are what takes the time. @returns whether there was any */
  #takeEntries(): boolean {
    const cursor = this.#cursor;
    const behind = cursor.entries(this.#database, this.#expiresMs, this.#value.expiredBeforeMs);
    if (behind === cursor.at) return false;
    cursor.at = behind;
    this.#expiresMs = -1;
    return true;
  }

  /** An opcode, or a key. */
  #next(): void {
    const cursor = this.#cursor;
    const code = cursor.byte();
    if (code >= OPCODE.slotInfo) {
      this.#opcode(code);
      return;
    }
    const type = typeOfKind(code, this.#isValkey);
    if (type < 0) throw new RdbUnknown(`a value of kind ${code}`);
    cursor.string();
    cursor.functions.text(cursor.from, cursor.to);
    cursor.functions.isKey();
    if (this.#options.onKey !== undefined) {
      this.#entry.key = Buffer.from(cursor.bytes.subarray(cursor.from, cursor.to));
    }
    this.#type = type;
    this.#kind = code;
    this.#valueAt = this.#options.valueLimitBytes === undefined ? -1 : cursor.at;
    if (this.#value.begin(code)) this.#endKey();
    else this.#state = 'value';
  }

  #opcode(code: number): void {
    const cursor = this.#cursor;
    switch (code) {
      case OPCODE.end:
        this.#end();
        break;
      case OPCODE.database:
        this.#takeCounts();
        this.#database = cursor.length();
        if (this.#database > 0x7fffffff) throw new RdbDamage('a database of an impossible number');
        break;
      case OPCODE.expiresMs:
        this.#expiresMs = cursor.int64();
        break;
      case OPCODE.expiresSeconds:
        this.#expiresMs = cursor.uint32() * 1000;
        break;
      case OPCODE.resize:
        this.#lengths(2);
        break;
      case OPCODE.slotInfo:
        this.#lengths(3);
        break;
      case OPCODE.idle:
        this.#lengths(1);
        break;
      case OPCODE.frequency:
        cursor.byte();
        break;
      case OPCODE.aux:
        this.#fact();
        break;
      case OPCODE.function:
        this.#function();
        break;
      case OPCODE.moduleAux:
        this.#lengths(3);
        this.#moduleFacts++;
        this.#value.beginModuleFact();
        this.#state = 'moduleFact';
        break;
      default:
        throw new RdbUnknown(`a part of kind ${code}`);
    }
  }

  #lengths(count: number): void {
    for (let index = 0; index < count; index++) this.#cursor.length();
  }

  #fact(): void {
    const cursor = this.#cursor;
    cursor.string();
    const name = this.#text();
    cursor.string();
    if (this.#facts.size < FACTS) this.#facts.set(name, this.#text());
  }

  #text(): string {
    const { bytes, from, to } = this.#cursor;
    return Buffer.from(bytes.subarray(from, Math.min(to, from + LONGEST_FACT_BYTES))).toString('latin1');
  }

  #function(): void {
    const cursor = this.#cursor;
    const start = cursor.at - 1;
    cursor.string();
    this.#functions++;
    const digest = hash('sha256', cursor.bytes.subarray(cursor.from, cursor.to), 'buffer');
    this.#functionsSum = BigInt.asUintN(64, this.#functionsSum + digest.readBigUInt64LE());
    this.#options.onFunction?.(Buffer.from(cursor.bytes.subarray(start, cursor.at)));
  }

  #end(): void {
    const cursor = this.#cursor;
    if (this.#version >= FIRST_WITH_CHECKSUM) {
      cursor.need(8);
      const expected = Buffer.from(cursor.bytes.subarray(cursor.at, cursor.at + 8));
      const found = cursor.checksum();
      // A server whose checksums are turned off writes zeros.
      const isWritten = expected.some((byte) => byte !== 0);
      if (isWritten && !expected.equals(found)) throw new RdbDamage('its checksum is not that of its bytes');
      this.#checksum = isWritten ? expected.reverse().toString('hex') : undefined;
      cursor.at += 8;
    }
    this.#takeCounts();
    this.#state = 'end';
  }

  #takeCounts(): void {
    if (!this.#tally.take(this.#database)) throw new RdbUnknown('more databases than 65,536, which');
  }

  #endKey(): void {
    const expiresMs = this.#expiresMs;
    this.#expiresMs = -1;
    this.#state = 'entry';
    const { deadFields, livingFields, expiredBeforeMs } = this.#value;
    // A hash goes with the last of its fields.
    const isGone = (expiresMs >= 0 && expiresMs <= expiredBeforeMs) || (deadFields > 0 && livingFields === 0);
    if (isGone) this.#expired++;
    else this.#count(expiresMs);
    this.#valueAt = -1;
  }

  #count(expiresMs: number): void {
    const { functions, view, bytes, at } = this.#cursor;
    functions.count(this.#type, this.#database, expiresMs);
    if (this.#options.onKey === undefined) return;
    const entry = this.#entry;
    entry.database = this.#database;
    entry.type = VALUE_TYPES[this.#type]!;
    entry.expiresMs = expiresMs >= 0 ? expiresMs : undefined;
    entry.low = view.getUint32(RESULT, true);
    entry.high = view.getUint32(RESULT + 4, true);
    entry.place = view.getUint32(RESULT + 8, true);
    entry.value = this.#valueAt < 0 ? undefined : this.#withKind(bytes.subarray(this.#valueAt, at));
    this.#options.onKey(entry);
  }

  #withKind(value: Uint8Array): Buffer {
    const whole = Buffer.allocUnsafe(value.length + 1);
    whole[0] = this.#kind;
    whole.set(value, 1);
    return whole;
  }

  #forgetLargeValue(): void {
    const { valueLimitBytes = 0 } = this.#options;
    if (this.#valueAt >= 0 && this.#cursor.at - this.#valueAt > valueLimitBytes) this.#valueAt = -1;
  }
}
