import { chown, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { HoldfastError } from '../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import type { ServerCopies } from '../sandbox.ts';
import { ClusterCopies } from './cluster-copies.ts';
import { explainFullDisk, readLogTail, serverFailed } from './cluster-errors.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import { type ClusterPlace, databaseUrl, refuseLongSocketPath } from './cluster-place.ts';
import { initialiseCluster, startServer } from './cluster-start.ts';
import { freshDirectoryPath, openGuardedDirectory } from './guarded-directory.ts';
import type { SupervisedProgram } from './supervised-program.ts';
import { ownerOf, sandboxUser } from './unprivileged-user.ts';

/** A running PostgreSQL server of one's own, reachable by its Unix socket and by nothing else. */
export interface PostgresCluster {
  majorVersion: number;
  /** As the server prints it: `15.14`. */
  version: string;
  socketDirectory: string;
  dataDirectory: string;
  superuser: string;
  /** Process id of the postmaster. */
  pid: number;
  /** Connection string of the superuser for a database, for libpq and for pg alike. It holds no password. */
  url(database: string): string;
  /** Connection string for a database that is there: `postgres` in a new cluster. */
  adminUrl: string;
  /** The end of the server's log; after it ended, what that was then. */
  logTail(): Promise<string>;
  /** Resolves when the server has ended: with nothing after `stop`, with sandbox-failed when it died by itself. */
  ended: Promise<HoldfastError | undefined>;
  /** See `GuardedDirectory`: the server is stopped all the same. */
  keepAs(path: string): void;
  /** See `SandboxTarget`: this server is gone then, and `stop` stops its copies. @param database their URLs' */
  copies(database: string, followers: readonly string[]): Promise<ServerCopies>;
  /**
   * Stops the server and removes all that it had. May be called again.
   * @throws sandbox-failed when the server had died by itself, with the end of its log, or when something is left.
   *   All that can be removed has been removed by then.
   */
  stop(): Promise<void>;
}

const DEFAULT_SUPERUSER = 'holdfast_sandbox';
const DEFAULT_START_TIMEOUT_MS = 30_000;

/**
 * Makes a new, empty PostgreSQL cluster and starts its server; returns when it accepts connections.
 *
 * The server runs as this process's user, or as nobody when that is root. All of it lies in one directory of mode 0700,
 * and is gone after `stop`, or within seconds after this process ended without it.
 * @throws program-missing, program-too-old when the server programs are not here; sandbox-failed when it does not start,
 *   with the end of its log; disk-full; the reason of `signal`. Nothing is left then.
 */
export async function startPostgresCluster(options: PostgresClusterOptions): Promise<PostgresCluster> {
  options.signal?.throwIfAborted();
  const place = await openPlace(options);
  try {
    await initialiseCluster(place);
    return await startedCluster(place);
  } catch (error) {
    const explained = await explainFullDisk(place, error);
    await place.directory.close();
    throw explained;
  }
}

/**
 * Makes the directory that a cluster will have, with nothing in it.
 * @param restored of a cluster that is going to be restored: a database that it has, and where its data are, if that is
 *   elsewhere: the server runs as their owner then
 */
export async function openPlace(
  options: PostgresClusterOptions,
  restored?: { database: string; dataDirectory: string | undefined },
): Promise<ClusterPlace> {
  const programs = 'binDirectory' in options.server ? options.server : await findServer(options.server.majorVersion);
  const user = restored?.dataDirectory === undefined ? await sandboxUser() : await ownerOf(restored.dataDirectory);
  const path = freshDirectoryPath(options.parentDirectory);
  refuseLongSocketPath(path);
  const directory = await openGuardedDirectory(path);
  const startTimeoutMs = options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
  try {
    if (user !== undefined) await chown(path, user.uid, user.gid);
  } catch (error) {
    await directory.close();
    throw error;
  }
  return {
    programs,
    user,
    directory,
    dataDirectory: restored?.dataDirectory ?? join(path, 'data'),
    logPath: join(path, 'server.log'),
    superuser: options.superuser ?? DEFAULT_SUPERUSER,
    database: restored?.database ?? 'postgres',
    isRestored: restored !== undefined,
    options,
    startTimeoutMs,
    deadlineMs: options.clock.monotonicMs() + startTimeoutMs,
  };
}

/** Starts the server on the data directory that is there, and returns when it accepts connections. */
export async function startedCluster(place: ClusterPlace): Promise<PostgresCluster> {
  const server = await startServer(place);
  return runningCluster(place, server, await postmasterPid(place));
}

/**
 * The server programs of a major version, or of the lowest newer one where that serves as well.
 * @throws program-missing, program-too-old
 */
export async function findServer(majorVersion: number, newerServes: boolean = false): Promise<PostgresPrograms> {
  return findPostgresPrograms({
    programs: ['initdb', 'postgres'],
    atLeastMajor: majorVersion,
    ...(newerServes ? {} : { atMostMajor: majorVersion }),
  });
}

async function postmasterPid(place: ClusterPlace): Promise<number> {
  return Number.parseInt(await readFile(join(place.dataDirectory, 'postmaster.pid'), 'utf8'), 10);
}

function runningCluster(place: ClusterPlace, server: SupervisedProgram, pid: number): PostgresCluster {
  const { programs, directory, dataDirectory, superuser, logPath } = place;
  let stopping = false;
  let lastLog: string | undefined;
  const ended = server.ended.then(async (end) => {
    lastLog = await readLogTail(logPath);
    if (stopping) return undefined;
    const died = await serverFailed(place, `died with exit status ${end.status}`, end);
    await directory.close();
    return died;
  });
  awaitedLater(ended);
  let copied: ClusterCopies | undefined;
  const halt = async () => {
    stopping = true;
    await server.stop();
    const died = await ended;
    if (died !== undefined) throw died;
  };
  const stop = async () => {
    try {
      await copied?.close();
      await halt();
    } finally {
      await directory.close();
    }
  };
  const copies = async (database: string, followers: readonly string[]): Promise<ServerCopies> => {
    // A server that nobody would miss writes late, and is stopped at once.
    await checkpoint(databaseUrl(place, place.database));
    await halt();
    const of = { ...place, database };
    const open = () =>
      openPlace({ ...place.options, server: programs, superuser }, { database, dataDirectory: undefined });
    copied = await ClusterCopies.start(of, followers, open);
    return copied;
  };
  let stopped: Promise<void> | undefined;
  return {
    copies,
    majorVersion: programs.majorVersion,
    version: programs.version,
    socketDirectory: directory.path,
    dataDirectory,
    superuser,
    pid,
    url: (database) => databaseUrl(place, database),
    adminUrl: databaseUrl(place, place.database),
    logTail: async () => lastLog ?? readLogTail(logPath),
    ended,
    keepAs: directory.keepAs,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** @throws what the server says */
async function checkpoint(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  // What breaks the connection also fails the query.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('CHECKPOINT');
  } finally {
    await settled(client.end());
  }
}
