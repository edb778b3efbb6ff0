/** What a query selects: ranges of names at one time. Filters and orders are those over `__name__`; others are refused. */

import { status } from '@grpc/grpc-js';
import { type Entry, type FirestoreDatabase, versionAt } from './firestore-server-database.ts';
import type { Cursor, Filter, StructuredQuery } from './firestore-server-messages.ts';
import { checkId, compareParts, databaseNameOf, invalid, partsOf, Refusal } from './firestore-server-names.ts';

const NAME = '__name__';

/** From `from` on and before `to`, in the order of names; an end that is undefined is open. */
interface Range {
  from?: Edge;
  to?: Edge;
}

/** Just before a name, or just after it. */
interface Edge {
  parts: string[];
  isBefore: boolean;
}

export interface QueryPlan {
  parent: string[];
  collectionId: string;
  allDescendants: boolean;
  isDescending: boolean;
  range: Range;
}

/** @throws Refusal of what Firestore refuses, and of what this server does not have */
export function planQuery(database: FirestoreDatabase, parentName: string, query: StructuredQuery): QueryPlan {
  const parent = partsOf(parentName);
  const { from = [], where, orderBy = [], startAt, endAt, findNearest } = query;
  if (from.length !== 1) throw invalid('exactly one collection selector is required');
  if (findNearest !== undefined) throw unimplemented('find_nearest');
  const { collectionId = '', allDescendants = false } = from[0]!;
  if (collectionId !== '') checkId(collectionId);
  const [order, ...more] = orderBy;
  if (more.length > 0 || (order !== undefined && order.field?.fieldPath !== NAME)) {
    if (collectionId === '') throw invalid('kind is required for all orders except __key__ ascending');
    throw unimplemented(`orders by other fields than ${NAME}`);
  }
  const isDescending = order?.direction === 'DESCENDING';
  if (isDescending && collectionId === '') throw invalid('kind is required for all orders except __key__ ascending');
  if (order === undefined && (startAt?.values?.length || endAt?.values?.length)) {
    throw invalid('Cursor has too many values.');
  }
  const start = startAt && edgeOf(database, startAt);
  const end = endAt && edgeOf(database, endAt);
  const [from_, to] = isDescending ? [end && turned(end), start && turned(start)] : [start, end];
  const range = narrowed({ ...(from_ && { from: from_ }), ...(to && { to }) }, database, where, collectionId);
  return { parent, collectionId, allDescendants, isDescending, range };
}

const unimplemented = (what: string): Refusal =>
  new Refusal(status.UNIMPLEMENTED, `${what}: not a part of this server`);

function edgeOf(database: FirestoreDatabase, { values = [], before = false }: Cursor): Edge | undefined {
  if (values.length === 0) return undefined;
  if (values.length > 1) throw invalid('Cursor has too many values.');
  return { parts: referencedParts(database, values[0]!.referenceValue), isBefore: before };
}

function referencedParts(database: FirestoreDatabase, reference: string | undefined): string[] {
  if (reference === undefined) throw invalid(`${NAME} is compared with a reference only`);
  if (databaseNameOf(reference) !== database.name) throw invalid(`"${reference}" is not of this database`);
  return partsOf(reference);
}

/** In a descending query `before` is meant in the query's own order. */
function turned({ parts, isBefore }: Edge): Edge {
  return { parts, isBefore: !isBefore };
}

function narrowed(range: Range, database: FirestoreDatabase, filter: Filter | undefined, collectionId: string): Range {
  if (filter === undefined) return range;
  if (filter.compositeFilter !== undefined) {
    if (filter.compositeFilter.op !== 'AND') throw unimplemented('OR');
    const filters = filter.compositeFilter.filters ?? [];
    return filters.reduce((narrow, inner) => narrowed(narrow, database, inner, collectionId), range);
  }
  const { field, op, value } = filter.fieldFilter ?? {};
  if (field?.fieldPath !== NAME) {
    if (collectionId === '') throw invalid(`kind is required for filter: ${field?.fieldPath}`);
    throw unimplemented(`filters of other fields than ${NAME}`);
  }
  const parts = referencedParts(database, value?.referenceValue);
  const [before, after]: Edge[] = [
    { parts, isBefore: true },
    { parts, isBefore: false },
  ];
  switch (op) {
    case 'GREATER_THAN_OR_EQUAL':
      return intersected(range, { from: before! });
    case 'GREATER_THAN':
      return intersected(range, { from: after! });
    case 'LESS_THAN':
      return intersected(range, { to: before! });
    case 'LESS_THAN_OR_EQUAL':
      return intersected(range, { to: after! });
    case 'EQUAL':
      return intersected(range, { from: before!, to: after! });
    default:
      throw unimplemented(`the operator ${op}`);
  }
}

function intersected(one: Range, other: Range): Range {
  const from = extreme(one.from, other.from, 1);
  const to = extreme(one.to, other.to, -1);
  return { ...(from && { from }), ...(to && { to }) };
}

function extreme(one: Edge | undefined, other: Edge | undefined, sign: 1 | -1): Edge | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return compareEdges(one, other) * sign >= 0 ? one : other;
}

function compareEdges(one: Edge, other: Edge): number {
  return compareParts(one.parts, other.parts) || Number(other.isBefore) - Number(one.isBefore);
}

/** The entries that the query selects and that exist at the time, in its order. */
export function* selected(database: FirestoreDatabase, plan: QueryPlan, micros: number): Generator<Entry> {
  const { entries } = database;
  const [first, last] = bounds(entries, plan);
  const { isDescending } = plan;
  for (
    let index = isDescending ? last - 1 : first;
    isDescending ? index >= first : index < last;
    index += isDescending ? -1 : 1
  ) {
    const entry = entries[index]!;
    if (isSelected(entry, plan) && versionAt(entry, micros)?.document !== undefined) yield entry;
  }
}

function bounds(entries: readonly Entry[], { parent, range }: QueryPlan): [number, number] {
  // A document's descendants follow it and precede what begins with a greater name.
  let first = parent.length === 0 ? 0 : lowerBound(entries, { parts: parent, isBefore: false });
  let last = entries.length;
  if (parent.length > 0) {
    last = first;
    while (last < entries.length && startsWith(entries[last]!.parts, parent)) last++;
  }
  if (range.from !== undefined) first = Math.max(first, lowerBound(entries, range.from));
  if (range.to !== undefined) last = Math.min(last, lowerBound(entries, range.to));
  return [first, last];
}

/** The first entry that stands after the edge. */
export function lowerBound(entries: readonly Entry[], { parts, isBefore }: Edge): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareParts(entries[middle]!.parts, parts);
    if (order < 0 || (order === 0 && !isBefore)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function startsWith(parts: readonly string[], prefix: readonly string[]): boolean {
  return parts.length > prefix.length && prefix.every((part, index) => part === parts[index]);
}

function isSelected({ parts }: Entry, { parent, collectionId, allDescendants }: QueryPlan): boolean {
  if (!startsWith(parts, parent) && parent.length > 0) return false;
  if (!allDescendants && parts.length !== parent.length + 2) return false;
  return collectionId === '' || parts.at(-2) === collectionId;
}

/**
 * Names that part what the query selects into ranges of like size, without the first: never more than `count`, and none
 * where there are fewer documents than are worth it.
 * @throws Refusal of a query that is more than a collection group ordered by name
 */
export function partitionPoints(
  database: FirestoreDatabase,
  parentName: string,
  query: StructuredQuery,
  options: { count: number; micros: number; documentsPerPartition: number; kindless: boolean },
): string[] {
  const { from = [], where, orderBy = [], startAt, endAt, offset, limit } = query;
  if (partsOf(parentName).length > 0) throw invalid('Partition queries are only supported on the database root.');
  if (!(options.count > 0)) throw invalid('The partition count must be positive.');
  if (from.length !== 1 || from[0]!.allDescendants !== true || (!options.kindless && !from[0]!.collectionId)) {
    throw invalid('Partition queries must specify a collection with all descendants.');
  }
  if (orderBy.length !== 1 || orderBy[0]!.field?.fieldPath !== NAME || orderBy[0]!.direction !== 'ASCENDING') {
    throw invalid(`Partition queries must be ordered by ${NAME} ascending.`);
  }
  if (where || startAt || endAt || offset || limit) {
    throw invalid('Partition queries support no filters, cursors, offsets and limits.');
  }
  const names = [...selected(database, planQuery(database, parentName, query), options.micros)].map(({ name }) => name);
  const parts = Math.min(options.count + 1, Math.floor(names.length / options.documentsPerPartition));
  if (parts < 2) return [];
  return Array.from({ length: parts - 1 }, (_, index) => names[Math.floor(((index + 1) * names.length) / parts)]!);
}
