/** Ranges of documents in the order of their names, and the queries for them. */

/** All documents below one collection at the top, or below all of them. Names are relative to the database. */
export interface Scope {
  /** The collection's id; undefined for the whole database. */
  collection: string | undefined;
}

/** A part of a scope: from one name on, and before another. */
export interface Range extends Scope {
  from?: string;
  before?: string;
}

/** Stands before every other id of a document. */
const LOWEST_ID = '__id-9223372036854775808__';

/**
 * A query of every document of a range, in collections of any name and depth.
 * @param after the last document that was read already, as an absolute name
 */
export function rangeQuery(database: string, { collection, from, before }: Range, after?: string): object {
  const start = after === undefined ? from && `${database}/${from}` : after;
  return {
    ...scopeQuery(database, { collection }),
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
    ...(start !== undefined && { startAt: cursor(start, after === undefined) }),
    ...(before !== undefined && { endAt: cursor(`${database}/${before}`, true) }),
  };
}

/** The same without an order, to be counted. */
export function scopeQuery(database: string, { collection }: Scope): object {
  const from = [{ allDescendants: true }];
  if (collection === undefined) return { from };
  const documents = `${database}/documents`;
  // The id that follows next is the same with a zero byte behind it.
  const filters = [
    nameFilter('GREATER_THAN_OR_EQUAL', `${documents}/${collection}/${LOWEST_ID}`),
    nameFilter('LESS_THAN', `${documents}/${collection}\0/${LOWEST_ID}`),
  ];
  return { from, where: { compositeFilter: { op: 'AND', filters } } };
}

function nameFilter(op: string, referenceValue: string): object {
  return { fieldFilter: { field: { fieldPath: '__name__' }, op, value: { referenceValue } } };
}

function cursor(referenceValue: string, before: boolean): object {
  return { values: [{ referenceValue }], before };
}
