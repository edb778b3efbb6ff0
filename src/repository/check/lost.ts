import type { BlobType } from '../../format/index.ts';
import type { IndexedRepository } from '../indexed.ts';

/** What a check knows to be missing or damaged, so that it can say which files this concerns. */
export class Lost {
  readonly #indexed: IndexedRepository;
  /** By id, what is wrong with each, to be said behind its name. */
  readonly #packs = new Map<string, string>();
  readonly #blobs = new Set<string>();

  constructor(indexed: IndexedRepository) {
    this.#indexed = indexed;
  }

  /** @param why of the pack, to be said behind its name */
  addPack(id: string, why = 'which is damaged or missing'): void {
    this.#packs.set(id, why);
  }

  addBlob(id: string, type: BlobType): void {
    this.#blobs.add(`${type} ${id}`);
  }

  /** Why a blob cannot be relied on; undefined when nothing speaks against it. */
  reason(id: string, type: BlobType): string | undefined {
    const location = this.#indexed.table.find(Buffer.from(id, 'hex'), type);
    if (location === undefined) return 'is in no pack that the index knows';
    if (this.#blobs.has(`${type} ${id}`)) return 'is damaged';
    const pack = this.#indexed.packIds[location.packNumber]!;
    const why = this.#packs.get(pack);
    return why === undefined ? undefined : `is in pack ${pack}, ${why}`;
  }
}
