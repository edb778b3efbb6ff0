import { chown, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import { lastLines } from '../../foundation/process.ts';
import { type ServerSettings, settingArguments } from './cluster-settings.ts';
import { freshDirectoryPath, type GuardedDirectory, openGuardedDirectory } from './guarded-directory.ts';
import { type ProgramEnd, type SupervisedProgram, superviseProgram } from './supervised-program.ts';
import { type SystemUser, sandboxUser } from './unprivileged-user.ts';

export interface PostgresClusterOptions {
  /** The server programs: those that were found, or those of exactly this major version on this machine. */
  server: PostgresPrograms | { majorVersion: number };
  /** Where the cluster's directory is made; the system's temporary directory by default. */
  parentDirectory?: string;
  /** Whether nobody would miss the data: the server may then lose it in a crash, and is faster. True by default. */
  throwaway?: boolean;
  /** Settings of the server beside, or instead of, the usual ones of a sandbox. */
  settings?: ServerSettings;
  /** The superuser's name: one that no captured database has by accident, by default. */
  superuser?: string;
  /** How long initdb and the start may take together: 30 s by default. */
  startTimeoutMs?: number;
  clock: Clock;
  /** Gives up the start. A cluster that has started is stopped by `stop`. */
  signal?: AbortSignal;
}

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
  /** Connection string for the database `postgres`. */
  adminUrl: string;
  /** The end of the server's log; after it ended, what that was then. */
  logTail(): Promise<string>;
  /** Resolves when the server has ended: with nothing after `stop`, with sandbox-failed when it died by itself. */
  ended: Promise<HoldfastError | undefined>;
  /**
   * Stops the server and removes all that it had. May be called again.
   * @throws sandbox-failed when the server had died by itself, with the end of its log, or when something is left;
   *   all else has been removed by then
   */
  stop(): Promise<void>;
}

const PORT = 5432;
const DEFAULT_SUPERUSER = 'holdfast_sandbox';
const DEFAULT_START_TIMEOUT_MS = 30_000;
/** An immediate shutdown kills what does not end after 5 s by itself; a fast one waits for a checkpoint. */
const IMMEDIATE_GRACE_SECONDS = 7;
const FAST_GRACE_SECONDS = 15;
const POLL_INTERVAL_MS = 25;
/** sockaddr_un's path, without the zero at its end. */
const SOCKET_PATH_LIMIT_BYTES = process.platform === 'linux' ? 107 : 103;
const FULL_DISK_BYTES = 1 << 20;

/** A directory with the programs and the user that work in it. */
interface ClusterPlace {
  programs: PostgresPrograms;
  user: SystemUser | undefined;
  directory: GuardedDirectory;
  dataDirectory: string;
  logPath: string;
  options: PostgresClusterOptions;
  deadlineMs: number;
}

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
  const programs = 'binDirectory' in options.server ? options.server : await findServer(options.server.majorVersion);
  const user = await sandboxUser();
  const path = freshDirectoryPath(options.parentDirectory);
  refuseLongSocketPath(path);
  const directory = await openGuardedDirectory(path);
  const deadlineMs = options.clock.monotonicMs() + (options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS);
  const inside = { dataDirectory: join(path, 'data'), logPath: join(path, 'server.log') };
  const place: ClusterPlace = { programs, user, directory, options, deadlineMs, ...inside };
  try {
    if (user !== undefined) await chown(path, user.uid, user.gid);
    await initialise(place);
    return await startServer(place);
  } catch (error) {
    const explained = await explainFullDisk(path, error);
    await directory.close();
    throw explained;
  }
}

/** @throws program-missing, program-too-old */
export async function findServer(majorVersion: number, newerServes: boolean = false): Promise<PostgresPrograms> {
  return findPostgresPrograms({
    programs: ['initdb', 'postgres'],
    atLeastMajor: majorVersion,
    ...(newerServes ? {} : { atMostMajor: majorVersion }),
  });
}

function refuseLongSocketPath(directory: string): void {
  const sizeBytes = Buffer.byteLength(join(directory, `.s.PGSQL.${PORT}`));
  if (sizeBytes <= SOCKET_PATH_LIMIT_BYTES) return;
  throw new HoldfastError(
    'sandbox-failed',
    `the path of the sandbox server's socket would have ${sizeBytes} bytes, and ${SOCKET_PATH_LIMIT_BYTES} is the limit`,
    { hint: 'Let TMPDIR name a directory with a short path, such as /tmp.', context: { directory } },
  );
}

async function initialise(place: ClusterPlace): Promise<void> {
  const { options, programs, dataDirectory } = place;
  const initdb = await supervise(place, 'TERM', 2, [
    programs.path('initdb'),
    `--pgdata=${dataDirectory}`,
    `--username=${options.superuser ?? DEFAULT_SUPERUSER}`,
    // Who can reach the socket has passed the directory's mode.
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
    '--no-instructions',
  ]);
  const end = await endInTime(place, initdb);
  if (end.status !== 0) throw startFailed(place, `initdb ended with exit status ${end.status}`, end.said);
}

async function startServer(place: ClusterPlace): Promise<PostgresCluster> {
  const { options, programs, directory, dataDirectory, logPath } = place;
  const throwaway = options.throwaway ?? true;
  const settings = settingArguments(directory.path, throwaway, options.settings);
  const command = [programs.path('postgres'), '-D', dataDirectory, ...settings] as const;
  const [signal, grace] = throwaway
    ? (['QUIT', IMMEDIATE_GRACE_SECONDS] as const)
    : (['INT', FAST_GRACE_SECONDS] as const);
  const server = await supervise(place, signal, grace, [...command], logPath);
  const url = urlMaker(directory.path, options.superuser ?? DEFAULT_SUPERUSER);
  try {
    await untilAccepting(place, server, url('postgres'));
    const pid = Number.parseInt(await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8'), 10);
    return runningCluster(place, server, url, pid);
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function supervise(
  place: ClusterPlace,
  stopSignal: 'TERM' | 'INT' | 'QUIT',
  graceSeconds: number,
  command: [string, ...string[]],
  logPath?: string,
): Promise<SupervisedProgram> {
  const { directory, user, programs, dataDirectory } = place;
  return superviseProgram({
    command,
    user,
    directory: directory.path,
    keeper: directory.keeper,
    serverProgram: programs.path('postgres'),
    dataDirectory,
    stopSignal,
    graceSeconds,
    ...(logPath === undefined ? {} : { logPath }),
  });
}

/** Waits for a program's end; stops it when the time is up or the signal fires. */
async function endInTime(place: ClusterPlace, program: SupervisedProgram): Promise<ProgramEnd> {
  const { clock, signal } = place.options;
  const giveUp = new AbortController();
  const abort = () => giveUp.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const timeout = delay(Math.max(0, place.deadlineMs - clock.monotonicMs()), undefined, {
    signal: giveUp.signal,
  }).catch(() => undefined);
  try {
    const end = await Promise.race([program.ended, timeout]);
    signal?.throwIfAborted();
    if (end !== undefined) return end;
    throw startFailed(place, `initdb did not end within ${timeoutSeconds(place)} s`, '');
  } finally {
    signal?.removeEventListener('abort', abort);
    giveUp.abort();
    await program.stop();
  }
}

async function untilAccepting(place: ClusterPlace, server: SupervisedProgram, url: string): Promise<void> {
  const { clock, signal } = place.options;
  let end: ProgramEnd | undefined;
  void server.ended.then((value) => {
    end = value;
  });
  for (;;) {
    signal?.throwIfAborted();
    const problem = await connectionProblem(url);
    if (problem === undefined) return;
    if (end !== undefined) throw await startFailedByServer(place, `ended with exit status ${end.status}`, end, problem);
    if (clock.monotonicMs() > place.deadlineMs) {
      throw await startFailedByServer(
        place,
        `did not accept connections within ${timeoutSeconds(place)} s`,
        end,
        problem,
      );
    }
    await delay(POLL_INTERVAL_MS);
  }
}

/** Why a connection is not to be had, if so. */
async function connectionProblem(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // A connection that breaks after it was refused would otherwise end this process.
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return undefined;
  } catch (error) {
    return error ?? new Error('the connection failed');
  }
}

function urlMaker(socketDirectory: string, superuser: string): (database: string) => string {
  const server = `postgresql://${encodeURIComponent(superuser)}@${encodeURIComponent(socketDirectory)}:${PORT}`;
  // Said outright, so that no PGSSLMODE of the environment asks for what a Unix socket does not have.
  return (database) => `${server}/${encodeURIComponent(database)}?sslmode=disable`;
}

function runningCluster(
  place: ClusterPlace,
  server: SupervisedProgram,
  url: (database: string) => string,
  pid: number,
): PostgresCluster {
  const { programs, directory, dataDirectory, logPath, options } = place;
  let stopping = false;
  let lastLog: string | undefined;
  const logTail = async () => lastLog ?? readTail(logPath);
  const ended = server.ended.then(async (end) => {
    lastLog = await readTail(logPath);
    if (stopping) return undefined;
    killLeftBehind(pid, end);
    const died = await startFailedByServer(place, `died with exit status ${end.status}`, end, undefined);
    await directory.close();
    return died;
  });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    stopping = true;
    await server.stop();
    const died = await ended;
    await directory.close();
    if (died !== undefined) throw died;
  };
  return {
    majorVersion: programs.majorVersion,
    version: programs.version,
    socketDirectory: directory.path,
    dataDirectory,
    superuser: options.superuser ?? DEFAULT_SUPERUSER,
    pid,
    url,
    adminUrl: url('postgres'),
    logTail,
    ended,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** A supervisor that was killed itself could not stop its server. */
function killLeftBehind(pid: number, end: ProgramEnd): void {
  if (!end.supervisorKilled) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

async function readTail(logPath: string): Promise<string> {
  return lastLines(await readFile(logPath, 'utf8').catch(() => ''));
}

function timeoutSeconds(place: ClusterPlace): number {
  return (place.options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS) / 1000;
}

async function startFailedByServer(
  place: ClusterPlace,
  what: string,
  end: ProgramEnd | undefined,
  cause: unknown,
): Promise<HoldfastError> {
  const log = await readTail(place.logPath);
  return startFailed(place, `the sandbox server ${what}`, `${log}\n${end?.said ?? ''}`, cause);
}

function startFailed(place: ClusterPlace, message: string, said: string, cause?: unknown): HoldfastError {
  const { programs, user, directory } = place;
  const unreachable = /Permission denied|can't cd/i.test(said) && user !== undefined;
  return new HoldfastError('sandbox-failed', message, {
    hint: unreachable
      ? `Holdfast runs as root, and its sandbox server as ${user.name}: let TMPDIR and PostgreSQL's programs lie where every user may go.`
      : 'The end of the server log tells why.',
    context: { version: programs.version, directory: directory.path, log: lastLines(said) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** With no space left the server cannot even write to its log why it did not start. */
async function explainFullDisk(path: string, error: unknown): Promise<unknown> {
  if (!isHoldfastError(error, 'sandbox-failed')) return error;
  const { bavail, bsize } = await statfs(path);
  const said = `${error.context['log'] ?? ''}`;
  if (bavail * bsize >= FULL_DISK_BYTES && !/No space left on device/.test(said)) return error;
  return new HoldfastError('disk-full', `no space left for a sandbox server at ${path}`, {
    hint: 'Free some space, or let TMPDIR name a directory on another disk.',
    context: { ...error.context, availableBytes: bavail * bsize },
    cause: error,
  });
}
