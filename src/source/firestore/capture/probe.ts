/** What is asked of the data interface before everything is read. */

import type { RawTimestamp } from '../codec/values.ts';
import type { FirestoreConnection } from '../connection.ts';
import { CODE, codeOf } from '../failures.ts';
import { readAgain } from '../restore/transient.ts';
import { type Scope, scopeQuery } from './range.ts';
import { ONCE, type Reading, readFailure } from './reading.ts';

/** There need be no such document. */
const ANY_DOCUMENT = 'documents/holdfast/now';

/** The server's present, for the price of one read. @throws what the client throws; UNKNOWN of a server that does not say it */
export async function serverNow({ client, database, callOptions }: FirestoreConnection): Promise<RawTimestamp> {
  const request = { database, documents: [`${database}/${ANY_DOCUMENT}`], mask: { fieldPaths: [] } };
  const stream = client.batchGetDocuments(request, { ...ONCE, ...callOptions });
  let now: RawTimestamp | undefined;
  for await (const { readTime } of stream as unknown as AsyncIterable<{ readTime?: RawTimestamp | null }>) {
    now ??= readTime ?? undefined;
  }
  if (now !== undefined) return now;
  throw Object.assign(new Error('the server does not say its time'), { code: CODE.unknown });
}

/**
 * Whether the server answers one query over collections of any name, which is what spares a request for each document.
 * @throws source-unreachable, source-refused, source-lost
 */
export async function answersAcross(reading: Reading, scope: Scope): Promise<boolean> {
  const { client, database, callOptions } = reading.connection;
  const structuredQuery = {
    ...scopeQuery(database, scope),
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
    select: { fields: [{ fieldPath: '__name__' }] },
    limit: { value: 1 },
  };
  const request = { parent: `${database}/documents`, structuredQuery, readTime: reading.moment.readTime } as object;
  try {
    await readAgain(reading.pause, async () => {
      for await (const _ of client.runQuery(request, { ...ONCE, ...callOptions })) reading.meter.add(1);
    });
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (!reading.signal.aborted && (code === CODE.invalidArgument || code === CODE.unimplemented)) return false;
    throw readFailure(error, reading);
  }
}
