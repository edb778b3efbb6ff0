import type { Pause } from '../../../foundation/pause.ts';
import { ONCE } from '../capture/reading.ts';
import type { RawDocument } from '../codec/document-line.ts';
import type { RawTimestamp } from '../codec/values.ts';
import type { FirestoreConnection } from '../connection.ts';
import { codeOf, firestoreFailure, type Side } from '../failures.ts';
import { isTransient, MAX_ATTEMPTS, readAgain, waitMs } from './transient.ts';

export interface LivingContext {
  pause: Pause;
  signal: AbortSignal;
  /** Whether the database is a plan's own or where a restore goes. */
  side: Side;
}

/**
 * All documents of a database at one moment, in the order of `compareNames`. A stream that breaks goes on where it was.
 * @throws source-unreachable, source-refused; target-failed
 */
export async function* livingDocuments(
  { client, database, callOptions }: FirestoreConnection,
  { pause, signal, side }: LivingContext,
): AsyncGenerator<RawDocument> {
  let last: string | undefined;
  let readTime: RawTimestamp | undefined;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    const query = {
      from: [{ allDescendants: true }],
      orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' as const }],
      ...(last !== undefined && { startAt: { values: [{ referenceValue: last }], before: false } }),
    };
    const request = { parent: `${database}/documents`, structuredQuery: query, ...(readTime && { readTime }) };
    try {
      for await (const response of client.runQuery(request as object, {
        ...ONCE,
        ...callOptions,
      }) as AsyncIterable<QueryResponse>) {
        signal.throwIfAborted();
        readTime ??= response.readTime ?? undefined;
        if (!response.document) continue;
        yield response.document;
        last = response.document.name!;
        attempt = 1;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isTransient(codeOf(error)) || attempt >= MAX_ATTEMPTS) throw firestoreFailure(error, database, side);
      await pause(waitMs(attempt));
    }
  }
}

interface QueryResponse {
  document?: RawDocument | null;
  readTime?: RawTimestamp | null;
}

/**
 * The documents of these names as they are now, by name; what is not there is left out.
 * @param names absolute, at most a few hundred
 * @throws source-unreachable, source-refused; target-failed
 */
export async function fetchDocuments(
  { client, database, callOptions }: FirestoreConnection,
  names: readonly string[],
  { pause, side }: LivingContext,
): Promise<Map<string, RawDocument>> {
  try {
    return await readAgain(pause, async () => {
      const found = new Map<string, RawDocument>();
      let answers = 0;
      const request = { database, documents: names } as object;
      for await (const response of client.batchGetDocuments(request, {
        ...ONCE,
        ...callOptions,
      }) as AsyncIterable<BatchGetResponse>) {
        if (response.found) found.set(response.found.name!, response.found);
        if (response.found || response.missing) answers++;
      }
      if (answers === names.length) return found;
      throw Object.assign(new Error(`${answers} of ${names.length} documents were answered`), { code: 13 });
    });
  } catch (error) {
    throw firestoreFailure(error, database, side);
  }
}

interface BatchGetResponse {
  found?: RawDocument | null;
  missing?: string | null;
}

/** The ids of the collections at the top of a database: none where it is empty. @throws as `fetchDocuments` */
export async function topCollections(
  { client, database, callOptions }: FirestoreConnection,
  { pause, side }: LivingContext,
): Promise<string[]> {
  try {
    return await readAgain(pause, async () => {
      const [ids] = await client.listCollectionIds({ parent: `${database}/documents` }, { ...ONCE, ...callOptions });
      return ids;
    });
  } catch (error) {
    throw firestoreFailure(error, database, side);
  }
}
