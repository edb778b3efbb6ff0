import type { Comparison, Discrepancy } from '../index.ts';
import type { DatabaseComparison } from './compare-database.ts';
import type { SchemaDifference } from './compare-schema.ts';
import type { TableComparison } from './compare-tables.ts';

/** What differs between a snapshot and a database, one by one: tables first, then whatever else a schema has. */
export function discrepanciesOf({ schema, tables, largeObjects, emptied }: DatabaseComparison): Comparison {
  const ofTables = tables.flatMap(ofTable);
  // A table that only one side has is named once.
  const onOneSide = new Set(
    tables.filter(({ expected, found }) => !expected || !found).map(({ schemaEntry }) => schemaEntry),
  );
  const reordered = tables.filter(({ found }) => found?.isReordered).map(({ name }) => name);
  const others = schema.differences.filter(({ name }) => !onOneSide.has(name));
  return {
    compared: tables.length,
    differences: [...ofTables, ...others.map(ofSchema), ...ofLargeObjects(largeObjects)],
    notes: [
      ...(schema.withoutTexts === undefined
        ? []
        : [`definitions were compared by name and owner: ${schema.withoutTexts}`]),
      ...(reordered.length === 0
        ? []
        : [`columns of ${reordered.join(', ')} are in another order, as a restore gives those that are inherited`]),
      ...(emptied.length === 0
        ? []
        : [`the rows of ${emptied.join(', ')} were not compared: an unlogged table has none after a recovery`]),
    ],
  };
}

function ofTable({ name, expected, found }: TableComparison): Discrepancy[] {
  const item = `table ${name}`;
  if (found === undefined)
    return [{ item, kind: 'missing', detail: `is missing: the snapshot has ${rowsOf(expected!.rows)}` }];
  if (expected === undefined)
    return [{ item, kind: 'extra', detail: `is not in the snapshot: it has ${rowsOf(found.rows)}` }];
  const rows = { snapshot: expected.rows, found: found.rows };
  const differences: Discrepancy[] = [];
  if (!found.sameColumns)
    differences.push({ item, kind: 'definition', detail: columnsDetail(expected.columns, found.columns) });
  if (found.rows !== expected.rows) {
    const count = Math.abs(found.rows - expected.rows);
    const how = found.rows > expected.rows ? 'more' : 'fewer';
    const detail = `has ${rowsOf(found.rows)}, ${count.toLocaleString('en')} ${how} than the snapshot`;
    differences.push({ item, kind: 'rows', detail, rows });
  } else if (found.digest === undefined) {
    const detail = `has as many rows as the snapshot, ${rowsOf(found.rows)}; their contents cannot be compared without these columns`;
    differences.push({ item, kind: 'content', detail, rows });
  } else if (found.digest !== expected.digest) {
    const detail = `has as many rows as the snapshot, ${rowsOf(found.rows)}, and other contents`;
    differences.push({ item, kind: 'content', detail, rows });
  }
  return differences;
}

function columnsDetail(expected: readonly string[], found: readonly string[]): string {
  const added = found.filter((name) => !expected.includes(name));
  const gone = expected.filter((name) => !found.includes(name));
  return [
    ...(gone.length > 0 ? [`lacks the column ${gone.join(', ')}`] : []),
    ...(added.length > 0 ? [`has the column ${added.join(', ')}, which the snapshot has not`] : []),
  ].join('; ');
}

function ofSchema({ name, kind }: SchemaDifference): Discrepancy {
  if (kind === 'missing') return { item: name, kind, detail: 'is missing' };
  if (kind === 'extra') return { item: name, kind, detail: 'is not in the snapshot' };
  if (name.startsWith('SEQUENCE SET ')) return { item: name, kind: 'content', detail: 'has another value' };
  return { item: name, kind: 'definition', detail: 'is defined otherwise' };
}

function ofLargeObjects({ expected, found }: DatabaseComparison['largeObjects']): Discrepancy[] {
  if (expected.count === found.count && expected.digest === found.digest) return [];
  const item = 'large objects';
  const rows = { snapshot: expected.count, found: found.count };
  if (expected.count === found.count) {
    return [{ item, kind: 'content', detail: `are ${found.count}, as in the snapshot, with other contents`, rows }];
  }
  return [{ item, kind: 'rows', detail: `are ${found.count}, the snapshot has ${expected.count}`, rows }];
}

function rowsOf(count: number): string {
  return `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}`;
}
