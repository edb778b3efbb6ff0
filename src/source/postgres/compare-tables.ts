import type { RestoreContext } from '../index.ts';
import { countedOf } from './capture-tables.ts';
import { copyOut } from './copy-out.ts';
import type { PostgresDetails, TableDetails } from './details.ts';
import type { Side } from './failures.ts';
import { quoteIdentifier } from './identifiers.ts';
import type { Location } from './location.ts';
import { RowDigest } from './row-digest.ts';
import { Session } from './session.ts';
import { type ExportedSnapshot, joinSnapshot, lockAtOnce, type SourceTable } from './snapshot.ts';
import { copyOutStatement } from './table-parts.ts';

const CONNECTIONS = 3;

/** A table of the snapshot, of the database, or of both. */
export interface TableComparison {
  /** Schema and name, for people. */
  name: string;
  /** What the comparison of definitions calls it. */
  schemaEntry: string;
  /** What the snapshot has. */
  expected?: Pick<TableDetails, 'rows' | 'digest' | 'columns'>;
  /** What the database has. */
  found?: FoundTable;
}

export interface FoundTable {
  rows: number;
  /** Of the columns that the snapshot has; undefined where one of them is gone, so that rows were only counted. */
  digest?: string;
  columns: string[];
  /** Whether the columns are the snapshot's, in the same order. */
  sameColumns: boolean;
}

export interface TableWork {
  /** Has every table locked, and exported the moment that is looked at. */
  main: Session;
  location: Location;
  side: Side;
  exported: ExportedSnapshot;
  details: PostgresDetails;
  context: RestoreContext;
}

interface Pair {
  index: number;
  expected: TableDetails;
  table: SourceTable;
}

/** Counts and digests every table of the snapshot in the database, over several connections that read one moment. */
export async function compareTables(work: TableWork): Promise<TableComparison[]> {
  const { exported, details, context } = work;
  const found = new Map(exported.tables.map((table) => [keyOf(table), table]));
  const compared: TableComparison[] = details.tables.map((expected) => ({ ...namesOf(expected), expected }));
  const queue = details.tables
    .flatMap((expected, index): Pair[] => {
      const table = found.get(keyOf(expected));
      return table === undefined ? [] : [{ index, expected, table }];
    })
    .sort((a, b) => b.expected.bytes - a.expected.bytes);
  context.progress.phase('comparing rows', {
    bytes: queue.reduce((sum, { expected }) => sum + expected.bytes, 0),
    items: queue.length,
  });
  const take = (index: number, table: FoundTable): void => {
    compared[index] = { ...compared[index]!, found: table };
  };
  const passed: Pair[] = [];
  await readSideBySide(work, queue, passed, take);
  // What somebody else waits to lock can only be read by the session that has it locked already.
  for (const { index, expected, table } of passed) take(index, await readTable(work.main, expected, table, work));
  const expected = new Set(details.tables.map(keyOf));
  const extra = exported.tables.filter((table) => !expected.has(keyOf(table)));
  for (const table of extra) {
    const { qualified, columns } = table;
    const rows = await countRows(work.main, qualified);
    compared.push({ ...namesOf(table), found: { rows, columns, sameColumns: false } });
  }
  return compared;
}

async function readSideBySide(
  work: TableWork,
  queue: Pair[],
  passed: Pair[],
  take: (index: number, table: FoundTable) => void,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([work.context.signal, failed.signal]);
  const one = async (): Promise<void> => {
    try {
      const session = await Session.open(work.location, { side: work.side, signal });
      try {
        await joinSnapshot(session, work.exported.id);
        for (let pair = queue.shift(); pair !== undefined; pair = queue.shift()) {
          if (await lockAtOnce(session, pair.table))
            take(pair.index, await readTable(session, pair.expected, pair.table, work));
          else passed.push(pair);
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

async function readTable(
  session: Session,
  expected: TableDetails,
  table: SourceTable,
  { details, context }: TableWork,
): Promise<FoundTable> {
  const { columns } = table;
  const sameColumns = columns.join('\0') === expected.columns.join('\0');
  const isReadable =
    sameColumns || (expected.columns.length > 0 && expected.columns.every((name) => columns.includes(name)));
  if (!isReadable) return { rows: await countRows(session, table.qualified), columns, sameColumns };
  const digest = new RowDigest();
  const { qualified } = table;
  const columnList = sameColumns ? table.columnList : `(${expected.columns.map(quoteIdentifier).join(', ')})`;
  const sql = copyOutStatement({ qualified, columnList }, details.encoding);
  const sent = await copyOut(session, `read table ${qualified}`, sql, async (bytes) => {
    digest.update(bytes);
    context.progress.advance({ bytes: bytes.length });
  });
  context.progress.advance({ items: 1 });
  const counted = countedOf(digest, table, sent);
  return { rows: counted.rows, digest: counted.digest, columns, sameColumns };
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
