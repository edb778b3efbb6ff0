/** What tests of a followed log share: a cluster, a plan for it, and a follower as a process of its own. */

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { StoredLog } from '../../src/operations/log/stored-log.ts';
import { segmentName } from '../../src/operations/log/wal-snapshots.ts';
import { listSnapshots, openRepository, type Repository } from '../../src/repository/index.ts';
import { slotName } from '../../src/source/postgres/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { environment, holdfast, initialise, PASSWORD, type Ran, startHoldfast } from './cli.ts';
import { initialiseDirectory, type StartedDirectory, serverDirectory, startDirectory } from './data-directory.ts';
import { ledgerOf, testDirectory } from './repository.ts';

/** Segments that the server is done with stay, so that they can be compared. */
const SETTINGS = { wal_level: 'replica', max_wal_senders: '6', wal_keep_size: '4GB', max_wal_size: '64MB' };
export const SLOT = slotName('shop', 'db');

export class FollowedCluster {
  readonly directory = testDirectory();
  readonly data: string;
  server: StartedDirectory;
  /** Once it was started. */
  standby: StartedDirectory | undefined;
  readonly #binDirectory: string;
  readonly #settings: Record<string, string>;
  #repository: Promise<Repository> | undefined;

  private constructor(binDirectory: string, data: string, server: StartedDirectory, settings: Record<string, string>) {
    this.#binDirectory = binDirectory;
    this.data = data;
    this.server = server;
    this.#settings = settings;
  }

  /** @param keys of the source in the plan, beside the usual ones */
  static async start(
    binDirectory: string,
    settings: Record<string, string> = {},
    keys: Record<string, unknown> = {},
  ): Promise<FollowedCluster> {
    const data = await initialiseDirectory(binDirectory);
    const all = { ...SETTINGS, unix_socket_directories: await serverDirectory(), ...settings };
    const server = await startDirectory(binDirectory, data, { settings: all });
    const cluster = new FollowedCluster(binDirectory, data, server, all);
    cluster.#writePlan(keys);
    await initialise(cluster.directory);
    return cluster;
  }

  /** Stops the server as a crash does, and starts it again. */
  async restart(meanwhile: () => void = () => {}): Promise<void> {
    await this.server.stop();
    meanwhile();
    this.server = await startDirectory(this.#binDirectory, this.data, { settings: this.#settings });
  }

  /** Makes a server that follows this one, of a data directory that was restored of it. */
  async startStandby(data: string): Promise<StartedDirectory> {
    const { unix_socket_directories: sockets, ...settings } = this.#settings;
    writeFileSync(join(data, 'standby.signal'), '');
    writeFileSync(join(data, 'postgresql.auto.conf'), `primary_conninfo = 'host=${sockets} user=postgres'\n`);
    this.standby = await startDirectory(this.#binDirectory, data, { settings });
    return this.standby;
  }

  /** Gives the repository a mirror in a directory of this name. */
  addMirror(name: string): void {
    const { repositories } = this.#plan;
    this.alterPlan({ repositories: { ...(repositories as object), [name]: { store: `./${name}`, mirrorOf: 'main' } } });
  }

  /** Puts these keys in place of what the plan has. */
  alterPlan(keys: Record<string, unknown>): void {
    writeFileSync(join(this.directory, 'holdfast.yaml'), JSON.stringify({ ...this.#plan, ...keys }));
  }

  get #plan(): Record<string, unknown> {
    return JSON.parse(readFileSync(join(this.directory, 'holdfast.yaml'), 'utf8')) as Record<string, unknown>;
  }

  #writePlan(keys: Record<string, unknown>): void {
    const isOfStandby = keys['standby'] !== undefined;
    const plan = {
      version: 1,
      name: 'shop',
      repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
      sources: { db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'physical', wal: 'stream', ...keys } },
      ...(isOfStandby && { standbys: { [String(keys['standby'])]: { of: 'db', url: { env: 'STANDBY_URL' } } } }),
    };
    writeFileSync(join(this.directory, 'holdfast.yaml'), JSON.stringify(plan));
  }

  get environment(): Record<string, string> {
    const standby = this.standby === undefined ? {} : { STANDBY_URL: this.standby.url('postgres') };
    return environment({ DB_URL: this.url, HOLDFAST_POSTGRES_BIN: this.#binDirectory, ...standby });
  }

  /** The same before and after the server was started again. */
  get url(): string {
    return this.server.url('postgres');
  }

  query(sql: string): Promise<Record<string, unknown>[]> {
    return this.server.query(sql);
  }

  run(...words: string[]): Promise<Ran> {
    return holdfast(this.directory, words, this.environment);
  }

  follow(...words: string[]): ReturnType<typeof startHoldfast> {
    return startHoldfast(this.directory, ['follow', '--every', '1s', ...words], this.environment);
  }

  get repository(): Promise<Repository> {
    this.#repository ??= openRepository(createLocalStore(join(this.directory, 'repository')), PASSWORD);
    return this.#repository;
  }

  /** Puts the repository where it cannot be reached, and a file in its place. */
  loseRepository(): void {
    renameSync(join(this.directory, 'repository'), join(this.directory, 'elsewhere'));
    writeFileSync(join(this.directory, 'repository'), '');
  }

  findRepository(): void {
    rmSync(join(this.directory, 'repository'));
    renameSync(join(this.directory, 'elsewhere'), join(this.directory, 'repository'));
  }

  /** What the ledger has, oldest first. */
  async eventKinds(): Promise<string[]> {
    const events = await ledgerOf(await this.repository).read();
    return events.map(({ kind }) => kind);
  }

  async stored(): Promise<StoredLog> {
    const repository = await this.repository;
    return StoredLog.read(repository, { plan: 'shop', source: 'db' }, () => listSnapshots(repository));
  }

  async system(): Promise<string> {
    const [row] = await this.query('select system_identifier::text as system from pg_control_system()');
    return String(row?.['system']);
  }

  async lsn(): Promise<bigint> {
    const [row] = await this.query(`select (pg_current_wal_flush_lsn() - '0/0')::text as lsn`);
    return BigInt(String(row?.['lsn']));
  }

  async slot(): Promise<Record<string, unknown> | undefined> {
    const [row] = await this.query(
      `select active, active_pid, (restart_lsn - '0/0')::text as restart from pg_replication_slots where slot_name = '${SLOT}'`,
    );
    return row;
  }

  /** Waits until the repository has the log up to where the server is now, and gives that position. */
  async caughtUp(timeoutMs = 60_000): Promise<bigint> {
    const lsn = await this.lsn();
    const system = await this.system();
    await until(async () => ((await this.stored()).positionOf(system)?.lsn ?? 0n) >= lsn, timeoutMs);
    return lsn;
  }

  /** Compares all that is stored with the server's own files. @returns how many bytes were compared */
  async compare(): Promise<number> {
    const system = await this.system();
    const stored = await this.stored();
    const [row] = await this.query(`select setting from pg_settings where name = 'wal_segment_size'`);
    const segmentBytes = Number(row?.['setting']);
    let compared = 0;
    for (const { timeline, start, end } of stored.ranges(system)) {
      for (let at = start; at < end; ) {
        const segment = at - (at % BigInt(segmentBytes));
        const next = segment + BigInt(segmentBytes);
        const stop = next < end ? next : end;
        const file = readFileSync(join(this.data, 'pg_wal', segmentName(timeline, segment, segmentBytes)));
        const expected = file.subarray(Number(at - segment), Number(stop - segment));
        const found = await stored.read(system, { timeline, start: at, end: stop });
        if (!found.equals(expected)) throw new Error(`${segmentName(timeline, segment, segmentBytes)} differs`);
        compared += found.length;
        at = stop;
      }
    }
    return compared;
  }

  /** Writes to the log, some 250 KB at a time, until it is told to stop, over whatever happens to the server. */
  load(pauseMs = 20): { stop(): Promise<void> } {
    let isOver = false;
    const done = (async () => {
      while (!isOver) {
        const client = new pg.Client({ connectionString: this.url });
        client.on('error', () => {});
        try {
          await client.connect();
          await client.query('create table if not exists filler (id bigserial, content text)');
          while (!isOver) {
            await client.query('insert into filler (content) select md5(random()::text) from generate_series(1, 2000)');
            await new Promise((resolve) => setTimeout(resolve, pauseMs));
          }
          await client.end();
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    })();
    return {
      stop: async () => {
        isOver = true;
        await done;
      },
    };
  }
}

export async function until(holds: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error('it did not come about in time');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
