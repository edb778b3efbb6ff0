import type { BlobType } from '../../format/index.ts';
import { blobKey, KEY_WORDS, sameKey } from '../blob-table.ts';

/**
 * The keys of blobs that this run stores, so that of several workers that meet the same new blob only one stores it.
 * It is shared by all workers, and grows without locks: in segments, each twice as large as the one before, whose memory
 * is reserved at once and costs nothing until it is touched.
 *
 * Two workers may in a rare race both be told that a blob is theirs, when they meet it just as a segment fills up. Then it
 * is stored twice, which the format allows.
 */

const FIRST_SEGMENT_SLOTS = 2 ** 14;
const SEGMENTS = 12;

interface Segment {
  slots: Int32Array;
  words: Int32Array;
  capacity: number;
}

export type SharedClaimTable = SharedArrayBuffer;

export class ClaimTable {
  readonly shared: SharedClaimTable;
  /** How many entries each segment has given out. */
  readonly #counts: Int32Array;
  readonly #segments: Segment[] = [];

  private constructor(shared: SharedClaimTable) {
    this.shared = shared;
    this.#counts = new Int32Array(shared, 0, SEGMENTS);
    let offset = SEGMENTS * 4;
    for (let index = 0; index < SEGMENTS; index++) {
      const slotCount = FIRST_SEGMENT_SLOTS * 2 ** index;
      const capacity = slotCount / 2;
      const slots = new Int32Array(shared, offset, slotCount);
      offset += slotCount * 4;
      this.#segments.push({ slots, capacity, words: new Int32Array(shared, offset, capacity * KEY_WORDS) });
      offset += capacity * KEY_WORDS * 4;
    }
  }

  static create(): ClaimTable {
    const slots = FIRST_SEGMENT_SLOTS * (2 ** SEGMENTS - 1);
    return new ClaimTable(new SharedArrayBuffer(SEGMENTS * 4 + slots * 4 + (slots / 2) * KEY_WORDS * 4));
  }

  static attach(shared: SharedClaimTable): ClaimTable {
    return new ClaimTable(shared);
  }

  /**
   * Forgets all claims, where they are few: a table that many were put into takes longer to clear than a new one to make.
   * Nobody else may use it meanwhile.
   * @returns whether it is as good as new
   */
  clear(): boolean {
    const [first] = this.#segments as [Segment];
    if (this.#counts[0]! >= first.capacity) return false;
    first.slots.fill(0);
    first.words.fill(0);
    this.#counts[0] = 0;
    return true;
  }

  /** Whether the caller is the first to claim this blob, and so the one to store it. */
  claim(id: Uint8Array, type: BlobType): boolean {
    const words = blobKey(id, type);
    for (let index = 0; index < SEGMENTS; index++) {
      const segment = this.#segments[index]!;
      const isFull = Atomics.load(this.#counts, index) >= segment.capacity;
      const result = isFull ? find(segment, words) : this.#findOrAdd(index, segment, words);
      if (result !== 'absent') return result === 'added';
    }
    // 33 million new blobs in one run: beyond that they are stored without being remembered.
    return true;
  }

  #findOrAdd(index: number, segment: Segment, words: Int32Array): 'found' | 'added' | 'absent' {
    const mask = segment.slots.length - 1;
    let entry = -1;
    for (let slot = words[0]! & mask; ; slot = (slot + 1) & mask) {
      const taken = Atomics.load(segment.slots, slot);
      if (taken !== 0) {
        if (sameKey(segment.words, (taken - 1) * KEY_WORDS, words)) return 'found';
        continue;
      }
      if (entry === -1) {
        entry = Atomics.add(this.#counts, index, 1);
        if (entry >= segment.capacity) return 'absent';
        segment.words.set(words, entry * KEY_WORDS);
      }
      const holder = Atomics.compareExchange(segment.slots, slot, 0, entry + 1);
      if (holder === 0) return 'added';
      // Another worker was faster with this slot: look at what it put there before going on.
      if (sameKey(segment.words, (holder - 1) * KEY_WORDS, words)) return 'found';
    }
  }
}

function find(segment: Segment, words: Int32Array): 'found' | 'absent' {
  const mask = segment.slots.length - 1;
  for (let slot = words[0]! & mask; ; slot = (slot + 1) & mask) {
    const taken = Atomics.load(segment.slots, slot);
    if (taken === 0) return 'absent';
    if (sameKey(segment.words, (taken - 1) * KEY_WORDS, words)) return 'found';
  }
}
