import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { segmentName } from '../../src/operations/log/wal-snapshots.ts';
import { parseLsnText } from '../../src/repository/index.ts';
import { document } from '../support/cli.ts';
import { runAsServer, serverDirectory, startDirectory } from '../support/data-directory.ts';
import { FollowedCluster, SLOT, until } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';

const DEBIAN_15 = '/usr/lib/postgresql/15/bin';
const SEGMENT_BYTES = 1n << 20n;
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
  async function start(settings: Record<string, string> = {}, keys: object = {}): Promise<FollowedCluster> {
    const cluster = await FollowedCluster.start(DEBIAN_15, settings, { ...keys });
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

    const status = await cluster.run('status', '--json');
    const [{ log }] = document(status).sources;
    expect([status.exit, log.gaps]).toEqual([4, [expect.anything()]]);
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
    const mended = await cluster.run('status', '--json');
    expect([mended.exit, document(mended).sources[0].log.gaps]).toEqual([0, []]);
    // A gap that was recorded is no damage.
    const checked = await cluster.run('check', '--json');
    expect([checked.exit, document(checked).repositories[0].findings]).toEqual([0, []]);
  });

  it('records a gap when a file is missing in the middle of what the server was to keep, and goes on behind it', async () => {
    const cluster = await start();
    const first = cluster.follow();
    await cluster.query('create table t as select generate_series(1, 1000) i');
    const end = await cluster.caughtUp();
    first.child.kill('SIGINT');
    await first.done;
    await cluster.query('insert into t select generate_series(1, 100000)');
    const missing = end - (end % SEGMENT_BYTES) + SEGMENT_BYTES;
    rmSync(join(cluster.data, 'pg_wal', segmentName(1, missing, Number(SEGMENT_BYTES))));
    const second = cluster.follow();
    await until(async () => {
      await cluster.query('insert into t values (0); checkpoint');
      return (await cluster.stored()).ranges(await cluster.system()).length === 2;
    });
    await cluster.caughtUp();
    second.child.kill('SIGINT');
    const ran = await second.done;
    expect([ran.exit, ran.stderr]).toEqual([130, expect.stringContaining('GAP')]);
    expect(ran.stdout).toMatch(/a gap from .* take a backup/);
    const [before, behind] = (await cluster.stored()).ranges(await cluster.system());
    // A server reads many pages at once: of those before the file that is gone the last ones may not come.
    expect(before!.end).toBeGreaterThan(missing - SEGMENT_BYTES);
    expect(before!.end).toBeLessThanOrEqual(missing);
    expect(behind!.start).toBeGreaterThan(missing);
    expect(await cluster.eventKinds()).toContain('log.gap');
  });

  it('lets the server remove its log when the repository is away for too long, and records what that cost', async () => {
    const settings = { wal_keep_size: '0', max_wal_size: '32MB', min_wal_size: '32MB' };
    const cluster = await start(settings, { capture: { releaseAt: '40MiB', warnRetained: '4MiB' } });
    const { child, done } = cluster.follow('--look-every', '1s');
    await cluster.query('create table t as select generate_series(1, 100000) i');
    await cluster.caughtUp();
    const isWarned = new Promise<void>((resolve) => {
      child.stderr!.on('data', (chunk) => {
        if (/the server keeps .* of its log until it is in the repository/.test(String(chunk))) resolve();
      });
    });
    cluster.loseRepository();
    await cluster.query('insert into t select generate_series(1, 100000)');
    await isWarned;
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

  it('goes over to a standby that was promoted without all that is stored, says so, and restores what that one has', async () => {
    const cluster = await start();
    await cluster.query('create table orders (id int)');
    const [{ snapshot }] = document(await cluster.run('backup', '--json')).sources;
    const data = join(await serverDirectory(), 'standby');
    expect((await cluster.run('restore', 'db', '--snapshot', snapshot, '--to', data)).exit).toBe(0);
    const first = cluster.follow();
    const standby = await cluster.startStandby(data);
    await cluster.query('insert into orders values (1)');
    await until(async () => (await standby.query('select from orders')).length === 1);
    await standby.query("alter system set primary_conninfo = ''");
    await standby.query('select pg_reload_conf()');
    await until(async () => (await standby.query('select from pg_stat_wal_receiver')).length === 0);
    // More than a segment: what the standby goes on with begins before the end of what is stored.
    await cluster.query('insert into orders select 2 from generate_series(1, 30000)');
    await cluster.caughtUp();
    await cluster.server.stop();
    first.child.kill('SIGINT');
    await first.done;
    expect((await runAsServer(join(DEBIAN_15, 'pg_ctl'), ['-D', data, '-w', 'promote'])).status).toBe(0);
    cluster.server = standby;
    const second = cluster.follow();
    await standby.query('insert into orders values (3)');
    const system = await cluster.system();
    const lsn = await cluster.lsn();
    await until(async () => {
      const position = (await cluster.stored()).positionOf(system);
      return position?.timeline === 2 && position.lsn >= lsn;
    });
    second.child.kill('SIGINT');
    expect((await second.done).stderr).toMatch(
      /went on from .* on timeline 2: what was committed in these .* is not in it/,
    );
    const exported = (await cluster.run('ledger', 'export', '--kind', 'log.left')).stdout;
    const [left] = exported
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).body);
    expect(left).toMatchObject({ source: 'db', system, timeline: 1, next: 2 });
    expect(parseLsnText(left.end) - parseLsnText(left.start)).toBeGreaterThan(1_000_000n);
    const checked = await cluster.run('check', '--json');
    expect([checked.exit, document(checked).repositories[0].findings]).toEqual([0, []]);
    const to = join(await serverDirectory(), 'restored');
    const restored = await cluster.run('restore', 'db', '--to', to, '--at', 'latest');
    expect(restored.exit, restored.stderr).toBe(0);
    const server = await startDirectory(DEBIAN_15, to);
    expect(await server.query('select id from orders order by id')).toEqual([{ id: 1 }, { id: 3 }]);
    await server.stop();
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
