import { randomBytes } from 'node:crypto';
import { chown, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import type { ServerCopies, ServerCopy } from '../sandbox.ts';
import { readLogTail } from './cluster-errors.ts';
import { type RedisPlace, SOCKET_NAME, settings, startServer } from './redis-place.ts';
import { talk } from './redis-talk.ts';
import { stopCopies } from './stopped-copies.ts';
import { cutOff, goOn } from './stopped-processes.ts';
import type { SupervisedProgram } from './supervised-program.ts';

const POLL_MS = 50;
const LINK_TIMEOUT_MS = 60_000;
const [CONFIGURATION, PID_FILE] = ['redis.conf', 'redis.pid'];

/**
 * A server on what its directory has. Servers follow each other by a port and not through a socket: on this machine's own
 * address alone, and by a password that only these servers and this process know.
 */
class RedisCopy implements ServerCopy {
  readonly #place: RedisPlace;
  readonly #port: number;
  readonly #password: string;
  #server: SupervisedProgram | undefined;
  #pid = 0;
  #isKilled = false;

  constructor(place: RedisPlace, port: number, password: string) {
    this.#place = place;
    this.#port = port;
    this.#password = password;
  }

  get url(): string {
    return `redis://:${this.#password}@127.0.0.1:${this.#port}`;
  }

  get directory(): string {
    return this.#place.directory.path;
  }

  async configure(follows: RedisCopy | undefined): Promise<void> {
    const { user } = this.#place;
    const own = [
      ...settings(this.#place).filter(([name]) => name !== 'port'),
      ...[['port', String(this.#port)] as const, ['bind', '127.0.0.1'] as const],
      ...[['requirepass', this.#password] as const, ['masterauth', this.#password] as const],
      ...[['pidfile', join(this.directory, PID_FILE)] as const, ['repl-ping-replica-period', '1'] as const],
    ];
    const lines = own.map(([name, value]) => `${name} ${JSON.stringify(value)}\n`);
    if (follows !== undefined) lines.push(`replicaof 127.0.0.1 ${follows.#port}\n`);
    const path = join(this.directory, CONFIGURATION);
    await writeFile(path, lines.join(''), { mode: 0o600 });
    if (user !== undefined) await chown(path, user.uid, user.gid);
  }

  async start(): Promise<void> {
    if (this.#server !== undefined && !this.#isKilled) {
      goOn(this.#pid);
      return;
    }
    this.#server = await startServer(this.#place, [join(this.directory, CONFIGURATION)]);
    this.#isKilled = false;
    this.#pid = Number.parseInt(await readFile(join(this.directory, PID_FILE), 'utf8'), 10);
  }

  async kill(): Promise<void> {
    if (this.#server === undefined || this.#isKilled) return;
    this.#isKilled = true;
    process.kill(this.#pid, 'SIGKILL');
    await this.#server.ended;
  }

  async cutOff(): Promise<void> {
    // Its number may be another process's by now.
    if (!this.#isKilled) await cutOff(this.#pid);
  }

  /** @throws sandbox-failed where it does not follow in time */
  async untilLinked(): Promise<void> {
    const commands = [`AUTH ${this.#password}`, 'INFO replication', 'QUIT'];
    for (let waitedMs = 0; waitedMs < LINK_TIMEOUT_MS; waitedMs += POLL_MS) {
      const said = await talk(join(this.directory, SOCKET_NAME), commands, (text) => text.endsWith('\r\n+OK\r\n'));
      if (said.includes('master_link_status:up')) return;
      await delay(POLL_MS);
    }
    throw new HoldfastError('sandbox-failed', 'a copy of a sandbox server does not follow it', {
      hint: 'What the server said last tells why.',
      context: { said: await readLogTail(this.#place.log) },
    });
  }

  async stop(): Promise<void> {
    if (this.#server === undefined || this.#isKilled) return;
    goOn(this.#pid);
    await this.#server.stop();
  }
}

/** Copies of one server. `close` stops them, and removes the directories of those that follow. */
export class RedisCopies implements ServerCopies {
  readonly primary: ServerCopy;
  readonly followers = new Map<string, ServerCopy>();
  readonly #all: RedisCopy[] = [];
  readonly #own: RedisPlace[] = [];

  private constructor(primary: RedisCopy) {
    this.primary = primary;
    this.#all.push(primary);
  }

  /**
   * @param place of a server that has written down what it has, and was stopped
   * @param open makes the place of one that follows
   * @throws sandbox-failed
   */
  static async start(
    place: RedisPlace,
    names: readonly string[],
    open: () => Promise<RedisPlace>,
  ): Promise<RedisCopies> {
    const password = randomBytes(24).toString('hex');
    const primary = new RedisCopy(place, await freePort(), password);
    const copies = new RedisCopies(primary);
    try {
      await primary.configure(undefined);
      await primary.start();
      for (const name of names) {
        const own = await open();
        copies.#own.push(own);
        const follower = new RedisCopy(own, await freePort(), password);
        copies.#all.push(follower);
        await follower.configure(primary);
        await follower.start();
        await follower.untilLinked();
        copies.followers.set(name, follower);
      }
      return copies;
    } catch (error) {
      await settled(copies.close());
      throw error;
    }
  }

  /** @throws the first of what kept one from ending well. All of them have ended by then. */
  async close(): Promise<void> {
    await stopCopies(this.#all, this.#own);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
