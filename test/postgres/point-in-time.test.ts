import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { findWantedPoint } from '../../src/operations/restore/recovery-point.ts';
import type { LogRange } from '../../src/repository/index.ts';
import { WalRecords } from '../../src/source/postgres/wal/records.ts';
import { document, holdfast } from '../support/cli.ts';
import { serverDirectory, startDirectory } from '../support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { FollowedCluster, until } from '../support/followed.ts';
import { logWorkspace } from '../support/log.ts';
import { requires } from '../support/requirements.ts';

const VERSIONS = [
  { version: 15, binDirectory: '/usr/lib/postgresql/15/bin', isHere: requires('postgresql') },
  { version: 18, binDirectory: embeddedPostgres18BinDirectory() ?? '', isHere: requires('embedded-postgres') },
];

interface Order {
  id: string;
  committedMs: number;
}

const isBase = ({ tags }: { tags: string[] }) => tags.includes('kind:base');
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Orders stream in over several connections, until the table is gone. Each one that was acknowledged is remembered. */
function takeOrders(cluster: FollowedCluster): { acknowledged: Set<string>; done: Promise<unknown> } {
  const acknowledged = new Set<string>();
  const client = async (): Promise<void> => {
    const connection = new pg.Client({ connectionString: cluster.url });
    await connection.connect();
    try {
      for (;;) {
        const { rows } = await connection.query(
          'insert into orders (content) values (md5(random()::text)) returning id',
        );
        acknowledged.add(String(rows[0].id));
        // Some thousands show as much as all that a processor bears.
        await pause(2);
      }
    } catch (error) {
      if ((error as { code?: string }).code !== '42P01') throw error;
    } finally {
      await connection.end();
    }
  };
  return { acknowledged, done: Promise.all([client(), client(), client()]) };
}

for (const { version, binDirectory, isHere } of VERSIONS) {
  describe.skipIf(!isHere)(`a restore of PostgreSQL ${version} to a point in time`, { timeout: 120_000 }, () => {
    let cluster: FollowedCluster;
    let follower: ReturnType<FollowedCluster['follow']>;
    /** All orders that there were when the table was dropped, as the server says when they were committed. */
    let orders: Order[] = [];
    const acknowledged = new Set<string>();
    let droppedLsn: bigint;
    /** Where the server says that restore points end, by name; and transactions that ended before the newest backup. */
    const points = new Map<string, bigint>();
    const ended = { plain: '', rollback: '', commit: '' };
    let bases: { id: string }[];

    async function restorePoint(name: string): Promise<void> {
      const [row] = await cluster.query(`select (pg_create_restore_point('${name}') - '0/0')::text as lsn`);
      points.set(name, BigInt(String(row!['lsn'])));
    }

    /** Ends transactions in every way. What stands before a prepared one's number depends on what it has done. */
    async function endTransactions(): Promise<void> {
      const numberOf = async (sql: string) => String((await cluster.query(sql))[0]!['xid']);
      await cluster.query('create table plain as select pg_current_xact_id()::text as xid');
      ended.plain = await numberOf('select xid from plain');
      await cluster.query('create table dropped (id serial primary key, content text)');
      for (const end of ['rollback', 'commit'] as const) {
        const change = 'savepoint a; drop table dropped; release a; create table made (id serial primary key)';
        await cluster.query(`begin; ${change}; prepare transaction '${end}'`);
        ended[end] = await numberOf(`select transaction::text as xid from pg_prepared_xacts where gid = '${end}'`);
        await cluster.query(`${end} prepared '${end}'`);
      }
    }

    beforeAll(async () => {
      cluster = await FollowedCluster.start(binDirectory, {
        track_commit_timestamp: 'on',
        max_prepared_transactions: '2',
        unix_socket_directories: await serverDirectory(),
      });
      await cluster.query('create table orders (id bigserial primary key, content text)');
      expect((await cluster.run('backup')).exit).toBe(0);
      follower = cluster.follow('--fold-size', '16MiB');
      const filler = cluster.load(60);
      const taking = takeOrders(cluster);
      await pause(2000);
      await restorePoint('before the accident');
      await restorePoint('twice');
      await endTransactions();
      // Of so many some lie on two pages.
      await cluster.query("select pg_create_restore_point('many ' || n) from generate_series(1, 300) n");
      await pause(2000);
      orders = (
        await cluster.query(`begin; lock table orders;
          create temp table known on commit preserve rows as select id::text, extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 as ms from orders;
          drop table orders; commit; select id, ms::text from known order by id::bigint`)
      ).map(({ id, ms }) => ({ id: String(id), committedMs: Number(ms) }));
      droppedLsn = await cluster.lsn();
      await taking.done;
      for (const id of taking.acknowledged) acknowledged.add(id);
      await pause(1500);
      await filler.stop();
      expect((await cluster.run('backup')).exit).toBe(0);
      await restorePoint('twice');
      await cluster.query('create table last ()');
      await cluster.caughtUp();
      bases = document(await cluster.run('snapshots', 'db', '--json')).snapshots.filter(isBase);
    }, 90_000);
    afterAll(async () => {
      follower.child.kill('SIGINT');
      await follower.done;
      await settled(cluster.server.stop());
    });

    let restores = 0;
    async function restoreAt(at: string, ...more: string[]) {
      const directory = join(await serverDirectory(), `restored${++restores}`);
      const ran = await cluster.run('restore', 'db', '--to', directory, '--at', at, '--json', ...more);
      return { directory, ran };
    }

    async function ordersIn(directory: string): Promise<string[] | undefined> {
      // At some moments a transaction is prepared.
      const settings = { restore_command: '', max_prepared_transactions: '2' };
      const server = await startDirectory(binDirectory, directory, { settings });
      try {
        const [row] = await server.query(
          "select to_regclass('orders') is not null as there, pg_is_in_recovery() as busy",
        );
        expect(row!['busy']).toBe(false);
        if (row!['there'] !== true) return undefined;
        return (await server.query('select id::text from orders')).map(({ id }) => String(id));
      } finally {
        await server.stop();
      }
    }

    const lastCommittedMs = () => Math.max(...orders.map(({ committedMs }) => committedMs));

    it('has every row that was committed by then, to the microsecond, and none after', async () => {
      expect(orders.length).toBeGreaterThan(100);
      const known = new Set(orders.map(({ id }) => id));
      expect([...acknowledged].filter((id) => !known.has(id))).toEqual([]);
      const { committedMs: exactMs } = orders.find(
        (order, index) => index > orders.length / 2 && order.committedMs % 1 > 0,
      )!;
      const atMs = Math.floor(exactMs);
      const microseconds = String(Math.round((exactMs - atMs) * 1000)).padStart(3, '0');
      const { directory, ran } = await restoreAt(new Date(atMs).toISOString().replace('Z', `${microseconds}Z`));
      expect(ran.exit, ran.stderr).toBe(0);
      expect(ran.stderr).toMatch(/recovering to .*the backup of .*then its log from .* on timeline 1/);
      expect(document(ran)).toMatchObject({
        time: new Date(atMs).toISOString(),
        recovered: { lastTransaction: expect.any(String) },
      });
      expect(existsSync(join(directory, 'recovery.signal'))).toBe(false);
      const expected = orders.filter(({ committedMs }) => committedMs <= exactMs).map(({ id }) => id);
      expect((await ordersIn(directory))?.toSorted()).toEqual(expected.toSorted());
    });

    it('has the table as it was just before it was dropped', async () => {
      const { directory, ran } = await restoreAt(new Date(Math.floor(lastCommittedMs()) + 1).toISOString());
      expect(ran.exit, ran.stderr).toBe(0);
      expect((await ordersIn(directory))?.toSorted()).toEqual(orders.map(({ id }) => id).toSorted());
    });

    it('is refused where the log does not reach, before anything is written', async () => {
      const { directory, ran } = await restoreAt('2099-01-01T00:00:00Z');
      expect(ran.exit).toBe(1);
      expect(document(ran).error).toMatchObject({ code: 'log-missing' });
      expect(existsSync(directory)).toBe(false);
      const early = await restoreAt('2001-01-01T00:00:00Z');
      expect(document(early.ran).error).toMatchObject({ code: 'unknown-snapshot' });
    });

    it('finds a transaction or a restore point behind the backup that it needs, however old', async () => {
      const main = await cluster.repository;
      const workspace = logWorkspace({ main });
      const opened = await workspace.open('main');
      const planned = workspace.sources(['db'])[0]!;
      const plan = async (at: string) => {
        const point = await findWantedPoint(workspace, opened, planned, { at, chosen: undefined });
        await point.log.close();
        return { base: point.base.id, found: point.found!.lsn };
      };
      const [older, newer] = bases.map(({ id }) => id);
      for (const [name, base] of [
        ['before the accident', older],
        ['twice', newer],
      ] as const) {
        const { base: chosen, found } = await plan(`name:${name}`);
        expect([name, chosen]).toEqual([name, base]);
        const length = Number(points.get(name)! - found);
        expect([length > 0, length < 200], name).toEqual([true, true]);
      }
      expect((await plan(`xid:${ended.plain}`)).base).toBe(older);
      await expect(plan('name:before the acciden')).rejects.toMatchObject({ code: 'log-missing' });
    });

    it('reads the end of every transaction and every restore point in the log, on however many pages they lie', async () => {
      const [system, log] = [await cluster.system(), await cluster.stored()];
      const [{ start, end }] = log.ranges(system) as [LogRange];
      const [names, xids]: [string[], number[]] = [[], []];
      const records = new WalRecords((record) => {
        if (record.kind === 'restore-point') names.push(record.name);
        if (record.kind === 'transaction-end') xids.push(record.xid);
      });
      const segmentBytes = (await log.segmentBytes(system))!;
      for (let at = start; at < end; at += BigInt(segmentBytes)) {
        records.take(at, await log.readSegment(system, 1, at, segmentBytes));
      }
      await log.close();
      const many = Array.from({ length: 300 }, (_, index) => `many ${index + 1}`);
      expect(names).toEqual(['before the accident', 'twice', ...many, 'twice']);
      const ends = [ended.plain, ended.rollback, ended.commit].map((xid) => xids.indexOf(Number(xid)));
      expect([ends[0]! >= 0, ends[1]! > ends[0]!, ends[2]! > ends[1]!]).toEqual([true, true, true]);
      // The orders, one by one.
      expect(xids.length).toBeGreaterThan(orders.length);
    });

    // What follows does not depend on the server's version.
    if (version !== 15) return;

    it('is left to another server where none of this machine can do it, and ends no recovery early there', async () => {
      const atMs = Math.floor(lastCommittedMs()) + 1;
      const directory = join(await serverDirectory(), 'restored');
      const words = ['restore', 'db', '--to', directory, '--at', new Date(atMs).toISOString(), '--json'];
      const env = { ...cluster.environment, HOLDFAST_POSTGRES_BIN: '/nonexistent' };
      const ran = await holdfast(cluster.directory, words, env);
      expect(ran.exit, ran.stderr).toBe(3);
      const { outcome, unrecovered, recovered, problems, snapshot, time } = document(ran);
      expect({ outcome, recovered }).toEqual({ outcome: 'partial', recovered: undefined });
      expect(problems).toEqual([
        { path: directory, message: expect.stringMatching(/^its log was not replayed: .*PostgreSQL/) },
      ]);
      expect(unrecovered).toMatchObject({
        log: `${directory}.wal`,
        next: expect.stringContaining(`pg_ctl -D ${directory}`),
      });
      const listed = document(await cluster.run('snapshots', 'db', '--json')).snapshots;
      expect(time).toBe(listed.find(({ id }: { id: string }) => id === snapshot).time);

      // What did not come whole is no end of the log.
      const complete = join(`${directory}.wal`, 'complete');
      renameSync(complete, `${complete}.not`);
      await expect(startDirectory(binDirectory, directory)).rejects.toThrow(/could not restore file .* exit code 255/);
      renameSync(`${complete}.not`, complete);
      const server = await startDirectory(binDirectory, directory);
      try {
        await until(async () => (await server.query('select pg_is_in_recovery() as busy'))[0]?.['busy'] === false);
        const found = await server.query('select id::text from orders');
        expect(found.map(({ id }) => String(id)).toSorted()).toEqual(orders.map(({ id }) => id).toSorted());
      } finally {
        await server.stop();
      }
      expect(document(await holdfast(cluster.directory, words, env)).error.code).toBe('target-not-empty');
    });

    it('comes to a moment after the last commit of an idle server', async () => {
      const idle = new Date();
      await until(async () => {
        const [{ log }] = document(await cluster.run('status', '--json')).sources;
        return Date.parse(log.time) > idle.getTime();
      });
      const { directory, ran } = await restoreAt(idle.toISOString());
      expect(ran.exit, ran.stderr).toBe(0);
      expect(document(ran).notes.join()).toContain('nothing was committed');
      expect(await ordersIn(directory)).toBeUndefined();
    });

    it('gives back the table that was dropped, beside what lives, and says what else differs', async () => {
      // The end of the log is what lives, though the log is ahead of its sequences.
      const same = await cluster.run('compare', 'db', '--json');
      expect(document(same), same.stderr).toMatchObject({ equal: true, differences: [] });
      const at = new Date(Math.floor(lastCommittedMs()) + 1).toISOString();
      const words = ['--to', cluster.url, '--at', at, '--only', 'public.orders', '--as', 'orders_restored'];
      const ran = await cluster.run('restore', 'db', ...words, '--json');
      expect(ran.exit, ran.stderr).toBe(0);
      expect(document(ran)).toMatchObject({ time: at, items: 1, recovered: { lastTransaction: expect.any(String) } });
      const found = await cluster.query('select id::text from orders_restored');
      expect(found.map(({ id }) => String(id)).toSorted()).toEqual(orders.map(({ id }) => id).toSorted());
    });

    it('comes to a position, and to a restore point by its name', async () => {
      const digits = droppedLsn.toString(16).toUpperCase().padStart(9, '0');
      const position = await restoreAt(`${digits.slice(0, -8)}/${digits.slice(-8)}`);
      expect(position.ran.exit, position.ran.stderr).toBe(0);
      expect(await ordersIn(position.directory)).toBeUndefined();

      const named = await restoreAt('name:before the accident');
      expect(named.ran.exit, named.ran.stderr).toBe(0);
      expect(document(named.ran).notes.join()).toContain('before the accident');
      const found = (await ordersIn(named.directory))!;
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThan(orders.length);

      // What it would do to a directory is only said.
      const control = join(named.directory, 'global', 'pg_control');
      const before = readFileSync(control);
      const words = ['--to', named.directory, '--at', 'latest', '--replace', '--dry-run'];
      const dry = await cluster.run('restore', 'db', ...words);
      expect(dry.exit, dry.stderr).toBe(0);
      expect(readFileSync(control)).toEqual(before);
      expect(existsSync(join(named.directory, 'recovery.signal'))).toBe(false);
    });
  });
}
