import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import { runProgram } from '../../foundation/process.ts';
import { databaseArgument, type Location, programEnvironment } from './location.ts';
import { LOCK_TIMEOUT_MS, type SourceTable } from './snapshot.ts';

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
  /** Does not exist yet. */
  directory: string;
  snapshotId?: string;
  schemaOnly?: boolean;
  /** Tables whose rows are left out. */
  without?: readonly SourceTable[];
  /** Whether the encoding is such that patterns can be given as UTF-8. */
  encoding?: string;
  signal: AbortSignal;
}

/**
 * Runs pg_dump into a directory archive, uncompressed.
 * @throws program-failed, program-missing
 */
export async function dumpArchive(options: DumpOptions): Promise<void> {
  const { programs, location, directory, snapshotId, without = [], encoding = 'UTF8' } = options;
  await runProgram(
    programs.path('pg_dump'),
    [
      '--format=directory',
      '--compress=0',
      '--no-sync',
      '--no-password',
      `--lock-wait-timeout=${LOCK_TIMEOUT_MS}`,
      `--file=${directory}`,
      ...(snapshotId === undefined ? [] : [`--snapshot=${snapshotId}`]),
      ...(options.schemaOnly ? ['--schema-only'] : []),
      ...without.map((table) => `--exclude-table-data=${tablePattern(table, encoding)}`),
      `--dbname=${databaseArgument(location)}`,
    ],
    { environment: programEnvironment(location), signal: options.signal },
  );
}

/**
 * The tables, of those given, whose rows pg_dump can be told to leave out: the first ones, as many as the command line
 * and pg_dump's patience take. The rest are small, and pg_dump copies them.
 */
export function excludable(tables: readonly SourceTable[], encoding: string): SourceTable[] {
  let bytes = 0;
  return tables.slice(0, PATTERNS_LIMIT_COUNT).filter((table) => {
    bytes += Buffer.byteLength(tablePattern(table, encoding)) + 64;
    return bytes <= PATTERNS_LIMIT_BYTES;
  });
}

/**
 * A pattern of pg_dump's that matches one table. Between double quotes everything stands for itself.
 *
 * The program's arguments are UTF-8 and pg_dump takes them in the database's encoding: where that is another one, a
 * character beyond ASCII is left to a wildcard.
 */
export function tablePattern({ schema, name }: Pick<SourceTable, 'schema' | 'name'>, encoding: string): string {
  return `${namePattern(schema, encoding)}.${namePattern(name, encoding)}`;
}

function namePattern(name: string, encoding: string): string {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is what ASCII is
  return encoding === 'UTF8' ? quoted : quoted.replace(/[^\u0000-\u007f]+/g, '"*"');
}
