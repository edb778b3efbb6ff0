import type { PackedBlob } from '../format/index.ts';

/**
 * Which pack holds which blob: an open-addressing table over typed arrays in shared memory, so that all workers look up
 * in the one copy. About 54 bytes a blob. It is filled by one thread and read-only from then on.
 *
 * An entry is an id, and four numbers: pack, offset, sealed length, plain length. A pack's number is an index into a list
 * of pack ids that only the main thread needs.
 */

const ID_BYTES = 32;
const FIELDS = 4;
/** Bit 31 of the pack's number: the blob is a tree. */
const TREE_BIT = 0x8000_0000;

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

export class BlobTable {
  readonly shared: SharedBlobTable;
  readonly #ids: Uint8Array;
  readonly #idWords: Int32Array;
  readonly #fields: Uint32Array;
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  #count = 0;

  private constructor(shared: SharedBlobTable) {
    this.shared = shared;
    this.#ids = new Uint8Array(shared.ids);
    this.#idWords = new Int32Array(shared.ids);
    this.#fields = new Uint32Array(shared.fields);
    this.#slots = new Int32Array(shared.slots);
    this.#slotMask = this.#slots.length - 1;
  }

  /** An empty table with room for `capacity` blobs. */
  static withCapacity(capacity: number): BlobTable {
    const slotCount = 2 ** Math.max(4, Math.ceil(Math.log2(Math.max(1, capacity) * 1.5)));
    return new BlobTable({
      ids: new SharedArrayBuffer(Math.max(1, capacity) * ID_BYTES),
      fields: new SharedArrayBuffer(Math.max(1, capacity) * FIELDS * 4),
      slots: new SharedArrayBuffer(slotCount * 4),
    });
  }

  /** The same table in another thread, for looking up. */
  static attach(shared: SharedBlobTable): BlobTable {
    return new BlobTable(shared);
  }

  get count(): number {
    return this.#count;
  }

  /** Adds a blob that is not there yet; one that is keeps its first place. */
  add(id: Uint8Array, packNumber: number, blob: Omit<PackedBlob, 'id'>): void {
    const slot = this.#slotOf(id);
    if (this.#slots[slot] !== 0) return;
    const entry = this.#count++;
    this.#ids.set(id, entry * ID_BYTES);
    const at = entry * FIELDS;
    this.#fields[at] = blob.type === 'tree' ? packNumber + TREE_BIT : packNumber;
    this.#fields[at + 1] = blob.offset;
    this.#fields[at + 2] = blob.length;
    this.#fields[at + 3] = blob.uncompressedLength ?? 0;
    this.#slots[slot] = entry + 1;
  }

  has(id: Uint8Array): boolean {
    return this.#slots[this.#slotOf(id)] !== 0;
  }

  find(id: Uint8Array): BlobLocation | undefined {
    const entry = this.#slots[this.#slotOf(id)]! - 1;
    if (entry < 0) return undefined;
    const at = entry * FIELDS;
    const pack = this.#fields[at]!;
    return {
      packNumber: pack % TREE_BIT,
      type: pack >= TREE_BIT ? 'tree' : 'data',
      offset: this.#fields[at + 1]!,
      length: this.#fields[at + 2]!,
      uncompressedLength: this.#fields[at + 3]! || undefined,
    };
  }

  /** The slot that holds `id`, or the empty one where it would go. */
  #slotOf(id: Uint8Array): number {
    const words = idWords(id);
    for (let slot = words[0]! & this.#slotMask; ; slot = (slot + 1) & this.#slotMask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0 || sameWords(this.#idWords, entry * (ID_BYTES / 4), words)) return slot;
    }
  }
}

const scratch = new Int32Array(ID_BYTES / 4);
const scratchBytes = new Uint8Array(scratch.buffer);

/** An id as eight words; valid until the next call. Ids are hashes already: any of their bits will do as a hash. */
export function idWords(id: Uint8Array): Int32Array {
  scratchBytes.set(id);
  return scratch;
}

export function sameWords(words: Int32Array, at: number, other: Int32Array): boolean {
  for (let index = 0; index < ID_BYTES / 4; index++) if (words[at + index] !== other[index]) return false;
  return true;
}
