/** The methods of `google.firestore.v1.Firestore`. */

import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { type Entry, type FirestoreDatabase, versionAt } from './firestore-server-database.ts';
import { projected } from './firestore-server-fields.ts';
import { collectionIds, listed } from './firestore-server-lists.ts';
import type { Consistency, Document, Mask, Precondition, StructuredQuery, Write } from './firestore-server-messages.ts';
import { timestampOf } from './firestore-server-messages.ts';
import { databaseNameOf, invalid, partsOf, Refusal } from './firestore-server-names.ts';
import { loadService, type Methods } from './firestore-server-protos.ts';
import { partitionPoints, planQuery, selected } from './firestore-server-query.ts';
import type { ServerState } from './firestore-server-state.ts';

const PAGE_LIMIT = 300;
const PAGE_LIMIT_BYTES = 10 * 1024 * 1024;
/** As many index entries are counted for one read. */
const COUNTED_PER_READ = 1000;

export function dataService(server: ServerState): Methods {
  return { ...documentMethods(server), ...listMethods(server), ...queryMethods(server), ...writeMethods(server) };
}

const { GetDocument: getDocument, RunQuery: runQuery } = loadService('v1', 'google.firestore.v1.Firestore');

function documentMethods(server: ServerState): Methods {
  return {
    GetDocument: ({ name, mask, ...consistency }: GetDocument) => {
      const database = server.databaseOf(name);
      database.reads++;
      const document = database.at(name, database.readMicros(consistency));
      if (document === undefined) throw new Refusal(status.NOT_FOUND, `Document "${name}" not found.`);
      return withMask(document, mask);
    },

    *BatchGetDocuments({ database: of, documents = [], mask, ...consistency }: BatchGetDocuments) {
      const database = server.databaseOf(of);
      const micros = database.readMicros(consistency);
      const readTime = timestampOf(micros);
      for (const name of documents) {
        if (databaseNameOf(name) !== database.name) throw invalid(`"${name}" is not of the database "${of}".`);
        database.reads++;
        const found = database.at(name, micros);
        yield found === undefined ? { missing: name, readTime } : { found: withMask(found, mask), readTime };
      }
    },
  };
}

function listMethods(server: ServerState): Methods {
  return {
    ListDocuments: (request: ListDocuments) => listDocuments(server, request),

    ListCollectionIds: ({ parent, pageSize = 0, pageToken, ...consistency }: ListCollectionIds) => {
      const database = server.databaseOf(parent);
      database.reads++;
      const ids = collectionIds(database, partsOf(parent), database.readMicros(consistency));
      const { page, nextPageToken } = paged(ids, pageSize || PAGE_LIMIT, pageToken);
      return { collectionIds: page, ...(nextPageToken && { nextPageToken }) };
    },

    PartitionQuery: ({ parent, structuredQuery = {}, partitionCount = 0, ...request }: PartitionQuery) => {
      const database = server.databaseOf(parent);
      const points = partitionPoints(database, parent, structuredQuery, {
        count: Number(partitionCount),
        micros: database.readMicros(request),
        documentsPerPartition: server.options.documentsPerPartition,
        kindless: server.options.kindlessPartitions,
      });
      database.reads += Math.max(1, points.length);
      return interleavedPage(points, request.pageSize ?? 0, request.pageToken);
    },
  };
}

function queryMethods(server: ServerState): Methods {
  const allow = ({ from }: StructuredQuery): void => {
    if (!from?.[0]?.collectionId && !server.options.kindlessQueries) throw invalid('a collection is required');
  };
  return {
    *RunQuery({ parent, structuredQuery = {}, ...consistency }: RunQuery) {
      const database = server.databaseOf(parent);
      allow(structuredQuery);
      const micros = database.readMicros(consistency);
      const readTime = timestampOf(micros);
      const suffix = encodeResponse({ readTime });
      let sent = 0;
      for (const item of windowed(database, parent, structuredQuery, micros)) {
        database.reads += 'skipped' in item ? item.skipped : 1;
        sent++;
        if ('skipped' in item) yield encodeResponse({ skippedResults: item.skipped, readTime });
        else {
          const encoded = encodedDocument(item.entry, micros, structuredQuery);
          yield Buffer.concat([messageHeader(encoded.length), encoded, suffix]);
        }
      }
      if (sent > 0) return;
      database.reads++;
      yield suffix;
    },

    *RunAggregationQuery({ parent, structuredAggregationQuery, ...consistency }: RunAggregationQuery) {
      const database = server.databaseOf(parent);
      const micros = database.readMicros(consistency);
      const { structuredQuery = {}, aggregations = [] } = structuredAggregationQuery ?? {};
      allow(structuredQuery);
      let count = 0;
      for (const item of windowed(database, parent, structuredQuery, micros)) if ('entry' in item) count++;
      const aggregateFields: Record<string, unknown> = {};
      for (const [index, { alias, count: counting }] of aggregations.entries()) {
        if (counting === undefined) throw new Refusal(status.UNIMPLEMENTED, 'aggregations other than count');
        const upTo = counting.upTo?.value;
        aggregateFields[alias || `field_${index + 1}`] = {
          integerValue: `${upTo === undefined ? count : Math.min(count, Number(upTo))}`,
        };
      }
      database.reads += Math.max(1, Math.ceil(count / COUNTED_PER_READ));
      yield { result: { aggregateFields }, readTime: timestampOf(micros) };
    },
  };
}

function writeMethods(server: ServerState): Methods {
  return {
    Commit: ({ database, writes = [], transaction }: { database: string; writes?: Write[]; transaction?: Buffer }) => {
      if (transaction?.length) throw new Refusal(status.UNIMPLEMENTED, 'transactions are not part of this server');
      const { commitMicros, results } = server.databaseOf(database).commit(writes);
      return { writeResults: results, commitTime: timestampOf(commitMicros) };
    },

    BatchWrite: ({ database, writes = [] }: { database: string; writes?: Write[] }) => {
      const results = server.databaseOf(database).batchWrite(writes);
      return {
        writeResults: results.map(({ result }) => result),
        status: results.map(({ refusal }) =>
          refusal ? { code: refusal.code, message: refusal.details } : { code: 0 },
        ),
      };
    },

    CreateDocument: ({ parent, collectionId, documentId, document, mask }: CreateDocument) => {
      const name = `${parent}/${collectionId}/${documentId || randomBytes(15).toString('base64url')}`;
      const database = server.databaseOf(parent);
      const { commitMicros } = database.commit([{ update: { ...document, name }, currentDocument: { exists: false } }]);
      return withMask(database.at(name, commitMicros)!, mask);
    },

    UpdateDocument: ({ document, updateMask, mask, currentDocument }: UpdateDocument) => {
      const database = server.databaseOf(document.name);
      const write = {
        update: document,
        ...(updateMask && { updateMask }),
        ...(currentDocument && { currentDocument }),
      };
      const { commitMicros } = database.commit([write]);
      return withMask(database.at(document.name, commitMicros)!, mask);
    },

    DeleteDocument: ({ name, currentDocument }: { name: string; currentDocument?: Precondition }) => {
      server.databaseOf(name).commit([{ delete: name, ...(currentDocument && { currentDocument }) }]);
      return {};
    },
  };
}

function encodeDocument(document: Document): Buffer {
  return getDocument!.responseSerialize(document as object);
}

function encodeResponse(response: object): Buffer {
  return runQuery!.responseSerialize(response);
}

function encodedDocument(entry: Entry, micros: number, { select }: StructuredQuery): Buffer {
  const version = versionAt(entry, micros)!;
  if (select !== undefined) {
    const fieldPaths = (select.fields ?? []).map(({ fieldPath }) => fieldPath ?? '');
    return encodeDocument(withMask(version.document!, { fieldPaths }));
  }
  version.encoded ??= encodeDocument(version.document!);
  return version.encoded;
}

interface GetDocument extends Consistency {
  name: string;
  mask?: Mask;
}

interface BatchGetDocuments extends Consistency {
  database: string;
  documents?: string[];
  mask?: Mask;
}

interface ListCollectionIds extends Consistency {
  parent: string;
  pageSize?: number;
  pageToken?: string;
}

interface RunQuery extends Consistency {
  parent: string;
  structuredQuery?: StructuredQuery;
}

interface ListDocuments extends Consistency {
  parent: string;
  collectionId?: string;
  pageSize?: number;
  pageToken?: string;
  orderBy?: string;
  mask?: Mask;
  showMissing?: boolean;
}

interface RunAggregationQuery extends Consistency {
  parent: string;
  structuredAggregationQuery?: {
    structuredQuery?: StructuredQuery;
    aggregations?: { alias?: string; count?: { upTo?: { value?: string } } }[];
  };
}

interface PartitionQuery extends Consistency {
  parent: string;
  structuredQuery?: StructuredQuery;
  partitionCount?: string | number;
  pageSize?: number;
  pageToken?: string;
}

interface CreateDocument {
  parent: string;
  collectionId: string;
  documentId?: string;
  document?: Document;
  mask?: Mask;
}

interface UpdateDocument {
  document: Document;
  updateMask?: Mask;
  mask?: Mask;
  currentDocument?: Precondition;
}

function listDocuments(server: ServerState, request: ListDocuments): object {
  const { parent, collectionId = '', pageSize = 0, pageToken, orderBy = '', mask, showMissing = false } = request;
  if (showMissing && orderBy !== '') throw invalid('show_missing and order_by cannot be used together.');
  const direction = /^(?:__name__(?: (asc|desc))?)?$/i.exec(orderBy);
  if (direction === null) throw new Refusal(status.UNIMPLEMENTED, `order_by "${orderBy}": not a part of this server`);
  const database = server.databaseOf(parent);
  const micros = database.readMicros(request);
  const found = listed(database, partsOf(parent), { collectionId, showMissing, micros });
  if (direction[1]?.toLowerCase() === 'desc') found.reverse();
  const { page, nextPageToken } = paged(found, Math.min(pageSize || PAGE_LIMIT, PAGE_LIMIT), pageToken);
  const documents: Document[] = [];
  let sizeBytes = 0;
  for (const { id, entry, collectionId: collection } of page) {
    const document = entry && versionAt(entry, micros)!.document!;
    sizeBytes += document === undefined ? 0 : JSON.stringify(document.fields).length;
    if (sizeBytes > PAGE_LIMIT_BYTES && documents.length > 0) break;
    database.reads++;
    documents.push(document === undefined ? { name: `${parent}/${collection}/${id}` } : withMask(document, mask));
  }
  const isCut = documents.length < page.length;
  const next = isCut ? `${Number(pageToken || 0) + documents.length}` : nextPageToken;
  return { documents, ...(next && { nextPageToken: next }) };
}

function paged<T>(all: readonly T[], size: number, token: string | undefined): { page: T[]; nextPageToken?: string } {
  const start = Number(token || 0);
  if (!Number.isInteger(start)) throw invalid('Invalid page token.');
  const page = all.slice(start, start + size);
  return start + size < all.length ? { page, nextPageToken: `${start + size}` } : { page };
}

/** Ordered within a page, and not from page to page, as the documentation says. */
function interleavedPage(points: readonly string[], size: number, token: string | undefined): object {
  const pages = size > 0 ? Math.ceil(points.length / size) : 1;
  const page = Number(token || 0);
  const partitions = points
    .filter((_, index) => index % pages === page)
    .map((referenceValue) => ({ values: [{ referenceValue }], before: true }));
  return { partitions, ...(page + 1 < pages && { nextPageToken: `${page + 1}` }) };
}

/** What offset and limit leave of what the query selects. */
function* windowed(
  database: FirestoreDatabase,
  parent: string,
  query: StructuredQuery,
  micros: number,
): Generator<{ skipped: number } | { entry: Entry }> {
  const { offset = 0, limit } = query;
  if (offset < 0) throw invalid('offset must not be negative');
  if (limit?.value !== undefined && limit.value < 0) throw invalid('limit must not be negative');
  let [skipped, left] = [0, limit === undefined ? Number.POSITIVE_INFINITY : (limit.value ?? 0)];
  for (const entry of selected(database, planQuery(database, parent, query), micros)) {
    if (skipped < offset) {
      skipped++;
      continue;
    }
    if (skipped === offset && offset > 0 && left === (limit?.value ?? Number.POSITIVE_INFINITY)) yield { skipped };
    if (left-- <= 0) return;
    yield { entry };
  }
}

function withMask(document: Document, mask: Mask | undefined): Document {
  if (mask === undefined) return document;
  const paths = (mask.fieldPaths ?? []).filter((path) => path !== '__name__');
  return { ...document, fields: projected(document.fields ?? {}, paths) };
}

/** Field 1, a message of that length. */
function messageHeader(length: number): Buffer {
  const bytes = [0x0a];
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
