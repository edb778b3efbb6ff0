import { type Cursor, STRING_LZF } from './cursor.ts';
import { RdbDamage } from './damage.ts';
import { LongString } from './long-string.ts';
import { type Packed, type PackedSink, readIntset, readListpack, readZiplist, readZipmap } from './packed.ts';
import { fieldSink, memberSink, nextSink, scoreSink } from './sinks.ts';
import { StreamValue } from './stream-value.ts';
import { KIND } from './types.ts';

/** What a string is that was read. */
type Use = 'value' | 'member' | 'next' | 'field' | 'fieldValue' | 'held' | 'part';

const STANDS_ALONE = 'a field or a member that stands alone';

/** What the elements of a listpack are, as ./bytes.wat has it. */
const LISTPACK_USE = { next: 0, member: 1, field: 2 } as const;

const MODULE = { end: 0, signed: 1, unsigned: 2, float: 3, double: 4, string: 5 } as const;

/**
 * Reads one value after the other, each a part at a time, and digests it. All that says whether it is over give true where
 * nothing more belongs to the value; what throws MORE has read nothing.
 */
export class ValueReader {
  /** Fields of a hash that expire before are not digested. */
  expiredBeforeMs = -Infinity;
  /** Of the present value: fields that were digested, and that were not. */
  livingFields = 0;
  deadFields = 0;
  readonly #cursor: Cursor;
  #kind = 0;
  /** Elements that are still to come, and the part of the one that is next. */
  #left = 0;
  #part = 0;
  /** Of a hash whose fields expire: when the first does, and the one that is next. */
  #firstExpiresMs = 0;
  #fieldExpiresMs = -1;
  #long: { string: LongString; use: Use } | undefined;
  #stream: StreamValue | undefined;
  #isModule = false;

  /** One for each kind: making them anew would be most of the work of a small value. */
  readonly #sinks: Readonly<Record<'next' | 'member' | 'score' | 'field' | 'expiring', PackedSink>>;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
    const { functions } = cursor;
    this.#sinks = {
      next: nextSink(functions),
      member: memberSink(functions),
      score: scoreSink(cursor),
      field: fieldSink(functions),
      expiring: fieldSink(functions, (expiresMs) => this.#isLiving(expiresMs)),
    };
  }

  /** The beginning of a value, behind its kind and its key. @returns whether it is over */
  begin(kind: number): boolean {
    const cursor = this.#cursor;
    this.#kind = kind;
    this.#part = 0;
    this.#long = undefined;
    this.#stream = undefined;
    this.#isModule = kind === KIND.module;
    this.livingFields = 0;
    this.deadFields = 0;
    if (kind === KIND.string) return this.#string('value');
    if (this.#isModule) {
      cursor.length();
      return false;
    }
    if (kind === KIND.stream || kind === KIND.stream2 || kind === KIND.stream3) {
      this.#stream = new StreamValue(cursor, kind);
      return false;
    }
    if (kind === KIND.hashMetadata || kind === KIND.hashListpackExpiring) this.#firstExpiresMs = cursor.int64();
    if (this.#packedValue(kind)) return true;
    this.#left = cursor.length();
    return this.#left === 0;
  }

  /** What a module wrote beside its values, behind its head, is read as a value of it is. */
  beginModuleFact(): void {
    this.#long = undefined;
    this.#stream = undefined;
    this.#isModule = true;
  }

  /** @returns whether the value is over */
  step(): boolean {
    if (this.#long !== undefined) return this.#longString(this.#long);
    if (this.#stream !== undefined) return this.#stream.step();
    return this.#isModule ? this.#modulePart() : this.#element();
  }

  /** A value that is one string. @returns whether it is */
  #packedValue(kind: number): boolean {
    const sinks = this.#sinks;
    switch (kind) {
      case KIND.listZiplist:
        return this.#read(readZiplist, sinks.next);
      case KIND.setIntset:
        return this.#read(readIntset, sinks.member);
      case KIND.setListpack:
        return this.#listpack(LISTPACK_USE.member, 1);
      case KIND.zsetZiplist:
        return this.#read(readZiplist, sinks.score, 2);
      case KIND.zsetListpack:
        return this.#read(readListpack, sinks.score, 2);
      case KIND.hashZipmap:
        return this.#read(readZipmap, sinks.field, 2);
      case KIND.hashZiplist:
        return this.#read(readZiplist, sinks.field, 2);
      case KIND.hashListpack:
        return this.#listpack(LISTPACK_USE.field, 2);
      case KIND.hashListpackExpiring:
        return this.#read(readListpack, sinks.expiring, 3);
      default:
        return false;
    }
  }

  #read(read: (packed: Packed, sink: PackedSink) => number, sink: PackedSink, multiple: number = 1): true {
    if (read(this.#cursor.packed(), sink) % multiple === 0) return true;
    throw new RdbDamage(STANDS_ALONE);
  }

  /** What most small values are: in one call, since calls are what takes the time. */
  #listpack(use: number, multiple: number): true {
    const cursor = this.#cursor;
    cursor.string();
    const count = cursor.functions.listpack(cursor.from, cursor.to, use);
    if (count < 0) {
      // The other reader says what is wrong with it.
      readListpack({ bytes: cursor.bytes, view: cursor.view, at: cursor.from, end: cursor.to }, this.#sinks.next);
      throw new RdbDamage('a listpack that cannot be read');
    }
    if (count % multiple === 0) return true;
    throw new RdbDamage(STANDS_ALONE);
  }

  #element(): boolean {
    const cursor = this.#cursor;
    switch (this.#kind) {
      case KIND.list:
        return this.#string('next');
      case KIND.set:
        return this.#string('member');
      case KIND.hash:
        this.#fieldExpiresMs = -1;
        return this.#string(this.#part === 0 ? 'field' : 'fieldValue');
      case KIND.hashMetadata:
        return this.#expiringField();
      case KIND.hashExpiring:
        if (this.#part < 2) return this.#string(this.#part === 0 ? 'field' : 'held');
        this.#fieldExpiresMs = cursor.int64();
        return this.#use('fieldValue');
      case KIND.zset:
      case KIND.zsetText:
        if (this.#part === 0) return this.#string('held');
        cursor.functions.isScored(this.#kind === KIND.zset ? cursor.double() : this.#textScore());
        this.#part = 0;
        return this.#oneLess();
      case KIND.listQuicklist:
        readZiplist(cursor.packed(), this.#sinks.next);
        return this.#oneLess();
      case KIND.listQuicklist2:
        return this.#listNode();
      default:
        throw new RdbDamage('a value of no known kind');
    }
  }

  /** Its time to live is relative to the hash's first one; without one it is zero. */
  #expiringField(): boolean {
    if (this.#part === 1) return this.#string('fieldValue');
    const after = this.#cursor.length();
    this.#fieldExpiresMs = after === 0 ? -1 : this.#firstExpiresMs + after - 1;
    return this.#string('field');
  }

  /** A number as text, of which special ones are said by its length. */
  #textScore(): number {
    const cursor = this.#cursor;
    const length = cursor.byte();
    if (length === 253) return Number.NaN;
    if (length > 253) return length === 254 ? Infinity : -Infinity;
    cursor.need(length);
    cursor.at += length;
    const score = Number(Buffer.from(cursor.bytes.subarray(cursor.at - length, cursor.at)).toString('latin1'));
    if (Number.isNaN(score)) throw new RdbDamage('a score that is no number');
    return score;
  }

  #listNode(): boolean {
    const cursor = this.#cursor;
    const container = cursor.length();
    if (container === 1) return this.#string('next');
    if (container !== 2) throw new RdbDamage('a node of a list of no known kind');
    this.#listpack(LISTPACK_USE.next, 1);
    return this.#oneLess();
  }

  #modulePart(): boolean {
    const cursor = this.#cursor;
    const { functions } = cursor;
    switch (cursor.length()) {
      case MODULE.end:
        return true;
      case MODULE.signed:
      case MODULE.unsigned:
        functions.nextNumber(cursor.length());
        return false;
      case MODULE.float:
        functions.nextNumber(cursor.uint32());
        return false;
      case MODULE.double:
        functions.nextNumber(cursor.double());
        return false;
      case MODULE.string:
        return this.#string('part');
      default:
        throw new RdbDamage('a part of a module of no known kind');
    }
  }

  /** A string; one that is long is taken as it comes. */
  #string(use: Use): boolean {
    const cursor = this.#cursor;
    cursor.need(1);
    const first = cursor.bytes[cursor.at]!;
    if (first < 0xc0 || first === STRING_LZF) {
      const string = LongString.begin(cursor);
      if (string !== undefined) {
        this.#long = { string, use };
        return false;
      }
    }
    cursor.string();
    cursor.functions.text(cursor.from, cursor.to);
    return this.#use(use);
  }

  #longString({ string, use }: { string: LongString; use: Use }): boolean {
    if (!string.step()) return false;
    this.#long = undefined;
    return this.#use(use);
  }

  #use(use: Use): boolean {
    const { functions } = this.#cursor;
    switch (use) {
      case 'value':
        functions.isValue();
        return true;
      case 'member':
        functions.isMember();
        return this.#oneLess();
      case 'next':
        functions.isNext();
        return this.#oneLess();
      case 'field':
        functions.isField();
        this.#part = 1;
        return false;
      case 'held':
        this.#part++;
        return false;
      case 'fieldValue':
        if (this.#isLiving(this.#fieldExpiresMs)) functions.isFieldValue(this.#fieldExpiresMs);
        this.#part = 0;
        return this.#oneLess();
      case 'part':
        functions.isNext();
        return false;
    }
  }

  #isLiving(expiresMs: number): boolean {
    const living = expiresMs < 0 || expiresMs > this.expiredBeforeMs;
    if (living) this.livingFields++;
    else this.deadFields++;
    return living;
  }

  #oneLess(): boolean {
    this.#left--;
    return this.#left === 0;
  }
}
