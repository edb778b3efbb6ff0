import { columnsOf, decodeIndexFile, type IndexColumns, parseJsonDocument, scanIndexFile } from '../../format/index.ts';
import type { BlobEntries } from '../blob-table.ts';
import { openDocument } from '../repository.ts';
import type { BlobOpener } from './blob-opener.ts';

/** For one file after the other: what is allocated anew for each adds up before it is given back. */
let used: IndexColumns | undefined;

/**
 * Opens an index file and puts down what it lists.
 * @param name its key in the store
 * @param sealed is used up
 * @returns its packs with the places of their first entries; undefined where there is no room
 * @throws repository-damaged, naming it
 */
export function placeIndexFile(
  opener: Pick<BlobOpener, 'openText'>,
  name: string,
  sealed: Uint8Array,
  entries: BlobEntries,
): IndexColumns['packs'] | undefined {
  return openDocument(name, sealed, () => {
    const json = opener.openText(sealed);
    const scanned = scanIndexFile(json, used);
    used = scanned ?? used;
    return entries.put(scanned ?? columnsOf(decodeIndexFile(parseJsonDocument(Buffer.from(json).toString('utf8')))));
  });
}
