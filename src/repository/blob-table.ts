import type { BlobType, PackedBlob } from '../format/index.ts';

/**
 * Which pack holds which blob: an open-addressing table over typed arrays in shared memory, so that all workers look up
 * in the one copy. About 54 bytes a blob. It is filled by one thread and read-only from then on.
 *
 * An entry is a blob's key, and four numbers: pack, offset, sealed length, plain length. A pack's number is an index into a
 * list of pack ids that only the main thread needs.
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
  readonly #keys: Int32Array;
  readonly #fields: Uint32Array;
  readonly #slots: Int32Array;
  readonly #slotMask: number;
  #count = 0;

  private constructor(shared: SharedBlobTable) {
    this.shared = shared;
    this.#keys = new Int32Array(shared.ids);
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
    const key = blobKey(id, blob.type);
    const slot = this.#slotOf(key);
    if (this.#slots[slot] !== 0) return;
    const entry = this.#count++;
    this.#keys.set(key, entry * KEY_WORDS);
    const at = entry * FIELDS;
    this.#fields[at] = blob.type === 'tree' ? packNumber + TREE_BIT : packNumber;
    this.#fields[at + 1] = blob.offset;
    this.#fields[at + 2] = blob.length;
    this.#fields[at + 3] = blob.uncompressedLength ?? 0;
    this.#slots[slot] = entry + 1;
  }

  has(id: Uint8Array, type: BlobType): boolean {
    return this.#slots[this.#slotOf(blobKey(id, type))] !== 0;
  }

  find(id: Uint8Array, type: BlobType): BlobLocation | undefined {
    const entry = this.#slots[this.#slotOf(blobKey(id, type))]! - 1;
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

  /** The slot that holds `key`, or the empty one where it would go. */
  #slotOf(key: Int32Array): number {
    for (let slot = key[0]! & this.#slotMask; ; slot = (slot + 1) & this.#slotMask) {
      const entry = this.#slots[slot]! - 1;
      if (entry < 0 || sameKey(this.#keys, entry * KEY_WORDS, key)) return slot;
    }
  }
}

export const KEY_WORDS = ID_BYTES / 4;
const scratch = new Int32Array(KEY_WORDS);
const scratchBytes = new Uint8Array(scratch.buffer);

/**
 * What tells blobs apart, as eight words, valid until the next call: the id, with one bit turned over for trees. A file may
 * have the very bytes of a tree, and must be stored as data all the same: readers look for a blob by type and id. Ids are
 * hashes, so that two keys are no more likely to be equal than two ids, and any of their bits will do as a hash.
 */
export function blobKey(id: Uint8Array, type: BlobType): Int32Array {
  scratchBytes.set(id);
  if (type === 'tree') scratchBytes[ID_BYTES - 1]! ^= 1;
  return scratch;
}

export function sameKey(keys: Int32Array, at: number, key: Int32Array): boolean {
  for (let index = 0; index < KEY_WORDS; index++) if (keys[at + index] !== key[index]) return false;
  return true;
}
