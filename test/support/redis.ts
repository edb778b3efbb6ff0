/** Redis servers for tests: real ones, with a directory and a free port of their own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Connection } from '../../src/source/redis/connection/connection.ts';
import { parseLocation } from '../../src/source/redis/connection/location.ts';
import type { Reply, Word } from '../../src/source/redis/connection/resp.ts';
import { ReplicaLink } from '../../src/source/redis/replication/replica-link.ts';

const SILENT = new AbortController().signal;
const START_TRIES = 400;

export interface TestRedis {
  directory: string;
  port: number;
  socket: string;
  /** Without TLS, over TCP. */
  url: string;
  child: ChildProcess;
  /** Runs one command. */
  run(...words: Word[]): Promise<Reply>;
  /** Runs commands, all at once. */
  all(commands: readonly (readonly Word[])[]): Promise<void>;
  /** The server's own digest of all that it has, which no order and no encoding changes. */
  digest(): Promise<string>;
  log(): string;
  stop(): Promise<void>;
}

/** @param settings beside the usual ones, as they are given to the program: `--maxmemory`, `1gb` */
export async function startRedis(settings: readonly string[] = []): Promise<TestRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'redis-'));
  const port = await freePort();
  const socket = join(directory, 'redis.sock');
  const log = join(directory, 'redis.log');
  const child = spawn(
    'redis-server',
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', directory, '--logfile', log],
      ...['--save', '', '--repl-diskless-sync-delay', '0', '--enable-debug-command', 'yes', ...settings],
    ],
    { stdio: 'ignore' },
  );
  const location = parseLocation(`redis+unix://${socket}`);
  const connection = await connected(location);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return {
    directory,
    port,
    socket,
    url: `redis://127.0.0.1:${port}`,
    child,
    run: (...words) => connection.call(`run ${String(words[0])}`, words),
    async all(commands) {
      await Promise.all(commands.map((words) => connection.call(`run ${String(words[0])}`, words)));
    },
    digest: async () => String(await connection.call('digest', ['DEBUG', 'DIGEST'])),
    log: () => readFileSync(log, 'utf8'),
    async stop() {
      connection.destroy();
      child.kill('SIGKILL');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function connected(location: ReturnType<typeof parseLocation>): Promise<Connection> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await Connection.open(location, { side: 'source', signal: SILENT });
    } catch (error) {
      if (attempt === START_TRIES) throw error;
      await pause(20);
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The RDB of a server, as a replica gets it. */
export async function rdbOf({ url }: Pick<TestRedis, 'url'>): Promise<Buffer> {
  const link = await ReplicaLink.open(parseLocation(url), { signal: SILENT, purpose: 'rdb-only' });
  try {
    const synchronized = await link.synchronize();
    if (synchronized.kind !== 'full') throw new Error('no RDB came');
    const parts: Buffer[] = [];
    for await (const bytes of synchronized.rdb) parts.push(bytes);
    return Buffer.concat(parts);
  } finally {
    link.close();
  }
}

const [HOUR_MS, LIBRARY] = [3_600_000, "#!lua name=lib\nredis.register_function('f', function() return 1 end)"];

/** Something of every type, in every form that it takes, in two databases, some of it with a time to live. */
export async function fillRedis(server: TestRedis, expiresMs: number = Date.now() + HOUR_MS): Promise<void> {
  const many = Array.from({ length: 600 }, (_, index) => index);
  const long = Buffer.alloc(200, 'long ');
  await server.all([
    ['FLUSHALL'],
    ['FUNCTION', 'FLUSH'],
    ['SELECT', 0],
    ['MSET', 'text', 'hello', 'number', '12345', 'negative', '-70000', '42', 'key of a number', 'empty', ''],
    ['SET', Buffer.from([0, 255, 13, 10, 36]), Buffer.from([0xfe, 0, 0xff])],
    ['SET', 'expiring', 'soon', 'PXAT', expiresMs],
    ['SET', 'compressible', Buffer.alloc(3_000_000, 'again and ')],
    ['SETRANGE', 'zeros', 2_000_000, 'x'],
    ['RPUSH', 'list', 'a', 'b', 1, -1, 4095, -4096, 70_000, 5_000_000, 10_000_000_000, long],
    ['RPUSH', 'long list', ...many.map((index) => `item ${index} ${'x'.repeat(index)}`), Buffer.alloc(1_500_000, 7)],
    ['SADD', 'small numbers', 1, 2, 3],
    ['SADD', 'large numbers', 1, 70_000, '9007199254740993'],
    ['SADD', 'set', 'a', 'b', 3],
    ['SADD', 'long set', ...many],
    ['SADD', 'long text set', ...many.map((index) => `member ${index}`)],
    ['HSET', 'hash', 'f', 'v', 'n', 17, 'long', long],
    ['HSET', 'long hash', ...many.flatMap((index) => [`field ${index}`, index])],
    ['ZADD', 'zset', 1, 'a', 2.5, 'b', '-inf', 'c', '+inf', 'd', '1e-300', 'e', -3, 7],
    ['ZADD', 'long zset', ...many.flatMap((index) => [index / 3, `m${index}`])],
    ['XADD', 'stream', '1-1', 'f', 'v', 'g', '2'],
    ['XADD', 'stream', '1-2', 'f', 'w', 'g', '3'],
    ['XADD', 'stream', '5-0', 'other', long],
    ['XDEL', 'stream', '1-2'],
    ['XGROUP', 'CREATE', 'stream', 'group', 0],
    ['XREADGROUP', 'GROUP', 'group', 'first', 'COUNT', 1, 'STREAMS', 'stream', '>'],
    ['XREADGROUP', 'GROUP', 'group', 'second', 'STREAMS', 'stream', '>'],
    ['XACK', 'stream', 'group', '1-1'],
    ['XGROUP', 'CREATECONSUMER', 'stream', 'group', 'idle'],
    ['PFADD', 'probably', 'a', 'b', 'c'],
    ['FUNCTION', 'LOAD', LIBRARY],
    ['SELECT', 9],
    ['SET', 'text', 'of another database'],
    ['HSET', 'hash', 'a', 'b'],
    ['PEXPIREAT', 'hash', expiresMs + 1],
    ['SELECT', 0],
  ]);
}
