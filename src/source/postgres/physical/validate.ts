import type { Target } from '../../../foundation/target.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { type Check, type RowCount, readManifest, type ValidateContext, type Validation } from '../../index.ts';
import { type Location, otherDatabase, parseLocation } from '../location.ts';
import { type PlannedCheck, runPlanned } from '../planned-checks.ts';
import { Session } from '../session.ts';
import { checkStructure, findAmcheck, type StructureChecked } from './amcheck.ts';
import { contentsChecks, lookAtContents } from './contents.ts';
import { type PhysicalDetails, readPhysicalDetails } from './details.ts';
import { readTables, type TablesRead } from './read-tables.ts';

/**
 * Looks at a cluster that a server recovered: whether it is the one that was captured and came as far as the backup, whether
 * every row of every table of every database can be read, whether heaps and indexes are sound, whether what must be there
 * is, and what the plan's own checks say.
 */
export async function validateCluster(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Validation> {
  const details = await readPhysicalDetails(reader);
  const { clockOffsetMs = 0 } = await readManifest(reader);
  const location = parseLocation(target.url);
  const { recovery, databases, open, tables } = await lookAtCluster(location, details, context.signal);
  context.progress.phase('reading every table', { bytes: details.bytes });
  const read = new Map<string, TablesRead>();
  for (const database of open) read.set(database, await readTables(otherDatabase(location, database), context));
  context.progress.phase('checking heaps and indexes');
  const structure = await checkStructures(location, open, details, context);
  const rowsOf = read.get(location.database)?.rowsOf;
  // What is replayed behind the backup may drop anything.
  const isHeld = details.contents !== undefined && context.isReplayed !== true;
  const held = isHeld ? contentsChecks(details.contents!, location.database, { databases, tables, rowsOf }) : [];
  const plans = await runPlanned(location, target, planned, context, context.timeMs + clockOffsetMs);
  const checks = [recovery, ...[...read.values()].map(({ check }) => check), ...structure.checks, ...held, ...plans];
  return { checks, notes: structure.notes, counts: [...read].flatMap(countsOf) };
}

interface ClusterSeen {
  recovery: Check;
  databases: string[];
  /** Those of them that let somebody in. */
  open: string[];
  /** Of the database that the location names. */
  tables: string[];
}

async function lookAtCluster(location: Location, details: PhysicalDetails, signal: AbortSignal): Promise<ClusterSeen> {
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const recovery = await recoveryCheck(session, details);
    // One that was being dropped when its server went down lets nobody in, and says so with this limit.
    const rows = await session.query(
      'list the databases',
      `SELECT datname, (datallowconn AND datconnlimit <> -2)::text AS is_open FROM pg_catalog.pg_database ORDER BY datname`,
    );
    const names = (some: typeof rows): string[] => some.map(({ datname }) => datname ?? '');
    const seen = await lookAtContents(session);
    return {
      recovery,
      databases: names(rows),
      open: names(rows.filter(({ is_open }) => is_open === 'true')),
      tables: [...seen.tables.values()].map(({ name }) => name),
    };
  } finally {
    await session.close();
  }
}

/** A proof whose tables were all read does not hang on a program that is not everywhere: that it is missing is noted. */
async function checkStructures(
  location: Location,
  databases: readonly string[],
  { majorVersion }: PhysicalDetails,
  { signal }: ValidateContext,
): Promise<{ checks: Check[]; notes: string[] }> {
  const amcheck = await findAmcheck(majorVersion);
  if ('missing' in amcheck) return { checks: [], notes: [amcheck.missing] };
  const checked: StructureChecked[] = [];
  for (const database of databases) {
    checked.push(await checkStructure(otherDatabase(location, database), amcheck.path, signal));
  }
  return {
    checks: checked.flatMap(({ check }) => (check === undefined ? [] : [check])),
    notes: checked.flatMap(({ notes }) => notes),
  };
}

function countsOf([database, { rowsOf }]: [string, TablesRead]): RowCount[] {
  if (rowsOf === undefined) return [];
  return [{ database, tables: rowsOf.size, rows: [...rowsOf.values()].reduce((sum, rows) => sum + rows, 0) }];
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
