import { join } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import type { SandboxNeed, ServerCopies } from '../sandbox.ts';
import { readLogTail } from './cluster-errors.ts';
import { RedisCopies } from './redis-copies.ts';
import {
  openPlace,
  type RedisPlace,
  type RedisServerOptions,
  SOCKET_NAME,
  settings,
  startServer,
} from './redis-place.ts';
import { talk } from './redis-talk.ts';
import type { SupervisedProgram } from './supervised-program.ts';

/** It answers nothing while it writes, and the fullest take minutes. */
const SAVE_TIMEOUT_MS = 10 * 60_000;

export type RedisNeed = Extract<SandboxNeed, { kind: 'redis' }>;

/** A running server of one's own, reachable by its Unix socket and by nothing else. */
export interface RedisServer {
  url: string;
  /** See `SandboxTarget`: this server is gone then, and `stop` stops its copies. */
  copies(followers: readonly string[]): Promise<ServerCopies>;
  /** @throws sandbox-failed when it had died by itself, with the end of its log */
  stop(): Promise<void>;
}

/**
 * Starts an empty server that keeps nothing: no file, no replicas, no network but what it is told to connect to. It runs as
 * this process's user, or as nobody when that is root; all of it is gone after `stop`, or after this process.
 * @throws sandbox-failed when it does not start, with the end of its log; the reason of the signal
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  options.signal?.throwIfAborted();
  const place = await openPlace(options);
  const values = settings(place).flatMap(([name, value]) => [`--${name}`, value]);
  try {
    return running(await startServer(place, values), place);
  } catch (error) {
    await place.directory.close();
    throw error;
  }
}

/** Has a server write down all that it has. @throws sandbox-failed where it does not */
async function save({ directory }: RedisPlace): Promise<void> {
  const said = await talk(join(directory.path, SOCKET_NAME), ['SAVE'], (all) => all.includes('\n'), SAVE_TIMEOUT_MS);
  if (said.startsWith('+')) return;
  throw new HoldfastError('sandbox-failed', `the sandbox server cannot write down what it has: ${said.trim()}`, {
    hint: 'See whether there is room for it where sandboxes are.',
    context: { directory: directory.path },
  });
}

function running(server: SupervisedProgram, place: RedisPlace): RedisServer {
  const { directory, log } = place;
  let stopping = false;
  let copied: RedisCopies | undefined;
  const ended = server.ended.then(async ({ status }) => {
    if (stopping) return undefined;
    return new HoldfastError('sandbox-failed', `the sandbox server died with exit status ${status}`, {
      hint: 'What the server said last tells why.',
      context: { said: await readLogTail(log) },
    });
  });
  const halt = async (): Promise<void> => {
    stopping = true;
    await server.stop();
    const died = await ended;
    if (died !== undefined) throw died;
  };
  const stop = async (): Promise<void> => {
    try {
      await copied?.close();
      await halt();
    } finally {
      await directory.close();
    }
  };
  const copies = async (followers: readonly string[]): Promise<ServerCopies> => {
    await save(place);
    await halt();
    copied = await RedisCopies.start(place, followers, () => openPlace(place.options));
    return copied;
  };
  let stopped: Promise<void> | undefined;
  return {
    url: `redis+unix://${encodeURI(join(directory.path, SOCKET_NAME))}`,
    copies,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}
