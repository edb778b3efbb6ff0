import type { RestoreContext } from '../index.ts';
import { countedOf } from './capture-tables.ts';
import { copyOut } from './copy-out.ts';
import type { TableDetails } from './details.ts';
import type { Side } from './failures.ts';
import { quoteIdentifier } from './identifiers.ts';
import type { Location } from './location.ts';
import { RowDigest } from './row-digest.ts';
import { Session } from './session.ts';
import { type ExportedSnapshot, joinSnapshot, lockAtOnce, type SourceTable } from './snapshot.ts';
import { copyOutStatement } from './table-parts.ts';

const CONNECTIONS = 3;

/** What is to be found of a table. */
export interface ExpectedTable extends Omit<TableDetails, 'file'> {
  /** It has lost its rows, as an unlogged table does in a recovery: they say nothing of the table elsewhere. */
  isEmptied?: boolean;
}

/** A table of the snapshot, of the database, or of both. */
export interface TableComparison {
  /** Schema and name, for people. */
  name: string;
  /** What the comparison of definitions calls it. */
  schemaEntry: string;
  /** What the snapshot has. */
  expected?: Pick<ExpectedTable, 'rows' | 'digest' | 'columns'>;
  /** What the database has. */
  found?: FoundTable;
}

export interface FoundTable {
  rows: number;
  /** Of the columns that the snapshot has; undefined where one of them is gone, so that rows were only counted. */
  digest?: string;
  columns: string[];
  /** Whether the columns are the snapshot's, in whatever order. */
  sameColumns: boolean;
  /** Whether they are in another order, as a child's are when it and its parents are made anew. */
  isReordered?: boolean;
}

export interface TableWork {
  /** Has every table locked, and exported the moment that is looked at. */
  main: Session;
  location: Location;
  side: Side;
  exported: ExportedSnapshot;
  /** In which rows are read: digests of the same rows are equal in the same one only. */
  encoding: string;
  context: RestoreContext;
}

interface Reading {
  index: number;
  /** Those that are read. */
  columns: readonly string[];
  bytes: number;
  table: SourceTable;
}

/** Counts and digests every table of the snapshot in the database, over several connections that read one moment. */
export async function compareTables(expected: readonly ExpectedTable[], work: TableWork): Promise<TableComparison[]> {
  const { exported, context } = work;
  const byName = new Map(exported.tables.map((table) => [keyOf(table), table]));
  const compared: TableComparison[] = expected.map((table) => ({ ...namesOf(table), expected: table }));
  const readings: Reading[] = [];
  for (const [index, { columns, bytes, rows, digest, isEmptied, ...name }] of expected.entries()) {
    const table = byName.get(keyOf(name));
    if (table === undefined) continue;
    if (isEmptied === true) compared[index]!.found = { rows, digest, ...columnsOf(table, columns) };
    else readings.push({ index, columns, bytes, table });
  }
  context.progress.phase('comparing rows', totals(readings));
  await readAll(work, readings, (index, table) => {
    compared[index]!.found = table;
  });
  const names = new Set(expected.map(keyOf));
  const extra = exported.tables.filter((table) => !names.has(keyOf(table)));
  for (const table of extra) {
    const { qualified, columns } = table;
    const rows = await countRows(work.main, qualified);
    compared.push({ ...namesOf(table), found: { rows, columns, sameColumns: false } });
  }
  return compared;
}

/** Counts and digests every table of a database, by name, so that another one can be held against it. */
export async function digestTables(work: TableWork): Promise<ExpectedTable[]> {
  const { exported, context } = work;
  const readings = exported.tables.map(
    (table, index): Reading => ({ index, columns: table.columns, bytes: table.sizeBytes, table }),
  );
  context.progress.phase('reading rows', totals(readings));
  const tables: ExpectedTable[] = new Array(readings.length);
  await readAll(work, readings, (index, { rows, digest = '' }) => {
    const { schema, name, columns, sizeBytes, isUnlogged } = exported.tables[index]!;
    tables[index] = { schema, name, rows, bytes: sizeBytes, digest, columns, isEmptied: isUnlogged };
  });
  return tables.sort((a, b) => (`${a.schema}.${a.name}` < `${b.schema}.${b.name}` ? -1 : 1));
}

function totals(readings: readonly Reading[]): { bytes: number; items: number } {
  return { bytes: readings.reduce((sum, { bytes }) => sum + bytes, 0), items: readings.length };
}

async function readAll(
  work: TableWork,
  readings: readonly Reading[],
  take: (index: number, table: FoundTable) => void,
): Promise<void> {
  const passed: Reading[] = [];
  await readSideBySide(
    work,
    readings.toSorted((a, b) => b.bytes - a.bytes),
    passed,
    take,
  );
  // What somebody else waits to lock can only be read by the session that has it locked already.
  for (const reading of passed) take(reading.index, await readTable(work.main, reading, work));
}

async function readSideBySide(
  work: TableWork,
  queue: Reading[],
  passed: Reading[],
  take: (index: number, table: FoundTable) => void,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([work.context.signal, failed.signal]);
  const one = async (): Promise<void> => {
    try {
      const session = await Session.open(work.location, { side: work.side, signal });
      try {
        await joinSnapshot(session, work.exported.id);
        for (let reading = queue.shift(); reading !== undefined; reading = queue.shift()) {
          if (await lockAtOnce(session, reading.table)) take(reading.index, await readTable(session, reading, work));
          else passed.push(reading);
        }
      } finally {
        await session.close();
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(CONNECTIONS, queue.length) }, one));
  for (const result of results) if (result.status === 'rejected') throw failed.signal.reason ?? result.reason;
}

type FoundColumns = Pick<FoundTable, 'columns' | 'sameColumns' | 'isReordered'>;

function columnsOf({ columns }: SourceTable, expected: readonly string[]): FoundColumns {
  const sameColumns = columns.toSorted().join('\0') === expected.toSorted().join('\0');
  return { columns, sameColumns, isReordered: sameColumns && columns.join('\0') !== expected.join('\0') };
}

async function readTable(
  session: Session,
  { table, columns: expected }: Reading,
  { encoding, context }: TableWork,
): Promise<FoundTable> {
  const found = columnsOf(table, expected);
  const { columns, sameColumns, isReordered } = found;
  const isReadable = sameColumns || (expected.length > 0 && expected.every((name) => columns.includes(name)));
  if (!isReadable) return { rows: await countRows(session, table.qualified), ...found };
  const digest = new RowDigest();
  const { qualified } = table;
  const columnList = sameColumns && !isReordered ? table.columnList : `(${expected.map(quoteIdentifier).join(', ')})`;
  const sql = copyOutStatement({ qualified, columnList }, encoding);
  const sent = await copyOut(session, `read table ${qualified}`, sql, async (bytes) => {
    digest.update(bytes);
    context.progress.advance({ bytes: bytes.length });
  });
  context.progress.advance({ items: 1 });
  const counted = countedOf(digest, table, sent);
  return { rows: counted.rows, digest: counted.digest, ...found };
}

async function countRows(session: Session, qualified: string): Promise<number> {
  const sql = `SELECT pg_catalog.count(*)::text AS count FROM ONLY ${qualified}`;
  return Number((await session.one(`count table ${qualified}`, sql))['count']);
}

function keyOf({ schema, name }: Pick<TableDetails, 'schema' | 'name'>): string {
  return JSON.stringify([schema, name]);
}

function namesOf({ schema, name }: Pick<TableDetails, 'schema' | 'name'>): { name: string; schemaEntry: string } {
  return { name: `${schema}.${name}`, schemaEntry: `TABLE ${schema} ${name}` };
}
