import { chown } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { lastLines } from '../../foundation/process.ts';
import type { RedisProgram } from '../../foundation/redis-programs.ts';
import type { SandboxNeed } from '../sandbox.ts';
import { readLogTail } from './cluster-errors.ts';
import { freshDirectoryPath, type GuardedDirectory, openGuardedDirectory } from './guarded-directory.ts';
import { type SupervisedProgram, superviseProgram } from './supervised-program.ts';
import { sandboxUser } from './unprivileged-user.ts';

export type RedisNeed = Extract<SandboxNeed, { kind: 'redis' }>;

export interface RedisServerOptions {
  program: RedisProgram;
  /** How many databases it has. */
  databases: number;
  clock: Clock;
  signal?: AbortSignal | undefined;
  parentDirectory?: string | undefined;
  /** How long it may take to start: 30 s by default. */
  startTimeoutMs?: number | undefined;
}

/** A running server of one's own, reachable by its Unix socket and by nothing else. */
export interface RedisServer {
  url: string;
  /** @throws sandbox-failed when it had died by itself, with the end of its log */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
const SOCKET_NAME = 'redis.sock';
const LOG_NAME = 'server.log';

/**
 * Starts an empty server that keeps nothing: no file, no replicas, no network but what it is told to connect to. It runs as
 * this process's user, or as nobody when that is root; all of it is gone after `stop`, or after this process.
 * @throws sandbox-failed when it does not start, with the end of its log; the reason of the signal
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  options.signal?.throwIfAborted();
  const user = await sandboxUser();
  const directory = await openGuardedDirectory(freshDirectoryPath(options.parentDirectory));
  const log = join(directory.path, LOG_NAME);
  let server: SupervisedProgram | undefined;
  try {
    if (user !== undefined) await chown(directory.path, user.uid, user.gid);
    server = await superviseProgram({
      command: [options.program.path, ...settings(directory.path, options.databases)],
      user,
      directory: directory.path,
      keeper: directory.keeper,
      serverProgram: options.program.path,
      dataDirectory: directory.path,
      logPath: log,
      stopSignal: 'TERM',
      graceSeconds: 5,
    });
    await untilAnswering(server, join(directory.path, SOCKET_NAME), options, log);
    return running(server, directory, log);
  } catch (error) {
    await server?.stop();
    await directory.close();
    throw error;
  }
}

/** Given as arguments: no configuration of this machine is read. */
function settings(directory: string, databases: number): string[] {
  const values: readonly (readonly [string, string])[] = [
    ['port', '0'],
    ['unixsocket', join(directory, SOCKET_NAME)],
    ['unixsocketperm', '700'],
    ['dir', directory],
    ['databases', String(databases)],
    ['save', ''],
    ['appendonly', 'no'],
    ['daemonize', 'no'],
    ['logfile', ''],
    ['maxmemory-policy', 'noeviction'],
    // What was restored is read as a replica reads it, at once.
    ['repl-diskless-sync', 'yes'],
    ['repl-diskless-sync-delay', '0'],
  ];
  return values.flatMap(([name, value]) => [`--${name}`, value]);
}

function running(server: SupervisedProgram, directory: GuardedDirectory, log: string): RedisServer {
  let stopping = false;
  const ended = server.ended.then(async ({ status }) => {
    if (stopping) return undefined;
    return new HoldfastError('sandbox-failed', `the sandbox server died with exit status ${status}`, {
      hint: 'What the server said last tells why.',
      context: { said: await readLogTail(log) },
    });
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    await server.stop();
    const died = await ended;
    await directory.close();
    if (died !== undefined) throw died;
  };
  let stopped: Promise<void> | undefined;
  return {
    url: `redis+unix://${encodeURI(join(directory.path, SOCKET_NAME))}`,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function untilAnswering(
  server: SupervisedProgram,
  socket: string,
  { clock, signal, startTimeoutMs = START_TIMEOUT_MS, program }: RedisServerOptions,
  log: string,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + startTimeoutMs;
  let status: number | undefined;
  let said = '';
  void server.ended.then((end) => {
    ({ status, said } = end);
  });
  for (;;) {
    signal?.throwIfAborted();
    if (await answers(socket)) return;
    const isLate = clock.monotonicMs() > deadlineMs;
    if (status === undefined && !isLate) {
      await delay(POLL_MS);
      continue;
    }
    const what = status === undefined ? `did not answer within ${startTimeoutMs / 1000} s` : `ended with ${status}`;
    throw new HoldfastError('sandbox-failed', `the sandbox server ${what}`, {
      hint: 'What the server said last tells why.',
      context: { version: program.version, said: lastLines(`${await readLogTail(log)}\n${said}`) },
    });
  }
}

/** Whether a server at this socket says that it is there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (bytes: Buffer) => end(bytes.toString('latin1').startsWith('+PONG')));
    socket.once('error', () => end(false)).once('close', () => end(false));
  });
}
