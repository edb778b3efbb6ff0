/** An application that writes throughout, finds its servers by one name and one port, and remembers what was acknowledged. */
import { Resolver } from 'node:dns/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import pg from 'pg';
import { settled } from '../../../src/foundation/promises.ts';
import { Connection } from '../../../src/source/redis/connection/connection.ts';
import { parseLocation } from '../../../src/source/redis/connection/location.ts';

export interface Endpoints {
  /** Where the name server listens. */
  nameServer: string;
  name: string;
  /** The name of the Redis server, where that has one of its own. */
  redisName?: string;
  postgresPort: number;
  redisPort: number;
  /** As whom it writes rows. */
  login?: { user: string; password: string };
}

/** A write that the server said was durable. */
export interface Acknowledged {
  id: string;
  atMs: number;
  /** The server's log went as far, or less, when it was written. */
  lsn: bigint;
}

const WRITERS = 3;
const RETRY_MS = 50;
const BETWEEN_MS = 5;
const STATEMENT_MS = 5000;

export class Application {
  readonly acknowledged: Acknowledged[] = [];
  readonly acknowledgedByRedis: string[] = [];
  readonly #endpoints: Endpoints;
  readonly #resolver = new Resolver({ timeout: 1000, tries: 2 });
  #isOver = false;
  /** Why the last attempt of each writer failed. */
  readonly #failures = new Map<string, unknown>();
  readonly #running: Promise<void>[];

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
    this.#resolver.setServers([endpoints.nameServer]);
    const writers = Array.from({ length: WRITERS }, (_, writer) =>
      this.#again(`rows ${writer}`, () => this.#writeRows(writer)),
    );
    this.#running = [...writers, this.#again('keys', () => this.#writeKeys())];
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  /** Until so many more writes of each kind were acknowledged. */
  async goesOn(writes = 20, timeoutMs = 60_000): Promise<void> {
    const [rows, keys] = [this.acknowledged.length + writes, this.acknowledgedByRedis.length + writes];
    for (const deadlineMs = Date.now() + timeoutMs; ; await pause(20)) {
      const missing = { rows: rows - this.acknowledged.length, keys: keys - this.acknowledgedByRedis.length };
      if (missing.rows <= 0 && missing.keys <= 0) return;
      if (Date.now() > deadlineMs) {
        const failures = [...this.#failures].map(([writer, failure]) => `${writer}: ${inspect(failure)}`);
        throw new Error(`the application cannot write: ${inspect(missing)} missing\n${failures.join('\n')}`);
      }
    }
  }

  /** What fails is begun anew, as applications do that have to go on. */
  async #again(writer: string, write: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await write();
      } catch (failure) {
        this.#failures.set(writer, failure);
        await pause(RETRY_MS);
      }
    }
  }

  async #address(name = this.#endpoints.name): Promise<string> {
    const [address = ''] = await this.#resolver.resolve4(name);
    return address;
  }

  async #writeRows(writer: number): Promise<void> {
    const { postgresPort: port, login = { user: 'app' } } = this.#endpoints;
    const client = new pg.Client({
      ...{ host: await this.#address(), port, ...login, database: 'postgres', ssl: false },
      ...{ connectionTimeoutMillis: 2000, query_timeout: STATEMENT_MS },
    });
    client.on('error', () => {});
    try {
      await client.connect();
      while (!this.#isOver) {
        const id = `${writer}-${process.hrtime.bigint()}`;
        const { rows } = await client.query(
          `insert into writes (id) values ($1) returning (pg_current_wal_insert_lsn() - '0/0')::text as lsn`,
          [id],
        );
        this.acknowledged.push({ id, atMs: Date.now(), lsn: BigInt(rows[0].lsn) });
        await pause(BETWEEN_MS);
      }
    } finally {
      await Promise.race([settled(client.end()), pause(500)]);
    }
  }

  async #writeKeys(): Promise<void> {
    const { redisName, redisPort } = this.#endpoints;
    const location = parseLocation(`redis://${await this.#address(redisName)}:${redisPort}`);
    const connection = await Connection.open(location, {
      ...{ side: 'target' as const, signal: new AbortController().signal, silenceMs: STATEMENT_MS },
    });
    try {
      while (!this.#isOver) {
        const key = `key-${process.hrtime.bigint()}`;
        await connection.call('write', ['SET', key, '1']);
        this.acknowledgedByRedis.push(key);
        await pause(BETWEEN_MS);
      }
    } finally {
      connection.destroy();
    }
  }
}
