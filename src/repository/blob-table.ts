import {
  type BlobType,
  FIELD,
  FIELDS,
  ID_BYTES,
  type IndexColumns,
  type PackedBlob,
  TREE_BIT,
} from '../format/index.ts';

/**
 * Which pack holds which blob: an open-addressing table over typed arrays in shared memory, so that all workers look up
 * in the one copy. About 50 bytes a blob. It is filled by one thread and read-only from then on.
 *
 * An entry is a blob's key, and three numbers: offset, sealed length, plain length. Its pack follows from where it stands.
 */
export interface SharedBlobTable {
  ids: SharedArrayBuffer;
  fields: SharedArrayBuffer;
  slots: SharedArrayBuffer;
}

export interface BlobLocation {
  packNumber: number;
  type: PackedBlob['type'];
  offset: number;
  length: number;
  /** Undefined when the blob is not compressed. */
  uncompressedLength: number | undefined;
}

/** Entries of one pack that stand in a row: from `first` up to the next run's. */
interface PackRun {
  first: number;
  packNumber: number;
}

export class BlobTable {
  readonly shared: SharedBlobTable;
  readonly #keys: Int32Array;
  readonly #fields: Uint32Array;
  readonly #slots: Int32Array;
  readonly #runs: PackRun[];
  #count = 0;
  /** Entries in memory: a blob that is listed twice has two, of which one counts. */
  #entries = 0;

  private constructor(shared: SharedBlobTable, runs: PackRun[] = []) {
    this.shared = shared;
    this.#keys = new Int32Array(shared.ids);
    this.#fields = new Uint32Array(shared.fields);
    this.#slots = new Int32Array(shared.slots);
    this.#runs = runs;
  }

  /** An empty table with room for `capacity` blobs. */
  static withCapacity(capacity: number): BlobTable {
    return new BlobTable({ ...reserved(capacity), slots: slotsFor(capacity) });
  }

  /** The same table in another thread, which can tell whether a blob is there, and not where. */
  static attach(shared: SharedBlobTable): Pick<BlobTable, 'has'> {
    return new BlobTable(shared);
  }

  /**
   * A table of entries that stand in memory already. Of several of one blob, the first counts.
   * @param runs the packs of all entries, in the order of the entries
   * @param passes which packs' entries belong in it: those of the first pass come before those of the next
   */
  static over(
    entries: Pick<SharedBlobTable, 'ids' | 'fields'> & { count: number },
    runs: PackRun[],
    passes: readonly ((packNumber: number) => boolean)[],
  ): BlobTable {
    const { ids, fields, count } = entries;
    const table = new BlobTable({ ids, fields, slots: slotsFor(count) }, runs);
    table.#entries = count;
    for (const isIn of passes) {
      for (const [index, { first, packNumber }] of runs.entries()) {
        const end = runs[index + 1]?.first ?? count;
        if (isIn(packNumber)) for (let entry = first; entry < end; entry++) table.#enter(entry);
      }
    }
    return table;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a blob that is not there yet; one that is keeps its first place. */
  add(id: Uint8Array, packNumber: number, blob: Omit<PackedBlob, 'id'>): void {
    const key = blobKey(id, blob.type);
    const slot = this.#slotOf(key, 0);
    if (this.#slots[slot] !== 0) return;
    const entry = this.#entries++;
    this.#count++;
    this.#keys.set(key, entry * KEY_WORDS);
    const at = entry * FIELDS;
    this.#fields[at + FIELD.offset] = blob.offset;
    this.#fields[at + FIELD.length] = blob.type === 'tree' ? blob.length + TREE_BIT : blob.length;
    this.#fields[at + FIELD.plainLength] = blob.uncompressedLength ?? 0;
    this.#slots[slot] = entry + 1;
    if (this.#runs.at(-1)?.packNumber !== packNumber) this.#runs.push({ first: entry, packNumber });
  }

  has(id: Uint8Array, type: BlobType): boolean {
    return this.#slots[this.#slotOf(blobKey(id, type), 0)] !== 0;
  }

  find(id: Uint8Array, type: BlobType): BlobLocation | undefined {
    const entry = this.#slots[this.#slotOf(blobKey(id, type), 0)]! - 1;
    if (entry < 0) return undefined;
    const at = entry * FIELDS;
    return {
      packNumber: this.#packOf(entry),
      type,
      offset: this.#fields[at + FIELD.offset]!,
      length: this.#fields[at + FIELD.length]! % TREE_BIT,
      uncompressedLength: this.#fields[at + FIELD.plainLength]! || undefined,
    };
  }

  /** Where the last of the blobs ends, in bytes of their pack, that an index file lists together with this one. */
  packEnd(id: Uint8Array, type: BlobType): number {
    const entry = this.#slots[this.#slotOf(blobKey(id, type), 0)]! - 1;
    if (entry < 0) return 0;
    const run = this.#runOf(entry);
    const end = this.#runs[run + 1]?.first ?? this.#entries;
    let endByte = 0;
    for (let at = this.#runs[run]!.first * FIELDS; at < end * FIELDS; at += FIELDS) {
      endByte = Math.max(endByte, this.#fields[at + FIELD.offset]! + (this.#fields[at + FIELD.length]! % TREE_BIT));
    }
    return endByte;
  }

  #enter(entry: number): void {
    const slot = this.#slotOf(this.#keys, entry * KEY_WORDS);
    if (this.#slots[slot] !== 0) return;
    this.#slots[slot] = entry + 1;
    this.#count++;
  }

  /** The slot that holds the key at a place of `words`, or the empty one where it would go. */
  #slotOf(words: Int32Array, at: number): number {
    const count = this.#slots.length;
    // A place for each hash, in its order: a count that is a power of two would waste up to half of the memory.
    for (let slot = Math.floor(((words[at]! >>> 0) / 2 ** 32) * count); ; slot = slot + 1 === count ? 0 : slot + 1) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0 || sameKey(this.#keys, entry * KEY_WORDS, words, at)) return slot;
    }
  }

  #packOf(entry: number): number {
    return this.#runs[this.#runOf(entry)]!.packNumber;
  }

  /** By bisection: the last run that begins at the entry or before it. */
  #runOf(entry: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle]!.first <= entry) low = middle;
      else high = middle;
    }
    return low;
  }
}

export interface SharedBlobEntries {
  ids: SharedArrayBuffer;
  fields: SharedArrayBuffer;
  /** How many entries there are. */
  count: SharedArrayBuffer;
}

/** The entries of an index while it is read, in shared memory: any thread puts those of a file there. */
export class BlobEntries {
  readonly shared: SharedBlobEntries;
  readonly #keys: Int32Array;
  readonly #fields: Uint32Array;
  readonly #count: Int32Array;

  private constructor(shared: SharedBlobEntries) {
    this.shared = shared;
    this.#keys = new Int32Array(shared.ids);
    this.#fields = new Uint32Array(shared.fields);
    this.#count = new Int32Array(shared.count);
  }

  /** @param capacity how many blobs there is room for; what is not written to takes no memory */
  static withCapacity(capacity: number): BlobEntries {
    return new BlobEntries({ ...reserved(capacity), count: new SharedArrayBuffer(4) });
  }

  /** The same in another thread. */
  static attach(shared: SharedBlobEntries): BlobEntries {
    return new BlobEntries(shared);
  }

  /** Puts down what a file lists. @returns the packs with their first entries' places; undefined where there is no room */
  put({ ids, fields, count, packs }: IndexColumns): IndexColumns['packs'] | undefined {
    const start = Atomics.add(this.#count, 0, count);
    if ((start + count) * FIELDS > this.#fields.length) return undefined;
    this.#keys.set(new Int32Array(ids.buffer, ids.byteOffset, count * KEY_WORDS), start * KEY_WORDS);
    this.#fields.set(fields.subarray(0, count * FIELDS), start * FIELDS);
    for (let entry = start; entry < start + count; entry++) {
      const isTree = this.#fields[entry * FIELDS + FIELD.length]! >= TREE_BIT;
      if (isTree) this.#keys[entry * KEY_WORDS + KEY_WORDS - 1]! ^= TREE_MARK;
    }
    // One without blobs would stand at the place of another one.
    const hasBlobs = ({ first }: { first: number }, index: number): boolean =>
      first < (packs[index + 1]?.first ?? count);
    return packs.filter(hasBlobs).map(({ id, first }) => ({ id, first: start + first }));
  }

  /**
   * Makes tables of all that was put here.
   * @param packs what `put` gave for each file
   * @param marked packs whose entries count only where a blob is nowhere else, and not among those that last
   * @returns the tables, and the packs' ids by number
   */
  tables(
    packs: IndexColumns['packs'],
    marked: ReadonlySet<string>,
  ): { table: BlobTable; lasting: BlobTable; packIds: string[] } {
    const numbers = new Map<string, number>();
    const runs = packs
      .toSorted((a, b) => a.first - b.first)
      .map(({ id, first }): PackRun => {
        const packNumber = numbers.get(id) ?? numbers.size;
        numbers.set(id, packNumber);
        return { first, packNumber };
      });
    const packIds = [...numbers.keys()];
    const entries = { ...this.shared, count: this.#count[0]! };
    const isMarked = packIds.map((id) => marked.has(id));
    const lasts = (packNumber: number): boolean => !isMarked[packNumber];
    const lasting = BlobTable.over(entries, runs, [lasts]);
    const table = isMarked.includes(true)
      ? BlobTable.over(entries, runs, [lasts, (packNumber) => isMarked[packNumber]!])
      : lasting;
    return { table, lasting, packIds };
  }
}

function reserved(capacity: number): Pick<SharedBlobTable, 'ids' | 'fields'> {
  return {
    ids: new SharedArrayBuffer(Math.max(1, capacity) * ID_BYTES),
    fields: new SharedArrayBuffer(Math.max(1, capacity) * FIELDS * 4),
  };
}

/** Few enough for the memory, and so many that what is looked for is found after three looks or so. */
const SLOTS_PER_BLOB = 4 / 3;

function slotsFor(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.ceil(Math.max(16, capacity * SLOTS_PER_BLOB)) * 4);
}

export const KEY_WORDS = ID_BYTES / 4;
const scratch = new Int32Array(KEY_WORDS);
const scratchBytes = new Uint8Array(scratch.buffer);
/** One bit of an id's last byte, as it lies in its last word. */
const TREE_MARK = new Int32Array(Uint8Array.of(0, 0, 0, 1).buffer)[0]!;

/**
 * What tells blobs apart, as eight words, valid until the next call: the id, with one bit turned over for trees. A file may
 * have the very bytes of a tree, and must be stored as data all the same: readers look for a blob by type and id. Ids are
 * hashes, so that two keys are no more likely to be equal than two ids, and any of their bits will do as a hash.
 */
export function blobKey(id: Uint8Array, type: BlobType): Int32Array {
  scratchBytes.set(id);
  if (type === 'tree') scratch[KEY_WORDS - 1]! ^= TREE_MARK;
  return scratch;
}

/** Whether the key at a place of `keys` is the one at a place of `words`. */
export function sameKey(keys: Int32Array, at: number, words: Int32Array, wordsAt = 0): boolean {
  for (let index = 0; index < KEY_WORDS; index++) if (keys[at + index] !== words[wordsAt + index]) return false;
  return true;
}
