import { columnsOf, decodeIndexFile, type IndexColumns, parseJsonDocument, scanIndexFile } from '../../format/index.ts';
import { openDocument } from '../repository.ts';
import type { BlobOpener } from './blob-opener.ts';

/** Opens index files one after the other, in the same memory: what is allocated anew for each adds up. */
export class IndexScanner {
  readonly #opener: Pick<BlobOpener, 'openText'>;
  #used: IndexColumns | undefined;

  constructor(opener: Pick<BlobOpener, 'openText'>) {
    this.#opener = opener;
  }

  /**
   * What an index file lists, valid until the next call.
   * @param name its key in the store
   * @param sealed is used up
   * @throws repository-damaged, naming it
   */
  scan(name: string, sealed: Uint8Array): IndexColumns {
    return openDocument(name, sealed, () => {
      const json = this.#opener.openText(sealed);
      const scanned = scanIndexFile(json, this.#used);
      this.#used = scanned ?? this.#used;
      return scanned ?? columnsOf(decodeIndexFile(parseJsonDocument(Buffer.from(json).toString('utf8'))));
    });
  }
}
