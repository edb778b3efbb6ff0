import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document, startHoldfast } from '../support/cli.ts';
import { serverDirectory, startDirectory } from '../support/data-directory.ts';
import { FollowedCluster } from '../support/followed.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const ROWS = 400_000;
const OUTAGE_MS = 3000;

/** Command lines of what runs on a directory, or for it. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return readFileSync(join('/proc', name, 'cmdline'), 'utf8').replaceAll('\0', ' ');
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(directory));
}

describe.skipIf(!requires('postgresql'))('a restore to a point in time that goes wrong', { timeout: 240_000 }, () => {
  let cluster: FollowedCluster;

  beforeAll(async () => {
    cluster = await FollowedCluster.start(BIN);
    expect((await cluster.run('backup')).exit).toBe(0);
    const follower = cluster.follow();
    await cluster.query(`create table grown as select i, md5(i::text) as content from generate_series(1, ${ROWS}) i`);
    await cluster.caughtUp();
    follower.child.kill('SIGINT');
    await follower.done;
  }, 60_000);
  afterAll(() => settled(cluster.server.stop()));

  /** @param temporary what a sandbox makes goes here, so that what is left of it is seen */
  function restart(directory: string, temporary: string, ...more: string[]): ReturnType<typeof startHoldfast> {
    const words = ['restore', 'db', '--to', directory, ...more];
    return startHoldfast(cluster.directory, words, { ...cluster.environment, TMPDIR: temporary });
  }
  const start = (directory: string, temporary: string, ...more: string[]) =>
    restart(directory, temporary, '--replace', '--confirm', 'restored', ...more);
  async function isWhole(directory: string): Promise<void> {
    const server = await startDirectory(BIN, directory);
    try {
      const [row] = await server.query('select count(*)::int as rows, pg_is_in_recovery() as busy from grown');
      expect(row).toEqual({ rows: ROWS, busy: false });
    } finally {
      await server.stop();
    }
  }
  /** A directory with a path short enough for a socket, which the server's user may enter. */
  function temporaryDirectory(): string {
    const directory = testDirectory();
    chmodSync(directory, 0o755);
    return directory;
  }
  async function nothingIsLeft(directory: string, temporary: string): Promise<void> {
    const running = () => [...processesOf(directory), ...processesOf(temporary)];
    await expect.poll(running).toEqual([]);
    // What is only named after a process that is gone is removed by the next one.
    const left = () => readdirSync(temporary).filter((name) => !name.startsWith('holdfast-scratch-'));
    await expect.poll(left).toEqual([]);
  }

  it.skipIf(!requires('tmpfs'))('says that the disk is full, and is done right when there is room', async () => {
    const disk = await serverDirectory();
    const temporary = temporaryDirectory();
    const directory = join(disk, 'restored');
    const sized = (sizeMiB: number, how: string) =>
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `${how}size=${sizeMiB}m`, 'tmpfs', disk]).status).toBe(0);
    sized(12, '');
    try {
      for (const [sizeMiB, reached] of [
        [12, false],
        [60, true],
      ] as const) {
        sized(sizeMiB, 'remount,');
        const ran = await start(directory, temporary, '--json').done;
        expect(ran.exit).toBe(1);
        expect(document(ran).error).toMatchObject({ code: 'disk-full', message: expect.stringContaining(directory) });
        // What came whole is not taken for what was asked for.
        expect(existsSync(join(directory, 'global', 'pg_control'))).toBe(reached);
        expect(existsSync(join(directory, 'recovery.signal'))).toBe(reached);
        await nothingIsLeft(directory, temporary);
      }
      sized(400, 'remount,');
      const ran = await start(directory, temporary).done;
      expect(ran.exit, ran.stderr).toBe(0);
      await isWhole(directory);
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });

  it('waits for a repository that goes away while the server recovers, and ends no recovery early', async () => {
    const directory = join(await serverDirectory(), 'restored');
    const { done } = restart(directory, temporaryDirectory());
    await expect.poll(() => existsSync(join(directory, 'postmaster.pid')), { interval: 4, timeout: 60_000 }).toBe(true);
    cluster.loseRepository();
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    expect(existsSync(join(directory, 'pg_wal', '00000002.history'))).toBe(false);
    cluster.findRepository();
    const ran = await done;
    expect([ran.exit, ran.stderr]).toEqual([0, expect.stringMatching(/does not give the log.*trying again/)]);
    await isWhole(directory);
  });

  it('is gone on with by the next one wherever it is killed, and leaves no server', async () => {
    const temporary = temporaryDirectory();
    const directory = join(await serverDirectory(), 'restored');
    const serverRuns = (): boolean => {
      const path = join(directory, 'postmaster.pid');
      return existsSync(path) && existsSync(`/proc/${Number.parseInt(readFileSync(path, 'latin1'), 10)}`);
    };
    const instants: [string, () => boolean, number][] = [
      ['the first files are there', () => existsSync(join(directory, 'base')), 0],
      ['the server starts', serverRuns, 0],
      ['the server replays the log', serverRuns, 400],
      ['the server has begun its own history', () => existsSync(join(directory, 'pg_wal', '00000002.history')), 0],
    ];
    for (const [name, isReached, afterMs] of instants) {
      const { child, done } = restart(directory, temporary);
      await expect.poll(isReached, { interval: 4, timeout: 60_000 }).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      const { exit } = await done;
      expect([name, exit]).toEqual([name, 'SIGKILL']);
      await nothingIsLeft(directory, temporary);
    }
    const ran = await restart(directory, temporary).done;
    expect(ran.exit, ran.stderr).toBe(0);
    // A later server's history, or its files, would lead astray.
    expect(existsSync(join(directory, 'pg_wal', '00000003.history'))).toBe(false);
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);
    await isWhole(directory);
  });

  it('is refused where the log makes a tablespace in a place that is in use on this machine, and touches nothing there', async () => {
    const space = await serverDirectory();
    const follower = cluster.follow();
    await cluster.query(`create tablespace late location '${space}'`);
    await cluster.query('create table spaced tablespace late as select generate_series(1, 1000) as i');
    await cluster.caughtUp();
    follower.child.kill('SIGINT');
    await follower.done;
    // What the log does not have: a replay would write pages as they were before.
    await cluster.query('update spaced set i = 0; checkpoint');
    const [row] = await cluster.query(`select pg_relation_filepath('spaced') as path`);
    const file = join(cluster.data, String(row?.['path']));
    const before = readFileSync(file);
    const directory = join(await serverDirectory(), 'restored');
    const words = [
      ['restore', 'db', '--to', directory],
      ['verify', 'db', '--at', 'latest'],
    ];
    for (const each of words) {
      const ran = await cluster.run(...each, '--json');
      expect([ran.exit, document(ran).error]).toMatchObject([
        1,
        { code: 'target-unsuitable', message: expect.stringContaining(space) },
      ]);
      expect(readFileSync(file).equals(before)).toBe(true);
    }
  });
});
