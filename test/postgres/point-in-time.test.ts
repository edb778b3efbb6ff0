import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document, holdfast } from '../support/cli.ts';
import { serverDirectory, startDirectory } from '../support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { FollowedCluster, until } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';

const VERSIONS = [
  { version: 15, binDirectory: '/usr/lib/postgresql/15/bin', isHere: requires('postgresql') },
  { version: 18, binDirectory: embeddedPostgres18BinDirectory() ?? '', isHere: requires('embedded-postgres') },
];

interface Order {
  id: string;
  committedMs: number;
}

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

    beforeAll(async () => {
      cluster = await FollowedCluster.start(binDirectory, {
        track_commit_timestamp: 'on',
        unix_socket_directories: await serverDirectory(),
      });
      await cluster.query('create table orders (id bigserial primary key, content text)');
      expect((await cluster.run('backup')).exit).toBe(0);
      follower = cluster.follow('--fold-size', '16MiB');
      const filler = cluster.load();
      const taking = takeOrders(cluster);
      await pause(2000);
      await cluster.query("select pg_create_restore_point('before the accident')");
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
      await cluster.caughtUp();
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
      const server = await startDirectory(binDirectory, directory, { settings: { restore_command: '' } });
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

    it('has every row that was committed by then, and none after', async () => {
      expect(orders.length).toBeGreaterThan(100);
      const known = new Set(orders.map(({ id }) => id));
      expect([...acknowledged].filter((id) => !known.has(id))).toEqual([]);
      const atMs = Math.floor(orders[Math.floor(orders.length / 2)]!.committedMs);
      const { directory, ran } = await restoreAt(new Date(atMs).toISOString());
      expect(ran.exit, ran.stderr).toBe(0);
      expect(ran.stderr).toMatch(/recovering to .*the backup of .*then its log from .* on timeline 1/);
      expect(document(ran)).toMatchObject({
        time: new Date(atMs).toISOString(),
        recovered: { lastTransaction: expect.any(String) },
      });
      expect(existsSync(join(directory, 'recovery.signal'))).toBe(false);
      const expected = orders.filter(({ committedMs }) => committedMs <= atMs).map(({ id }) => id);
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
