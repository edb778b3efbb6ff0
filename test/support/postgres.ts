/**
 * PostgreSQL servers for tests: each a cluster of its own behind a private Unix socket, gone when the test process is.
 *
 *     const server = await startTestServer();
 *     const url = await server.createDatabase('shop');
 *     …
 *     await server.stop();
 */

import pg from 'pg';
import { systemClock } from '../../src/foundation/clock.ts';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import { listPostgresPrograms, type PostgresPrograms } from '../../src/foundation/postgres-programs.ts';
import { type PostgresCluster, type ServerSettings, startPostgresCluster } from '../../src/sandbox/local/index.ts';

export interface TestServerOptions {
  /** The newest version on this machine by default, as the distribution installs it. */
  majorVersion?: number;
  /** Instead of the machine's own: a directory with postgres and initdb, such as embeddedPostgres18BinDirectory(). */
  binDirectory?: string;
  /** Beside, or instead of, a sandbox's usual ones: `{ wal_level: 'logical', max_wal_senders: 5 }`. */
  settings?: ServerSettings;
  /** `postgres` by default. */
  superuser?: string;
}

export interface TestServer {
  majorVersion: number;
  version: string;
  socketDirectory: string;
  dataDirectory: string;
  superuser: string;
  pid: number;
  /** Connection string for a database, without a password; for another role if one is named. */
  url(database: string, role?: string): string;
  adminUrl: string;
  logTail(): Promise<string>;
  /** Makes a database, with the options of CREATE DATABASE if any, and returns its connection string. */
  createDatabase(name: string, options?: string): Promise<string>;
  /** Runs statements in a database, and returns the rows of the last one. */
  query(database: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** SIGKILL for the server and all of its children; returns when they are gone, and its directory is. */
  kill(): Promise<void>;
  /** Stops the server, unless it was killed, and removes all that it had. */
  stop(): Promise<void>;
}

/** Starts a server of one's own that nothing outside this test can reach. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const cluster = await startPostgresCluster({
    server: await serverPrograms(options),
    superuser: options.superuser ?? 'postgres',
    clock: systemClock,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  });
  return {
    ...cluster,
    url: (database, role) => {
      const url = cluster.url(database);
      return role === undefined ? url : url.replace(/\/\/[^@]*@/, () => `//${encodeURIComponent(role)}@`);
    },
    createDatabase: async (name, databaseOptions = '') => {
      await queryAt(cluster.adminUrl, `create database ${pg.escapeIdentifier(name)} ${databaseOptions}`);
      return cluster.url(name);
    },
    query: (database, sql, values) => queryAt(cluster.url(database), sql, values),
    kill: () => kill(cluster),
    stop: () => cluster.stop().catch(ignoreDeath),
  };
}

async function serverPrograms({ majorVersion, binDirectory }: TestServerOptions): Promise<PostgresPrograms> {
  const environment = binDirectory === undefined ? process.env : { HOLDFAST_POSTGRES_BIN: binDirectory };
  const found = await listPostgresPrograms(['initdb', 'postgres'], environment);
  const suitable = found.filter((each) => majorVersion === undefined || each.majorVersion === majorVersion);
  const [newest] = suitable.sort((one, other) => other.majorVersion - one.majorVersion);
  if (newest === undefined) throw new Error(`no server programs of PostgreSQL ${majorVersion ?? ''} on this machine`);
  return newest;
}

async function queryAt(url: string, sql: string, values?: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = (await client.query(sql, values)) as unknown as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
  } finally {
    await client.end();
  }
}

async function kill(cluster: PostgresCluster): Promise<void> {
  // The supervisor kills the children as soon as their postmaster is gone.
  process.kill(cluster.pid, 'SIGKILL');
  await cluster.stop().catch(ignoreDeath);
}

function ignoreDeath(error: unknown): void {
  if (!isHoldfastError(error, 'sandbox-failed') || !error.message.includes('died')) throw error;
}
