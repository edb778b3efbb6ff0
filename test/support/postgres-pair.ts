/** A PostgreSQL primary and its standby, each on a data directory and a port of its own, that can be killed and started again. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { isProcessThere } from '../../src/foundation/process-alive.ts';
import { settled } from '../../src/foundation/promises.ts';
import {
  initialiseDirectory,
  runAsServer,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from './data-directory.ts';
import { until } from './followed.ts';
import { freePort } from './redis.ts';

export const STANDBY_SLOT = 'the_standby';
const SETTINGS = {
  wal_level: 'replica',
  max_wal_senders: '8',
  max_wal_size: '64MB',
  wal_keep_size: '64MB',
  wal_retrieve_retry_interval: '200ms',
};

/** One of the two. */
export class PairedServer {
  readonly directory: string;
  readonly port: number;
  readonly address: string;
  readonly #binDirectory: string;
  #started: StartedDirectory | undefined;

  constructor(binDirectory: string, directory: string, port: number, address = '127.0.0.1') {
    this.#binDirectory = binDirectory;
    this.directory = directory;
    this.port = port;
    this.address = address;
  }

  async start(): Promise<void> {
    const settings = { ...SETTINGS, listen_addresses: this.address, port: String(this.port) };
    this.#started = await startDirectory(this.#binDirectory, this.directory, { settings });
  }

  /** A server that takes the place of this one, at its address, on another directory. */
  replacedBy(directory: string): PairedServer {
    return new PairedServer(this.#binDirectory, directory, this.port, this.address);
  }

  url(database = 'postgres', role = 'postgres'): string {
    return `postgres://${role}@${this.address}:${this.port}/${database}?sslmode=disable`;
  }

  /** As a superuser, past a fence. */
  query(sql: string): Promise<Record<string, unknown>[]> {
    return queryOnce(this.url(), sql, '-c session_preload_libraries=');
  }

  /** Every process of it, at once, as when the power goes. */
  async kill(): Promise<void> {
    const pid = this.#started!.pid;
    process.kill(pid, 'SIGSTOP');
    const all = [...childrenOf(pid), pid];
    for (const each of all) process.kill(each, 'SIGKILL');
    await until(async () => !all.some(isProcessThere));
  }

  async stop(): Promise<void> {
    await runAsServer(join(this.#binDirectory, 'pg_ctl'), ['-D', this.directory, '-w', '-m', 'fast', 'stop']);
  }

  async end(): Promise<void> {
    if (this.#started !== undefined) await settled(this.#started.stop());
  }
}

/** One statement over a connection of its own. @returns the rows of the last one */
export async function queryOnce(
  connectionString: string,
  sql: string,
  options = '',
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString, options });
  client.on('error', () => {});
  await client.connect();
  try {
    const result = (await client.query(sql)) as unknown as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
  } finally {
    await client.end();
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

export class PostgresPair {
  readonly primary: PairedServer;
  readonly standby: PairedServer;

  private constructor(primary: PairedServer, standby: PairedServer) {
    this.primary = primary;
    this.standby = standby;
  }

  /**
   * @param prepare is run on the primary before its copy is taken
   * @param hba lines before those of pg_hba.conf, which let everybody of this machine in
   * @param isOnePort both listen on one port, the standby at 127.0.0.2, as servers do that one name leads to
   */
  static async start(
    binDirectory: string,
    prepare: string,
    { isSynchronous = false, isOnePort = false, hba = '' } = {},
  ): Promise<PostgresPair> {
    const first = await initialiseDirectory(binDirectory);
    const hbaFile = join(first, 'pg_hba.conf');
    writeFileSync(hbaFile, `${hba}${readFileSync(hbaFile, 'utf8')}`);
    const primary = new PairedServer(binDirectory, first, await freePort());
    await primary.start();
    await primary.query(prepare);
    await primary.query(`select pg_create_physical_replication_slot('${STANDBY_SLOT}', true)`);
    await primary.stop();
    const second = join(await serverDirectory(), 'data');
    await runAsServer('/bin/cp', ['-a', first, second]);
    const standby = isOnePort
      ? new PairedServer(binDirectory, second, primary.port, '127.0.0.2')
      : new PairedServer(binDirectory, second, await freePort());
    const conninfo = `host=127.0.0.1 port=${primary.port} user=postgres application_name=second`;
    writeFileSync(
      join(second, 'postgresql.auto.conf'),
      `primary_conninfo = '${conninfo}'\nprimary_slot_name = '${STANDBY_SLOT}'\n`,
    );
    writeFileSync(join(second, 'standby.signal'), '');
    await primary.start();
    await standby.start();
    const pair = new PostgresPair(primary, standby);
    await pair.streaming();
    if (isSynchronous) {
      await primary.query(`alter system set synchronous_standby_names = 'second'`);
      await primary.query('select pg_reload_conf()');
      await until(async () => (await pair.followers())[0]?.['sync_state'] === 'sync');
    }
    return pair;
  }

  followers(): Promise<Record<string, unknown>[]> {
    return this.primary.query('select state, sync_state from pg_stat_replication');
  }

  async streaming(): Promise<void> {
    await until(async () => (await this.followers())[0]?.['state'] === 'streaming');
  }

  async end(): Promise<void> {
    await Promise.all([this.primary.end(), this.standby.end()]);
  }
}
