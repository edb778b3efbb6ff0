import { chown } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { lastLines } from '../../foundation/process.ts';
import type { RedisProgram } from '../../foundation/redis-programs.ts';
import { readLogTail } from './cluster-errors.ts';
import { freshDirectoryPath, type GuardedDirectory, openGuardedDirectory } from './guarded-directory.ts';
import { talk } from './redis-talk.ts';
import { type SupervisedProgram, superviseProgram } from './supervised-program.ts';
import { type SystemUser, sandboxUser } from './unprivileged-user.ts';

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

/** Where a server is, and as whom it runs. */
export interface RedisPlace {
  directory: GuardedDirectory;
  log: string;
  user: SystemUser | undefined;
  options: RedisServerOptions;
}

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
export const SOCKET_NAME = 'redis.sock';
const LOG_NAME = 'server.log';

/** A directory for a server, which its user may write to. */
export async function openPlace(options: RedisServerOptions): Promise<RedisPlace> {
  const user = await sandboxUser();
  const directory = await openGuardedDirectory(freshDirectoryPath(options.parentDirectory));
  if (user !== undefined) await chown(directory.path, user.uid, user.gid);
  return { directory, log: join(directory.path, LOG_NAME), user, options };
}

/**
 * Starts a server in its directory, and returns once it answers.
 * @param words of its command line: a file with its settings, or the settings themselves
 * @throws sandbox-failed when it does not start, with the end of its log; the reason of the signal. The server has ended then.
 */
export async function startServer(
  { directory, log, user, options }: RedisPlace,
  words: readonly string[],
): Promise<SupervisedProgram> {
  const server = await superviseProgram({
    ...{ command: [options.program.path, ...words], user, directory: directory.path, keeper: directory.keeper },
    ...{ serverProgram: options.program.path, dataDirectory: directory.path, logPath: log },
    ...{ stopSignal: 'TERM', graceSeconds: 5 },
  });
  try {
    await untilAnswering(server, join(directory.path, SOCKET_NAME), options, log);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Without them a configuration of this machine might be read. */
export function settings({ directory: { path }, options }: RedisPlace): (readonly [name: string, value: string])[] {
  return [
    ['port', '0'],
    ['unixsocket', join(path, SOCKET_NAME)],
    ['unixsocketperm', '700'],
    ['dir', path],
    ['databases', String(options.databases)],
    ['save', ''],
    ['appendonly', 'no'],
    ['daemonize', 'no'],
    ['logfile', ''],
    ['maxmemory-policy', 'noeviction'],
    // What was restored is read as a replica reads it, at once.
    ['repl-diskless-sync', 'yes'],
    ['repl-diskless-sync-delay', '0'],
  ];
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

/** Whether a server at this socket says that it is there, or that one has to log in first. */
async function answers(path: string): Promise<boolean> {
  try {
    return /^\+PONG|^-NOAUTH/.test(await talk(path, ['PING'], (said) => said.includes('\n')));
  } catch {
    return false;
  }
}
