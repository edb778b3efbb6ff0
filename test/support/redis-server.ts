/** A Redis server that can be stopped as a crash or an operator does, and started again on what it left. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../src/source/redis/connection/connection.ts';
import { parseLocation } from '../../src/source/redis/connection/location.ts';
import type { Word } from '../../src/source/redis/connection/resp.ts';
import { freePort } from './redis.ts';

const QUICK = ['--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', '--save', ''];

const CONFIGURATION = 'redis.conf';

interface Place {
  port: number;
  address: string;
  isApart: boolean;
}

export class RedisServer {
  /** Where its files are. */
  readonly directory: string;
  readonly port: number;
  readonly address: string;
  readonly #settings: readonly string[];
  readonly #isApart: boolean;
  #process!: ChildProcess;
  #connection: Connection | undefined;

  private constructor(directory: string, place: Place, settings: readonly string[]) {
    this.directory = directory;
    this.port = place.port;
    this.address = place.address;
    this.#settings = settings;
    this.#isApart = place.isApart;
  }

  /**
   * @param settings as on a command line: `--repl-backlog-size`, `16kb`
   * @param place `hasFile`: it has a configuration file, to which it writes what it is told; `isApart`: what a terminal
   *   interrupts is not it, so that who is interrupted may still need it
   */
  static async start(
    settings: readonly string[] = [],
    directory = mkdtempSync(join(tmpdir(), 'redis-')),
    { port, address = '127.0.0.1', hasFile = false, isApart = false }: Partial<Place> & { hasFile?: boolean } = {},
  ): Promise<RedisServer> {
    if (hasFile) writeFileSync(join(directory, CONFIGURATION), '');
    const place = { port: port ?? (await freePort()), address, isApart };
    const server = new RedisServer(directory, place, [...QUICK, ...settings]);
    await server.run();
    return server;
  }

  /** Starts it, again after it was stopped. */
  async run(): Promise<void> {
    const place = ['--port', String(this.port), '--bind', this.address, '--dir', this.directory];
    const file = join(this.directory, CONFIGURATION);
    const words = [...(existsSync(file) ? [file] : []), ...place, ...this.#settings];
    this.#process = spawn('redis-server', words, { stdio: 'ignore', detached: this.#isApart });
    for (const deadline = Date.now() + 30_000; ; await sleep(20)) {
      try {
        this.#connection = await this.#open();
        if ((await this.#connection.attempt('wait', ['PING'])) === 'PONG') return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  get url(): string {
    return `redis://${this.address}:${this.port}`;
  }

  async call(...words: Word[]): ReturnType<Connection['call']> {
    this.#connection ??= await this.#open();
    return this.#connection.call('test', words);
  }

  /** Is no client of it any more, until the next call. */
  leave(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  /** What a key holds, as text. */
  async text(...words: Word[]): Promise<string> {
    return String(await this.call(...words));
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#connection?.destroy();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill(signal);
    await once(this.#process, 'exit');
  }

  #open(): Promise<Connection> {
    return Connection.open(parseLocation(this.url), { side: 'target', signal: new AbortController().signal });
  }
}
