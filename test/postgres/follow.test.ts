import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { listSnapshots, type StoredSnapshot } from '../../src/repository/index.ts';
import { document, initialise, startHoldfast } from '../support/cli.ts';
import { serverDirectory } from '../support/data-directory.ts';
import { FollowedCluster, SLOT, until } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';
import { restic, resticCheck } from '../support/restic.ts';

/** How often a follower is killed. More by hand: HOLDFAST_TEST_KILLS=50. */
const KILLS = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 3);

const isBase = ({ tags }: StoredSnapshot): boolean => tags?.includes('kind:base') === true;

/** PostgreSQL 18 is followed where a restore to a point in time is tested. */
describe.skipIf(!requires('postgresql', 'restic'))('following the log of a cluster', { timeout: 180_000 }, () => {
  let cluster: FollowedCluster;

  beforeAll(async () => {
    cluster = await FollowedCluster.start('/usr/lib/postgresql/15/bin');
  }, 60_000);
  afterAll(async () => {
    await settled(cluster.server.stop());
  });

  /** Makes snapshots as old as if they had been taken three days ago. @returns their times */
  async function ageAll(snapshots: StoredSnapshot[]): Promise<string[]> {
    const repository = await cluster.repository;
    const times: string[] = [];
    for (const { id, ...rest } of snapshots) {
      const time = new Date(Date.parse(rest.time) - 3 * 86_400_000).toISOString();
      await repository.putDocument('snapshots/', { ...rest, time });
      await repository.store.delete(`snapshots/${id}`);
      times.push(time);
    }
    return times;
  }

  it('stores what the server has in its files, byte for byte, under load', async () => {
    expect((await cluster.run('backup')).exit).toBe(0);
    const load = cluster.load();
    const { child, done } = cluster.follow('--fold-size', '32MiB');
    await until(async () => (await cluster.stored()).folded.length > 0);
    await load.stop();
    await cluster.caughtUp();
    child.kill('SIGINT');
    const ran = await done;
    expect([ran.exit, ran.stdout], ran.stderr).toEqual([130, expect.stringContaining('stored until')]);
    expect(await cluster.compare()).toBeGreaterThan(32 * 1024 * 1024);
    expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
    expect((await cluster.stored()).folded.length).toBeGreaterThan(0);
    resticCheck(`${cluster.directory}/repository`);
  });

  it('goes on where it was, whenever it is killed', async () => {
    const load = cluster.load();
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, done } = cluster.follow('--fold-size', '16MiB');
      await new Promise((resolve) => setTimeout(resolve, 800 + Math.random() * 3000));
      child.kill('SIGKILL');
      await done;
      const restart = BigInt(String((await cluster.slot())?.['restart']));
      const position = (await cluster.stored()).positionOf(await cluster.system());
      expect(position!.lsn).toBeGreaterThanOrEqual(restart);
    }
    await load.stop();
    const { child, done } = cluster.follow('--fold-after', '1s');
    const folded = async () => {
      await cluster.query("select pg_logical_emit_message(false, 'a', 'b'); select pg_switch_wal()");
      return (await cluster.stored()).folded;
    };
    await until(async () => (await folded()).length > 1);
    const old = await ageAll((await cluster.stored()).folded.map(({ snapshot }) => snapshot));
    await until(async () => (await folded()).filter(({ snapshot }) => old.includes(snapshot.time)).length < old.length);
    await cluster.caughtUp();
    child.kill('SIGINT');
    await done;
    await cluster.compare();
    expect((await cluster.stored()).ranges(await cluster.system())).toHaveLength(1);
    const checked = await cluster.run('check');
    expect(checked.exit, checked.stdout).toBe(0);
    // A follower that was killed while it folded leaves a lock.
    restic(`${cluster.directory}/repository`, ['unlock']);
    resticCheck(`${cluster.directory}/repository`);
  });

  it('is backed up whole by the next run where one was killed in its middle, which leaves no slot of its own', async () => {
    const repository = `${cluster.directory}/repository`;
    const bases = async () => (await listSnapshots(await cluster.repository)).filter(isBase).length;
    const staged = () => readdirSync(join(repository, '.staging'));
    const before = await bases();
    for (let kill = 0; kill < KILLS; kill++) {
      const leftover = new Set(staged());
      const { child, done } = startHoldfast(cluster.directory, ['backup'], cluster.environment);
      // The first of it is being stored.
      await until(async () => staged().some((name) => !leftover.has(name)));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
      child.kill('SIGKILL');
      await done;
    }
    expect(await bases()).toBe(before);
    const slots = () => cluster.query('select slot_name from pg_replication_slots');
    await expect.poll(slots, { timeout: 20_000 }).toEqual([{ slot_name: SLOT }]);
    expect((await cluster.run('backup')).exit).toBe(0);
    expect(await bases()).toBe(before + 1);
    restic(repository, ['unlock']);
    resticCheck(repository);
  });

  it('says in status up to which moment the log covers', async () => {
    const startedMs = Date.now();
    const { child, done } = cluster.follow();
    const status = async () => document(await cluster.run('status', '--json')).sources[0];
    await until(async () => Date.parse((await status()).log.time) > startedMs);
    const { actual, log } = await status();
    expect(log.gaps).toEqual([]);
    expect(actual.rpoMs).toBeLessThan(30_000);
    child.kill('SIGINT');
    await done;
    // Nothing is promised, and silence is told all the same.
    expect((await cluster.run('status')).exit).toBe(0);
    cluster.alterPlan({ alerts: { rules: { 'log-stalled': { after: '1s' } } } });
    await expect.poll(async () => (await cluster.run('status')).exit).toBe(4);
    const told = await cluster.run('status');
    expect(told.stdout).toMatch(/stalled db: nothing more of its log came since .*; run `holdfast follow db`/);
  });

  it('sends the log to a mirror as it comes, and leaves that as the repository is', async () => {
    cluster.addMirror('eu');
    const { child, done } = cluster.follow();
    const mirror = async () => document(await cluster.run('status', '--json')).mirrors[0];
    // The run at the beginning is over.
    await until(async () => (await mirror()).mirroredAt !== undefined);
    await cluster.query("select pg_logical_emit_message(false, 'a', 'b'); select pg_switch_wal()");
    await cluster.caughtUp();
    await until(async () => (await mirror()).lag?.logParts === 0);
    child.kill('SIGINT');
    expect(await done).toMatchObject({ exit: 130, stdout: expect.stringContaining('mirrored main to eu') });
    const [main, eu] = [`${cluster.directory}/repository`, `${cluster.directory}/eu`];
    const { status, stdout } = spawnSync('diff', ['-r', '-x', 'locks', '-x', '.staging', main, eu]);
    expect([status, String(stdout)]).toEqual([0, '']);
    resticCheck(eu);
  });

  it('leaves the log where it is when a backup is archived, which comes back without it', async () => {
    const file = join(cluster.directory, 'holdfast.yaml');
    const plan = JSON.parse(readFileSync(file, 'utf8')) as { repositories: object };
    const password = { env: 'HOLDFAST_PASSWORD' };
    const archive = { store: './archive', password, copies: { from: 'main', sources: ['db'] } };
    writeFileSync(file, JSON.stringify({ ...plan, repositories: { ...plan.repositories, archive } }));
    await initialise(cluster.directory, 'archive');
    const archived = await cluster.run('replicate', 'archive', '--json');
    expect([archived.exit, document(archived).archives[0]]).toMatchObject([
      0,
      { sources: [{ outcome: 'copied' }], notes: [expect.stringContaining('the log of db stays in main')] },
    ]);
    const checked = await cluster.run('check', 'archive', '--json');
    expect([checked.exit, document(checked).repositories[0]]).toMatchObject([0, { snapshots: 1, clean: true }]);
    const alone = join(await serverDirectory(), 'alone');
    const restored = await cluster.run('restore', 'db', '--repository', 'archive', '--to', alone, '--json');
    expect([restored.exit, restored.stderr]).toEqual([0, expect.any(String)]);
    expect(Date.parse(document(restored).time)).toBe(Date.parse(document(archived).archives[0].sources[0].time));
    const later = await cluster.run('restore', 'db', '--repository', 'archive', '--to', './later', '--at', '0s ago');
    expect([later.exit, later.stderr]).toEqual([1, expect.stringContaining('the log')]);
  });
});
