import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** A table whose rows are captured. */
export interface SourceTable {
  oid: number;
  schema: string;
  name: string;
  /** Schema and name, quoted for SQL. */
  qualified: string;
  /** `(id, name)`, quoted for SQL; empty for no columns. */
  columnList: string;
  columns: string[];
  /** What the archive says to load the rows, in the database's encoding. */
  copyStatement: Buffer;
  /** What stands for this table, and no other relation, where pg_dump takes a pattern. */
  pattern: string;
  /** How many blocks its rows lie in, where these can be read by ranges; 0 elsewhere, and where it was not asked for. */
  blocks: number;
  /** Of its rows, with what lies outside of them; 0 where it was not asked for. */
  sizeBytes: number;
  /** It has no rows after a crash, nor in a cluster that recovered. */
  isUnlogged: boolean;
}

export interface ExportedSnapshot {
  id: string;
  /** The moment it is of, by the server's clock: milliseconds since 1970. */
  serverTimeMs: number;
  /** Largest first, as the snapshot sees them; all of them are locked against changes of their structure. */
  tables: SourceTable[];
}

/** How long another session's exclusive lock is waited for. */
export const LOCK_TIMEOUT_MS = 60_000;
const TABLES_PER_LOCK = 500;
const ATTEMPTS = 5;
const UNDEFINED_TABLE = '42P01';
const UNDEFINED_SCHEMA = '3F000';

/**
 * Opens a transaction that reads one moment, with every table locked against changes of structure, and exports it.
 *
 * The locks come before the snapshot: a table that is truncated or rewritten between the two would look empty in it.
 * LOCK TABLE takes no snapshot, so that the first query after it does. Tables that were made in between are locked
 * afterwards, which is all that pg_dump ever does.
 * @throws timed-out when a lock cannot be had; source-refused when a table may not be read
 */
export async function exportSnapshot(
  session: Session,
  lockTimeoutMs: number = LOCK_TIMEOUT_MS,
): Promise<ExportedSnapshot> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryExport(session, lockTimeoutMs);
    } catch (error) {
      // A table was dropped between the list and its lock: the list is out of date.
      const state = isHoldfastError(error) ? error.context['sqlState'] : undefined;
      if (attempt === ATTEMPTS || (state !== UNDEFINED_TABLE && state !== UNDEFINED_SCHEMA)) throw error;
      await session.query('start again', 'ROLLBACK');
    }
  }
}

async function tryExport(session: Session, lockTimeoutMs: number): Promise<ExportedSnapshot> {
  const before = await listTables(session, { bySize: false });
  await session.query('begin a transaction', 'BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  await limitLockWaits(session, lockTimeoutMs);
  await lockTables(session, before);
  // The statement begins before its snapshot is taken: what was committed by then is in it.
  const { id, ms } = await session.one(
    'export the snapshot',
    `SELECT pg_catalog.pg_export_snapshot() AS id,
       (pg_catalog.date_part('epoch', pg_catalog.statement_timestamp()) * 1000)::text AS ms`,
  );
  const tables = await listTables(session, { bySize: true });
  const locked = new Set(before.map(({ oid, qualified }) => `${oid} ${qualified}`));
  await lockTables(
    session,
    tables.filter(({ oid, qualified }) => !locked.has(`${oid} ${qualified}`)),
  );
  return { id: id ?? '', serverTimeMs: Number(ms), tables };
}

async function lockTables(session: Session, tables: readonly SourceTable[]): Promise<void> {
  for (let start = 0; start < tables.length; start += TABLES_PER_LOCK) {
    const batch = tables.slice(start, start + TABLES_PER_LOCK);
    const list = batch.map(({ qualified }) => `ONLY ${qualified}`).join(', ');
    try {
      await session.query('lock the tables', `LOCK TABLE ${list} IN ACCESS SHARE MODE`);
    } catch (error) {
      throw isHoldfastError(error, 'timed-out') ? lockTimedOut(error, batch) : error;
    }
  }
}

function lockTimedOut(error: HoldfastError, batch: readonly SourceTable[]): HoldfastError {
  const names = batch.slice(0, 3).map(({ qualified }) => qualified);
  const more = batch.length > names.length ? ` or one of ${batch.length - names.length} more` : '';
  return new HoldfastError('timed-out', `somebody holds an exclusive lock on ${names.join(', ')}${more}`, {
    hint: 'Wait until that has ended (see pg_locks), and run the backup again.',
    retryable: true,
    cause: error,
  });
}

async function listTables(session: Session, { bySize }: { bySize: boolean }): Promise<SourceTable[]> {
  const rows = await session.query('list the tables', sqlFile('tables'), [String(bySize)]);
  return rows.map((row) => ({
    oid: Number(row['oid']),
    schema: row['schema'] ?? '',
    name: row['name'] ?? '',
    qualified: row['qualified'] ?? '',
    columnList: row['column_list'] ?? '',
    columns: JSON.parse(row['column_names'] ?? '[]') as string[],
    copyStatement: Buffer.from(row['copy_statement'] ?? '', 'hex'),
    pattern: row['pattern'] ?? '',
    blocks: Number(row['blocks'] ?? 0),
    sizeBytes: Number(row['size_bytes'] ?? 0),
    isUnlogged: row['is_unlogged'] === 'true',
  }));
}

async function limitLockWaits(session: Session, lockTimeoutMs: number): Promise<void> {
  await session.query('limit the wait for locks', `SET LOCAL lock_timeout = ${lockTimeoutMs}`);
}

/** Makes a session read what an exported snapshot reads. */
export async function joinSnapshot(
  session: Session,
  id: string,
  lockTimeoutMs: number = LOCK_TIMEOUT_MS,
): Promise<void> {
  await session.query('begin a transaction', 'BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
  await session.query('join the snapshot', `SET TRANSACTION SNAPSHOT '${id.replaceAll("'", "''")}'`);
  await limitLockWaits(session, lockTimeoutMs);
}

const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Locks a table that the exporting session has locked, for a session that joined it, if that can be done at once.
 *
 * Somebody who waits for an exclusive lock waits for the exporting session, and whoever comes after him waits for him:
 * to wait for such a table would be to wait for oneself, and the server does not see that.
 */
export async function lockAtOnce(session: Session, { qualified }: Pick<SourceTable, 'qualified'>): Promise<boolean> {
  try {
    await session.query(
      `lock table ${qualified}`,
      `SAVEPOINT before_lock; LOCK TABLE ONLY ${qualified} IN ACCESS SHARE MODE NOWAIT; RELEASE before_lock`,
    );
    return true;
  } catch (error) {
    if (!isHoldfastError(error) || error.context['sqlState'] !== LOCK_NOT_AVAILABLE) throw error;
    await session.query('go back', 'ROLLBACK TO SAVEPOINT before_lock');
    return false;
  }
}
