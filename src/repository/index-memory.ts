import { FIELDS, ID_BYTES, type IndexColumns } from '../format/index.ts';

/** Some 190,000 blobs: an index that is larger is read by several threads, and grows by less than it is. */
const MOST_BYTES = 8 * 1024 * 1024;

/**
 * What index files list, for a process that loads the index again and again: a file never changes, and is read once. Whether
 * it is there, a listing tells each time.
 */
export class IndexMemory {
  readonly #limitBytes: number;
  /** By key. */
  readonly #files = new Map<string, IndexColumns>();
  #bytes = 0;

  constructor(limitBytes = MOST_BYTES) {
    this.#limitBytes = limitBytes;
  }

  /** What a file lists, which nobody may change; undefined where it is to be read. */
  columnsOf(key: string): IndexColumns | undefined {
    return this.#files.get(key);
  }

  /** Takes a copy of what a file lists, where there is room for it. */
  keep(key: string, { ids, fields, count, packs }: IndexColumns): void {
    const sizeBytes = bytesOf(count);
    if (this.#files.has(key) || this.#bytes + sizeBytes > this.#limitBytes) return;
    this.#bytes += sizeBytes;
    this.#files.set(key, {
      packs,
      ids: ids.slice(0, count * ID_BYTES),
      fields: fields.slice(0, count * FIELDS),
      count,
    });
  }

  /** Forgets all files but these. */
  forgetOthers(keys: readonly string[]): void {
    const listed = new Set(keys);
    for (const [key, { count }] of this.#files) {
      if (listed.has(key)) continue;
      this.#files.delete(key);
      this.#bytes -= bytesOf(count);
    }
  }
}

function bytesOf(count: number): number {
  return count * (ID_BYTES + FIELDS * Uint32Array.BYTES_PER_ELEMENT);
}
