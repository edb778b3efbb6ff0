/** Damage to what lies in a store. */

import { MemoryStore } from '../../src/store/memory/index.ts';

/** A store with the same objects, which may be damaged without the other one knowing. */
export function copyOfStore(original: MemoryStore): MemoryStore {
  const store = new MemoryStore();
  for (const [key, { bytes, modifiedMs }] of original.objects) {
    store.objects.set(key, { bytes: Buffer.from(bytes), modifiedMs });
  }
  return store;
}

/** Changes a bit of a byte. */
export function flip(store: MemoryStore, key: string, at: number): void {
  store.objects.get(key)!.bytes[at]! ^= 4;
}

/** Leaves the first bytes only. */
export function cut(store: MemoryStore, key: string, length: number): void {
  const object = store.objects.get(key)!;
  object.bytes = object.bytes.subarray(0, length);
}

/** What a link to it holds cannot be read: the system answers for memory that no program has as it does for a bad sector. */
export const BAD_SECTOR = '/proc/self/mem';
