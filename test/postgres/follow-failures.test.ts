import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document } from '../support/cli.ts';
import { FollowedCluster, SLOT, until } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';

const DEBIAN_15 = '/usr/lib/postgresql/15/bin';
/** What waits in a spool. */
function sealedIn(spool: string): string[] {
  if (!existsSync(spool)) return [];
  return readdirSync(spool, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /[0-9A-F]{16}-[0-9A-F]{16}$/.test(name),
  );
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.skipIf(!requires('postgresql'))('following a log while things go wrong', { timeout: 180_000 }, () => {
  const clusters: FollowedCluster[] = [];
  async function start(settings: Record<string, string> = {}): Promise<FollowedCluster> {
    const cluster = await FollowedCluster.start(DEBIAN_15, settings);
    clusters.push(cluster);
    return cluster;
  }
  afterEach(async () => {
    for (const { server } of clusters.splice(0)) await settled(server.stop());
  });

  it('goes on when the server crashes and comes back', async () => {
    const cluster = await start();
    const load = cluster.load();
    const { child, done } = cluster.follow();
    // It comes while the follower connects for the first time, on most machines.
    await pause(1500);
    await cluster.restart();
    await until(async () => (await cluster.slot())?.['active'] === true);
    await cluster.restart();
    await pause(2000);
    await load.stop();
    await cluster.caughtUp();
    child.kill('SIGINT');
    const { exit, stderr } = await done;
    expect(exit).toBe(130);
    expect(stderr).toMatch(/(lost the server|no connection to|ended the stream).*; trying again/);
    expect(await cluster.compare()).toBeGreaterThan(0);
    expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
  });

  it('goes on after it stood still for longer than the server waits', async () => {
    const cluster = await start({ wal_sender_timeout: '2s' });
    const load = cluster.load();
    const { child, done } = cluster.follow();
    await until(async () => (await cluster.stored()).entries.length > 0);
    const stopped = child.pid!;
    process.kill(stopped, 'SIGSTOP');
    await until(async () => (await cluster.slot())?.['active'] === false);
    process.kill(stopped, 'SIGCONT');
    await pause(3000);
    await load.stop();
    await cluster.caughtUp();
    child.kill('SIGINT');
    expect((await done).exit).toBe(130);
    await cluster.compare();
    expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
  });

  it('is not cut off by an idle server that wants to hear of it', async () => {
    const cluster = await start({ wal_sender_timeout: '2s' });
    const { child, done } = cluster.follow();
    await until(async () => (await cluster.slot())?.['active'] === true);
    const pid = (await cluster.slot())?.['active_pid'];
    await pause(7000);
    expect((await cluster.slot())?.['active_pid']).toBe(pid);
    child.kill('SIGINT');
    await done;
  });

  it('records a gap when its slot was dropped and the log is gone, and goes on behind it', async () => {
    const cluster = await start({ wal_keep_size: '0', max_wal_size: '32MB', min_wal_size: '32MB' });
    expect((await cluster.run('backup')).exit).toBe(0);
    const first = cluster.follow();
    await cluster.query('create table t as select generate_series(1, 100000) i');
    await cluster.caughtUp();
    first.child.kill('SIGINT');
    await first.done;
    const end = (await cluster.stored()).positionOf(await cluster.system())!.lsn;
    await cluster.query(`select pg_drop_replication_slot('${SLOT}')`);
    for (let segment = 0; segment < 5; segment++) {
      await cluster.query('insert into t select generate_series(1, 1000); select pg_switch_wal(); checkpoint');
    }
    const inGap = new Date();
    const second = cluster.follow();
    await until(async () => (await cluster.stored()).ranges(await cluster.system()).length === 2);
    await cluster.query('insert into t select generate_series(1, 1000)');
    await cluster.caughtUp();
    second.child.kill('SIGINT');
    const ran = await second.done;
    expect(ran.stderr).toContain('GAP');
    expect(ran.stdout).toMatch(/a gap from .* take a backup/);
    const [before, behind] = (await cluster.stored()).ranges(await cluster.system());
    expect(before!.end).toBe(end);
    expect(behind!.start).toBeGreaterThan(end);

    const [{ log }] = document(await cluster.run('status', '--json')).sources;
    expect(log.gaps).toHaveLength(1);
    // What lies behind the gap does not make the recovery point newer, until a backup does.
    expect(Date.parse(log.time ?? 0)).toBeLessThan(inGap.getTime());
    const within = [
      'restore',
      'db',
      '--to',
      join(cluster.directory, 'restored'),
      '--at',
      inGap.toISOString(),
      '--json',
    ];
    expect(document(await cluster.run(...within)).error).toMatchObject({ code: 'log-missing' });
    expect(existsSync(join(cluster.directory, 'restored'))).toBe(false);
    expect((await cluster.run('backup')).exit).toBe(0);
    const again = document(await cluster.run('status', '--json')).sources[0];
    expect(again.log.gaps).toEqual([]);
    // A gap that was recorded is no damage.
    const checked = await cluster.run('check', '--json');
    expect([checked.exit, document(checked).repositories[0].findings]).toEqual([0, []]);
  });

  it('lets the server remove its log when the repository is away for too long, and records what that cost', async () => {
    const cluster = await start({ wal_keep_size: '0', max_wal_size: '32MB', min_wal_size: '32MB' });
    const { child, done } = cluster.follow('--release-at', '40MiB', '--look-every', '1s');
    await cluster.query('create table t as select generate_series(1, 100000) i');
    await cluster.caughtUp();
    cluster.loseRepository();
    for (let segment = 0; segment < 8; segment++) {
      await cluster.query('insert into t select generate_series(1, 100000); select pg_switch_wal(); checkpoint');
    }
    await until(async () => (await cluster.slot()) === undefined);
    await cluster.query('insert into t select generate_series(1, 1000); select pg_switch_wal(); checkpoint');
    await cluster.query('insert into t select generate_series(1, 1000); select pg_switch_wal(); checkpoint');
    cluster.findRepository();
    await until(async () => (await cluster.stored()).ranges(await cluster.system()).length === 2, 90_000);
    await cluster.query('insert into t select generate_series(1, 1000)');
    await cluster.caughtUp();
    child.kill('SIGINT');
    const { stderr, exit } = await done;
    expect(exit).toBe(130);
    expect(stderr).toMatch(/the repository does not take the log/);
    expect(stderr).toMatch(/the server kept .* for us, and comes first/);
    expect(stderr).toContain('GAP');
    expect(await cluster.eventKinds()).toEqual(expect.arrayContaining(['log.released', 'log.gap', 'follow.stopped']));
  });

  it('loses nothing when it is killed while the repository is away and the log is in the spool', async () => {
    const cluster = await start();
    const spool = join(cluster.directory, 'spool');
    const first = cluster.follow('--spool', spool);
    const load = cluster.load();
    await until(async () => (await cluster.stored()).entries.length > 0);
    cluster.loseRepository();
    await until(async () => sealedIn(spool).length > 2);
    first.child.kill('SIGKILL');
    await first.done;
    cluster.findRepository();
    const second = cluster.follow('--spool', spool);
    await until(async () => sealedIn(spool).length === 0);
    await load.stop();
    await cluster.caughtUp();
    second.child.kill('SIGINT');
    expect((await second.done).exit).toBe(130);
    expect(await cluster.compare()).toBeGreaterThan(0);
    expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
  });

  it('follows a server onto its next timeline', async () => {
    const cluster = await start();
    const load = cluster.load();
    const { child, done } = cluster.follow('--fold-size', '16MiB');
    await pause(5000);
    await load.stop();
    await cluster.caughtUp();
    await cluster.restart(() => {
      writeFileSync(join(cluster.data, 'recovery.signal'), '');
      writeFileSync(join(cluster.data, 'postgresql.auto.conf'), "restore_command = 'false'\n");
    });
    await until(async () => (await cluster.query('select pg_is_in_recovery()'))[0]?.['pg_is_in_recovery'] === false);
    await cluster.query('create table later as select generate_series(1, 200000) i');
    await cluster.caughtUp();
    child.kill('SIGINT');
    await done;
    await cluster.compare();
    const system = await cluster.system();
    const stored = await cluster.stored();
    expect(stored.ranges(system).map(({ timeline }) => timeline)).toEqual([1, 2]);
    expect(stored.histories.map(({ timeline }) => timeline)).toEqual([2]);
    expect(stored.reachFrom(system, { timeline: 1, lsn: stored.ranges(system)[0]!.start })?.timeline).toBe(2);
  });

  it('refuses a server that was set back to an older state', async () => {
    const cluster = await start();
    const { child, done } = cluster.follow();
    await cluster.query('create table t as select generate_series(1, 1000) i');
    await cluster.caughtUp();
    child.kill('SIGINT');
    await done;
    const stored = await cluster.stored();
    const system = await cluster.system();
    const { timeline, lsn } = stored.positionOf(system)!;
    const [start_, end] = [lsn, lsn + 100_000_000n];
    const range = { timeline, start: start_, end: end };
    const facts = { system, segmentBytes: 1 << 24, coveredUntil: null, writtenAt: '2026-01-01T00:00:00Z' };
    await stored.tail.write(stored.tail.sealLog(range, facts, Buffer.alloc(100_000_000)));
    const ran = await cluster.follow('--json').done;
    expect(ran.exit).toBe(1);
    expect(document(ran).sources[0].error.code).toBe('source-changed');
  });
});
