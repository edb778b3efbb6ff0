import { sideBySide } from '../../../foundation/promises.ts';
import type { RawDocument } from '../codec/document-line.ts';
import { compareNames } from '../codec/names.ts';
import { ONCE, type Reading, readOrFail } from './reading.ts';

const PAGE_DOCUMENTS = 300;
/** Each document is asked for its collections: so many at once. */
const ASKED_AT_ONCE = 16;

/**
 * The documents of a collection and all below them, in the order of their names, collection by collection: what is left
 * where the server refuses a query across all of them. It takes a request for each document, and reads those that are
 * missing but have some below them.
 * @param parent the absolute name of a document, or `…/documents`
 * @throws source-unreachable, source-refused, source-lost
 */
export async function* walkCollection(
  reading: Reading,
  parent: string,
  collection: string,
): AsyncGenerator<RawDocument> {
  let pageToken = '';
  do {
    const page = await listPage(reading, parent, collection, pageToken);
    reading.meter.add(page.documents.length);
    const below = await sideBySide(page.documents, ASKED_AT_ONCE, ({ name }) => collectionsBelow(reading, name!));
    for (const [index, document] of page.documents.entries()) {
      // One that is missing has no times.
      if (document.createTime) yield document;
      for (const inner of below[index]!) yield* walkCollection(reading, document.name!, inner);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
}

interface Page {
  documents: RawDocument[];
  nextPageToken: string;
}

async function listPage(reading: Reading, parent: string, collectionId: string, pageToken: string): Promise<Page> {
  const { connection, moment } = reading;
  const { client, callOptions } = connection;
  const request = { parent, collectionId, pageToken, pageSize: PAGE_DOCUMENTS, showMissing: true };
  return readOrFail(reading, async () => {
    const timed = { ...request, readTime: moment.readTime } as object;
    const [documents, , response] = await client.listDocuments(timed, { ...ONCE, ...callOptions, autoPaginate: false });
    return { documents: documents as RawDocument[], nextPageToken: response?.nextPageToken ?? '' };
  });
}

/** The ids of the collections right below a document or `…/documents`, in order. @throws as `walkCollection` */
export async function collectionsBelow(reading: Reading, parent: string): Promise<string[]> {
  const { connection, moment, meter } = reading;
  const { client, callOptions } = connection;
  const request = { parent, readTime: moment.readTime } as object;
  const ids = await readOrFail(reading, async () => {
    const [found] = await client.listCollectionIds(request, { ...ONCE, ...callOptions });
    return found;
  });
  meter.add(1);
  return ids.sort((left, right) => compareNames(`documents/${left}`, `documents/${right}`));
}
