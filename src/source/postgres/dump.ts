import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { Side } from './failures.ts';
import { databaseArgument, type Location } from './location.ts';
import { runPostgresProgram } from './run-program.ts';
import type { SourceTable } from './snapshot.ts';

/** Arguments may fill about 2 MB on Linux, environment included. */
const PATTERNS_LIMIT_BYTES = 1_000_000;
/** Each pattern costs pg_dump a query that reads the whole catalogue. */
const PATTERNS_LIMIT_COUNT = 2000;

/** pg_dump refuses a server that is newer than itself, so it must be of the server's version or a newer one. */
export async function findDumpPrograms(serverMajorVersion: number): Promise<PostgresPrograms> {
  return findPostgresPrograms({ programs: ['pg_dump', 'pg_restore'], atLeastMajor: serverMajorVersion });
}

export interface DumpOptions {
  programs: PostgresPrograms;
  location: Location;
  side: Side;
  lockTimeoutMs: number;
  /** Does not exist yet. */
  directory: string;
  snapshotId?: string;
  /** Tables whose rows are left out. */
  without?: readonly SourceTable[];
  /** Of the archive's texts; the database's own by default. */
  encoding?: string;
  signal: AbortSignal;
}

/**
 * Runs pg_dump into a directory archive, uncompressed.
 * @throws source-lost, timed-out, program-failed, program-missing; target-failed on the other side
 */
export async function dumpArchive(options: DumpOptions): Promise<void> {
  const { programs, location, directory, snapshotId, encoding, without = [] } = options;
  await runPostgresProgram(
    programs.path('pg_dump'),
    [
      '--format=directory',
      '--compress=0',
      '--no-sync',
      '--no-password',
      `--lock-wait-timeout=${options.lockTimeoutMs}`,
      `--file=${directory}`,
      ...(encoding === undefined ? [] : [`--encoding=${encoding}`]),
      ...(snapshotId === undefined ? [] : [`--snapshot=${snapshotId}`]),
      ...without.map(({ pattern }) => `--exclude-table-data=${pattern}`),
      `--dbname=${databaseArgument(location)}`,
    ],
    options,
  );
}

/**
 * The tables, of those given, whose rows pg_dump can be told to leave out: the first ones, as many as the command line
 * and pg_dump's patience take. The rest are small, and pg_dump copies them.
 */
export function excludable(tables: readonly SourceTable[], limitCount: number = PATTERNS_LIMIT_COUNT): SourceTable[] {
  let bytes = 0;
  return tables.slice(0, limitCount).filter(({ pattern }) => {
    bytes += Buffer.byteLength(pattern) + 64;
    return bytes <= PATTERNS_LIMIT_BYTES;
  });
}
