import { findPostgresPrograms, type PostgresProgram } from '../../../foundation/postgres-programs.ts';
import { runProgram } from '../../../foundation/process.ts';
import { databaseArgument, type Location, programEnvironment } from '../location.ts';
import type { StoppedCluster } from './stopped-cluster.ts';

/**
 * Replays what a server that did not end in order has in its log, without letting anybody in.
 * Source: PostgreSQL's documentation, "postgres", single-user mode.
 * @throws program-missing, program-too-old, program-failed
 */
export async function recoverAlone(cluster: StoppedCluster, signal: AbortSignal): Promise<void> {
  const words = ['--single', '-D', cluster.directory, '-F', 'template1'];
  await runOn(cluster, 'postgres', words, { environment: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' }, signal });
}

/**
 * Makes an old primary what its successor is, by what differs.
 * Source: PostgreSQL's documentation, "pg_rewind".
 * @throws program-missing, program-too-old, program-failed; the directory is of no use then until it was copied
 */
export async function rewind(cluster: StoppedCluster, from: Location, signal: AbortSignal): Promise<void> {
  const words = ['--target-pgdata', cluster.directory, '--source-server', databaseArgument(from)];
  await runOn(cluster, 'pg_rewind', words, { environment: programEnvironment(from), signal });
}

/** Runs one of PostgreSQL's programs of the cluster's version as its owner. */
export async function runOn(
  { majorVersion, owner }: StoppedCluster,
  program: PostgresProgram,
  words: readonly string[],
  { environment, signal }: { environment: Record<string, string>; signal: AbortSignal },
): Promise<void> {
  const found = await findPostgresPrograms({
    programs: [program],
    atLeastMajor: majorVersion,
    atMostMajor: majorVersion,
  });
  await runProgram(found.path(program), words, {
    ...{ environment, signal, workingDirectory: '/' },
    ...(owner !== undefined && { user: owner }),
  });
}
