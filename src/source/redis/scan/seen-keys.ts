import { hash } from 'node:crypto';

const WORDS = 4;
const FIRST_SLOTS = 1 << 12;
const FULLEST = 0.7;

/**
 * Keys that were seen, each as 128 bits of its digest: 16 bytes a key, where its text would be many times as much. A server
 * may name a key twice while it moves its table.
 */
export class SeenKeys {
  #slots = new Uint32Array(FIRST_SLOTS * WORDS);
  #count = 0;

  /** @returns whether it was not there before */
  add(key: Uint8Array): boolean {
    if (this.#count + 1 > FULLEST * (this.#slots.length / WORDS)) this.#grow();
    const digest = hash('sha256', key, 'buffer');
    const words = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at));
    // An empty slot is all zeros, which no key may be.
    words[3] = words[3]! | 1;
    const isNew = put(this.#slots, words);
    if (isNew) this.#count++;
    return isNew;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS) {
      if (before[at + 3] !== 0) put(this.#slots, before.subarray(at, at + WORDS));
    }
  }
}

function put(slots: Uint32Array, words: ArrayLike<number>): boolean {
  const mask = slots.length / WORDS - 1;
  for (let slot = words[0]! & mask; ; slot = (slot + 1) & mask) {
    const at = slot * WORDS;
    if (slots[at + 3] === 0) {
      slots.set(words, at);
      return true;
    }
    if (
      slots[at] === words[0] &&
      slots[at + 1] === words[1] &&
      slots[at + 2] === words[2] &&
      slots[at + 3] === words[3]
    )
      return false;
  }
}
