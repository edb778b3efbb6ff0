import { isHoldfastError } from '../../../foundation/errors.ts';
import type { Target } from '../../../foundation/target.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { type Check, readManifest, type ValidateContext } from '../../index.ts';
import { copyOut } from '../copy-out.ts';
import { type Location, otherDatabase, parseLocation } from '../location.ts';
import { type PlannedCheck, runPlanned } from '../planned-checks.ts';
import { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { type PhysicalDetails, readPhysicalDetails } from './details.ts';

/**
 * Looks at a cluster that a server recovered: whether it is the one that was captured and came as far as the backup, whether
 * every row of every table of every database can be read, and what the plan's own checks say.
 */
export async function validateCluster(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Check[]> {
  const details = await readPhysicalDetails(reader);
  const { clockOffsetMs = 0 } = await readManifest(reader);
  const location = parseLocation(target.url);
  const session = await Session.open(location, { side: 'target', signal: context.signal });
  let databases: string[];
  let recovery: Check;
  try {
    recovery = await recoveryCheck(session, details);
    const rows = await session.query(
      'list the databases',
      'SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname',
    );
    databases = rows.map(({ datname }) => datname ?? '');
  } finally {
    await session.close();
  }
  context.progress.phase('reading every table', { bytes: details.bytes });
  const tables: Check[] = [];
  for (const database of databases) tables.push(await readDatabase(otherDatabase(location, database), context));
  const plans = await runPlanned(location, target, planned, context, context.timeMs + clockOffsetMs);
  return [recovery, ...tables, ...plans];
}

async function recoveryCheck(session: Session, { stopLsn, systemIdentifier }: PhysicalDetails): Promise<Check> {
  const row = await session.one(
    'look at the recovered cluster',
    `SELECT pg_catalog.pg_is_in_recovery()::text AS in_recovery,
            (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
            pg_catalog.pg_current_wal_lsn()::text AS lsn,
            (pg_catalog.pg_current_wal_lsn() >= $1::pg_lsn)::text AS is_reached`,
    [stopLsn],
  );
  const isRight = row['in_recovery'] === 'false' && row['is_reached'] === 'true';
  const isSame = row['system_identifier'] === systemIdentifier;
  return {
    name: 'recovery',
    result: isRight && isSame ? 'passed' : 'failed',
    detail: isSame
      ? `came to ${row['lsn']}, the backup ends at ${stopLsn}`
      : `the cluster is ${row['system_identifier']}, and ${systemIdentifier} was captured`,
  };
}

/**
 * Reads all rows of all tables of a database, so that every page of them is looked at, and what is kept outside of them.
 * In the encoding that means none: bytes that are wrong in the database's own are not what is looked for here.
 */
async function readDatabase(location: Location, { signal, progress }: ValidateContext): Promise<Check> {
  const name = `tables of ${location.database}`;
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const tables = await session.query('list the tables', sqlFile('stored-tables'));
    let rows = 0;
    for (const { qualified } of tables) {
      const sql = `COPY (SELECT * FROM ONLY ${qualified}) TO STDOUT (ENCODING 'SQL_ASCII')`;
      rows += await copyOut(session, `read table ${qualified}`, sql, async (bytes) =>
        progress.advance({ bytes: bytes.length }),
      );
    }
    return { name, result: 'passed', detail: `all ${rows} rows of ${tables.length} tables can be read` };
  } catch (error) {
    signal.throwIfAborted();
    // A server that died has its say when the sandbox is closed.
    if (!isHoldfastError(error) || error.context['sqlState'] === undefined) throw error;
    return { name, result: 'failed', detail: error.message };
  } finally {
    await session.close();
  }
}
