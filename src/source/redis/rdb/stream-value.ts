import { PAPER } from './bytes.ts';
import type { Cursor } from './cursor.ts';
import { RdbDamage } from './damage.ts';
import { type PackedSink, readListpack } from './packed.ts';
import { KIND } from './types.ts';

/**
 * Reads the value of a stream, a part at a time: entries in packs, then consumer groups with what they have not acknowledged.
 * What older servers do not write (counters that a newer one derives when it loads) is no part of the digest.
 */
export class StreamValue {
  readonly #cursor: Cursor;
  readonly #kind: number;
  readonly #tokens: Tokens;
  #part: 'packs' | 'facts' | 'group' | 'pending' | 'consumer' | 'owned' = 'packs';
  #packs: number;
  #groups = 0;
  #pending = 0;
  #consumers = 0;
  #owned = 0;

  /** Behind its kind and its key. */
  constructor(cursor: Cursor, kind: number) {
    this.#cursor = cursor;
    this.#kind = kind;
    this.#tokens = new Tokens(cursor);
    this.#packs = cursor.length();
    if (this.#packs === 0) this.#part = 'facts';
  }

  /** Reads a part, or throws MORE and has read nothing. @returns whether it was the last */
  step(): boolean {
    switch (this.#part) {
      case 'packs':
        this.#pack();
        this.#packs--;
        if (this.#packs === 0) this.#part = 'facts';
        return false;
      case 'facts':
        return this.#facts();
      case 'group':
        this.#group();
        return false;
      case 'pending':
        return this.#pendingEntry();
      case 'consumer':
        return this.#consumer();
      case 'owned':
        return this.#ownedEntry();
    }
  }

  /** Entries that share a first id and, for the most part, their fields' names. */
  #pack(): void {
    const cursor = this.#cursor;
    cursor.string(16);
    if (cursor.to - cursor.from !== 16) throw new RdbDamage('a stream whose entries have no id');
    const [ms, sequence] = this.#id(cursor.from);
    const packed = cursor.packed();
    this.#tokens.begin();
    readListpack(packed, this.#tokens);
    const tokens = this.#tokens;
    const count = tokens.wholeAt(0);
    const deleted = tokens.wholeAt(1);
    const fields = tokens.wholeAt(2);
    if (fields < 0 || tokens.wholeAt(3 + fields) !== 0) throw new RdbDamage('a stream whose entries have no head');
    let at = 4 + fields;
    for (let index = 0; index < count + deleted; index++) at = this.#entry(at, fields, ms, sequence);
    if (at !== tokens.length) throw new RdbDamage('a stream with other entries than it says');
  }

  /** @returns where the next one begins */
  #entry(start: number, shared: number, ms: number, sequence: number): number {
    const { functions } = this.#cursor;
    const tokens = this.#tokens;
    const flags = tokens.wholeAt(start);
    const isDeleted = (flags & 1) !== 0;
    const isAlike = (flags & 2) !== 0;
    let at = start + 3;
    const fields = isAlike ? shared : tokens.wholeAt(at++);
    if (fields < 0 || at + fields > tokens.length) throw new RdbDamage('an entry of a stream that is too long');
    if (!isDeleted) {
      functions.nextNumber(ms + tokens.wholeAt(start + 1));
      functions.nextNumber(sequence + tokens.wholeAt(start + 2));
      functions.nextNumber(fields);
    }
    for (let index = 0; index < fields; index++) {
      const name = isAlike ? 3 + index : at++;
      const value = at++;
      if (isDeleted) continue;
      tokens.hash(name);
      functions.isNext();
      tokens.hash(value);
      functions.isNext();
    }
    const length = isAlike ? fields + 3 : 2 * fields + 4;
    if (tokens.wholeAt(at) !== length) throw new RdbDamage('an entry of a stream of another length than it says');
    return at + 1;
  }

  #facts(): boolean {
    const cursor = this.#cursor;
    const length = cursor.length();
    const ms = cursor.length();
    const sequence = cursor.length();
    // The first id, the highest that was deleted, and how many there ever were.
    if (this.#kind !== KIND.stream) for (let index = 0; index < 5; index++) cursor.length();
    const groups = cursor.length();
    for (const fact of [length, ms, sequence, groups]) cursor.functions.nextNumber(fact);
    this.#groups = groups;
    this.#part = 'group';
    return groups === 0;
  }

  #group(): void {
    const cursor = this.#cursor;
    cursor.string();
    const { from, to } = cursor;
    const ms = cursor.length();
    const sequence = cursor.length();
    if (this.#kind !== KIND.stream) cursor.length();
    const pending = cursor.length();
    cursor.functions.text(from, to);
    cursor.functions.isNext();
    for (const fact of [ms, sequence, pending]) cursor.functions.nextNumber(fact);
    this.#pending = pending;
    this.#part = 'pending';
  }

  /** What was given to a consumer and not acknowledged; behind the last one stands how many consumers there are. */
  #pendingEntry(): boolean {
    const cursor = this.#cursor;
    if (this.#pending === 0) {
      this.#consumers = cursor.length();
      cursor.functions.nextNumber(this.#consumers);
      return this.#nextConsumer();
    }
    cursor.need(24);
    const [ms, sequence] = this.#id(cursor.at);
    cursor.at += 16;
    const deliveredMs = cursor.int64();
    const deliveries = cursor.length();
    for (const fact of [ms, sequence, deliveredMs, deliveries]) cursor.functions.nextNumber(fact);
    this.#pending--;
    return false;
  }

  #consumer(): boolean {
    const cursor = this.#cursor;
    cursor.string();
    const { from, to } = cursor;
    const seenMs = cursor.int64();
    if (this.#kind === KIND.stream3) cursor.int64();
    const owned = cursor.length();
    cursor.functions.text(from, to);
    cursor.functions.isNext();
    cursor.functions.nextNumber(seenMs);
    cursor.functions.nextNumber(owned);
    this.#consumers--;
    this.#owned = owned;
    this.#part = 'owned';
    return owned === 0 && this.#nextConsumer();
  }

  #ownedEntry(): boolean {
    const cursor = this.#cursor;
    cursor.need(16);
    for (const fact of this.#id(cursor.at)) cursor.functions.nextNumber(fact);
    cursor.at += 16;
    this.#owned--;
    return this.#owned === 0 && this.#nextConsumer();
  }

  #nextConsumer(): boolean {
    if (this.#consumers > 0) {
      this.#part = 'consumer';
      return false;
    }
    this.#groups--;
    this.#part = 'group';
    return this.#groups === 0;
  }

  /** An id's two halves; beyond 2^53 about as large. */
  #id(at: number): [number, number] {
    const { view } = this.#cursor;
    const half = (from: number): number => view.getUint32(from) * 2 ** 32 + view.getUint32(from + 4);
    return [half(at), half(at + 8)];
  }
}

/** The elements of a listpack, as they are wanted in another order. */
class Tokens implements PackedSink {
  readonly #cursor: Cursor;
  #from: number[] = [];
  /** Where a text ends; of a number its upper half. */
  #to: number[] = [];
  #isText: boolean[] = [];

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  get length(): number {
    return this.#from.length;
  }

  begin(): void {
    this.#from = [];
    this.#to = [];
    this.#isText = [];
  }

  text(at: number, end: number): void {
    this.#from.push(at);
    this.#to.push(end);
    this.#isText.push(true);
  }

  whole(low: number, high: number): void {
    this.#from.push(low);
    this.#to.push(high);
    this.#isText.push(false);
  }

  /** @throws RdbDamage where there is no number */
  wholeAt(index: number): number {
    if (this.#isText[index] !== false) throw new RdbDamage('an entry of a stream without a number where one should be');
    return this.#to[index]! * 2 ** 32 + (this.#from[index]! >>> 0);
  }

  hash(index: number): void {
    const { functions } = this.#cursor;
    if (this.#isText[index] === true) functions.text(this.#from[index]!, this.#to[index]!);
    else if (this.#isText[index] === false) functions.number(this.#from[index]!, this.#to[index]!, PAPER);
    else throw new RdbDamage('an entry of a stream that ends too early');
  }
}
