import type { RawTimestamp } from '../codec/values.ts';
import type { FirestoreConnection } from '../connection.ts';
import { CODE, codeOf } from '../failures.ts';
import { readAgain } from '../restore/transient.ts';
import { type Scope, scopeQuery } from './range.ts';
import { ONCE, type Reading, readFailure } from './reading.ts';

/** As many documents are counted for the price of one that is read. */
const COUNTED_PER_READ = 1000;
const COUNT = 'documents';

/**
 * How many documents the scopes have at the moment, by a count on the server. Undefined where the server does not count
 * across collections, or gave up because there are too many.
 * @throws source-unreachable, source-refused, source-lost
 */
export async function countDocuments(reading: Reading, scopes: readonly Scope[]): Promise<number | undefined> {
  const { connection, moment } = reading;
  let total = 0;
  for (const scope of scopes) {
    try {
      const query = scopeQuery(connection.database, scope);
      const counted = await readAgain(reading.pause, () => countQuery(connection, query, moment.readTime));
      reading.meter.add(Math.max(1, Math.ceil(counted / COUNTED_PER_READ)));
      total += counted;
    } catch (error) {
      if (!reading.signal.aborted && isNotCounted(error)) return undefined;
      throw readFailure(error, reading);
    }
  }
  return total;
}

/** How many documents a query means, now where no time is given. @throws what the client throws */
export async function countQuery(
  { client, database, callOptions }: FirestoreConnection,
  structuredQuery: object,
  readTime?: RawTimestamp,
): Promise<number> {
  const structuredAggregationQuery = { structuredQuery, aggregations: [{ alias: COUNT, count: {} }] };
  const request = { parent: `${database}/documents`, structuredAggregationQuery, ...(readTime && { readTime }) };
  const stream = client.runAggregationQuery(request as object, { ...ONCE, ...callOptions });
  let counted: number | undefined;
  for await (const { result } of stream as unknown as AsyncIterable<Counted>) {
    const value = result?.aggregateFields?.[COUNT]?.integerValue;
    if (value !== undefined && value !== null) counted = Number(String(value));
  }
  if (counted === undefined) throw Object.assign(new Error('the count was not answered'), { code: CODE.unimplemented });
  return counted;
}

interface Counted {
  result?: { aggregateFields?: Record<string, { integerValue?: unknown }> | null } | null;
}

function isNotCounted(error: unknown): boolean {
  const code = codeOf(error);
  return code === CODE.invalidArgument || code === CODE.unimplemented || code === CODE.deadlineExceeded;
}
