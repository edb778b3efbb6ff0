import { createHash, hash } from 'node:crypto';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { setImmediate as letOthersRun } from 'node:timers/promises';

/** What a table has. */
export interface TableContents {
  name: string;
  rows: number;
  /** The sum of the SHA-256 of each row, modulo 2^256, in hex: the order of the rows does not matter. */
  digest: string;
}

/** What a database has, all at one moment. */
export interface DatabaseContents {
  tables: TableContents[];
  /** Of every table, index, view and trigger. */
  definitions: { type: string; name: string; sql: string }[];
  userVersion: number;
  applicationId: number;
  encoding: string;
  pageSize: number;
  journalMode: string;
  sqliteVersion: string;
}

/** So many rows are read before others get their turn. */
const ROWS_AT_A_TIME = 2000;

/**
 * Reads all of a database, within the transaction that is open on it or for itself.
 * @param onTable is told after each table
 */
export async function inspectDatabase(
  database: DatabaseSync,
  signal: AbortSignal,
  onTable: () => void = () => {},
): Promise<DatabaseContents> {
  const tables: TableContents[] = [];
  for (const name of tableNames(database)) {
    tables.push(await digestTable(database, name, signal));
    onTable();
  }
  return {
    tables,
    definitions: database
      .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1, 2")
      .all()
      .map(({ type, name, sql }) => ({ type: String(type), name: String(name), sql: String(sql ?? '') })),
    userVersion: Number(pragma(database, 'user_version')),
    applicationId: Number(pragma(database, 'application_id')),
    encoding: String(pragma(database, 'encoding')),
    pageSize: Number(pragma(database, 'page_size')),
    journalMode: String(pragma(database, 'journal_mode')),
    sqliteVersion: String(database.prepare('SELECT sqlite_version()').get()?.['sqlite_version()']),
  };
}

/** What is wrong inside a database, as SQLite says it; nothing, where it is whole. */
export async function integrityProblems(database: DatabaseSync, signal: AbortSignal): Promise<string[]> {
  const problems: string[] = [];
  for (const name of tableNames(database)) {
    signal.throwIfAborted();
    const found = database.prepare(`PRAGMA integrity_check(${quoteIdentifier(name)})`).all();
    problems.push(...found.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok'));
    await letOthersRun();
  }
  const keys = database.prepare('PRAGMA quick_check').all();
  problems.push(...keys.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok'));
  return [...new Set(problems)];
}

/** Those that hold rows: what a virtual table has lies in others. */
function tableNames(database: DatabaseSync): string[] {
  const listed = database.prepare('PRAGMA main.table_list').all();
  return listed
    .filter(({ schema, type }) => schema === 'main' && (type === 'table' || type === 'shadow'))
    .map(({ name }) => String(name))
    .filter((name) => name !== 'sqlite_schema')
    .sort();
}

async function digestTable(database: DatabaseSync, name: string, signal: AbortSignal): Promise<TableContents> {
  const statement = database.prepare(`SELECT * FROM ${quoteIdentifier(name)}`);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  let [rows, sum] = [0, 0n];
  for (const row of statement.iterate() as unknown as Iterable<SQLOutputValue[]>) {
    sum += BigInt(`0x${digestRow(row)}`);
    rows++;
    if (rows % ROWS_AT_A_TIME > 0) continue;
    signal.throwIfAborted();
    await letOthersRun();
  }
  return { name, rows, digest: BigInt.asUintN(256, sum).toString(16).padStart(64, '0') };
}

/** Each value with its type and length, so that no two rows look alike. */
function digestRow(row: readonly SQLOutputValue[]): string {
  if (row.every((value) => !(value instanceof Uint8Array))) return hash('sha256', JSON.stringify(row.map(textOf)));
  const whole = createHash('sha256');
  for (const value of row) {
    const bytes = value instanceof Uint8Array ? value : Buffer.from(textOf(value) ?? '');
    whole.update(`${value === null ? 'null' : value instanceof Uint8Array ? 'blob' : 'text'} ${bytes.length} `);
    whole.update(bytes);
  }
  return whole.digest('hex');
}

function textOf(value: SQLOutputValue): string | null {
  if (value === null) return null;
  if (typeof value === 'bigint') return `i${value}`;
  return typeof value === 'number' ? `r${Object.is(value, -0) ? '-0' : value}` : `t${String(value)}`;
}

function pragma(database: DatabaseSync, name: string): SQLOutputValue | undefined {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
