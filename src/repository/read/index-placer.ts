import { columnsOf, decodeIndexFile, type IndexColumns, parseJsonDocument, scanIndexFile } from '../../format/index.ts';
import type { BlobEntries } from '../blob-table.ts';
import { openDocument } from '../repository.ts';
import type { BlobOpener } from './blob-opener.ts';

/** Opens index files one after the other, in the same memory: what is allocated anew for each adds up. */
export class IndexPlacer {
  readonly #opener: Pick<BlobOpener, 'openText'>;
  #used: IndexColumns | undefined;

  constructor(opener: Pick<BlobOpener, 'openText'>) {
    this.#opener = opener;
  }

  /**
   * Puts down what an index file lists.
   * @param name its key in the store
   * @param sealed is used up
   * @returns its packs with the places of their first entries; undefined where there is no room
   * @throws repository-damaged, naming it
   */
  place(name: string, sealed: Uint8Array, entries: BlobEntries): IndexColumns['packs'] | undefined {
    return openDocument(name, sealed, () => {
      const json = this.#opener.openText(sealed);
      const scanned = scanIndexFile(json, this.#used);
      this.#used = scanned ?? this.#used;
      return entries.put(scanned ?? columnsOf(decodeIndexFile(parseJsonDocument(Buffer.from(json).toString('utf8')))));
    });
  }
}
