import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { lockRepository, openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, holdfast, initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

async function prepared(directory: string): Promise<void> {
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'note.txt'), 'remember');
  writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
  await initialise(directory);
}

describe('a repository that somebody has locked exclusively', () => {
  it('is exit code 11, names who, and is free again after them', async () => {
    const directory = scratchDirectory();
    await prepared(directory);
    await holdfast(directory, ['backup']);
    const repository = await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD);
    const lock = await lockRepository(repository, { exclusive: true, clock: systemClock });
    for (const words of [
      ['backup', '--json'],
      ['check', '--json'],
      ['verify', '--json'],
      ['ls', 'latest', '--json'],
      ['diff', 'latest', 'latest', '--json'],
    ]) {
      const ran = await holdfast(directory, words);
      expect(ran.exit, words[0]).toBe(11);
      expect(ran.stdout).toContain(`process ${process.pid}`);
    }
    expect((await holdfast(directory, ['snapshots'])).exit).toBe(0);
    await lock.release();
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
  });
});

/** A directory as `prepared` makes it, with a first backup; its repository is a file system of 24 MB. */
async function onSmallDisk(): Promise<string> {
  const directory = scratchDirectory();
  const repository = join(directory, 'repository');
  mkdirSync(repository);
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', repository]).status).toBe(0);
  onTestFinished(() => {
    spawnSync('umount', [repository]);
  });
  await prepared(directory);
  expect((await holdfast(directory, ['backup'])).exit).toBe(0);
  return directory;
}

describe.skipIf(!requires('tmpfs', 'restic'))('a repository whose disk is full', () => {
  it('fails the backup with 1, stays clean, and goes on when there is space again', async () => {
    const directory = await onSmallDisk();
    const large = join(directory, 'data', 'large');
    writeFileSync(large, incompressible(64 * 1024 * 1024));
    const full = await holdfast(directory, ['backup', '--json']);
    expect(full.exit).toBe(1);
    expect(document(full).sources[0].error.code).toBe('disk-full');
    rmSync(large);
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toHaveLength(1);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
    const restic = spawnSync('restic', ['-r', 'repository', '--no-cache', '--no-lock', 'check', '--read-data'], {
      cwd: directory,
      env,
    });
    expect(restic.status, restic.stdout.toString() + restic.stderr.toString()).toBe(0);
    writeFileSync(join(directory, 'data', 'small'), 'fits');
    spawnSync('mount', ['-o', 'remount,size=64m', join(directory, 'repository')]);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
  });
});

describe.skipIf(!requires('tmpfs'))('a repository that cannot be written to', () => {
  it('is looked into all the same, with a note', async () => {
    const directory = await onSmallDisk();
    expect(spawnSync('mount', ['-o', 'remount,ro', join(directory, 'repository')]).status).toBe(0);
    for (const words of [
      ['ls', 'latest', '--json'],
      ['diff', 'latest', 'latest', '--json'],
    ]) {
      const ran = await holdfast(directory, words);
      expect(ran.exit, ran.stderr).toBe(0);
      const snapshots = words.filter((word) => word === 'latest').length;
      const unrecorded = Array.from({ length: snapshots }, () => expect.stringMatching(/not recorded/));
      expect(document(ran).notes).toEqual([expect.stringMatching(/without a lock/), ...unrecorded]);
      expect(ran.stderr).toMatch(/without a lock/);
    }
  });

  it('is restored from, checked and proven all the same, and it is said that nothing was recorded', async () => {
    const directory = await onSmallDisk();
    expect(spawnSync('mount', ['-o', 'remount,ro', join(directory, 'repository')]).status).toBe(0);
    const restored = await holdfast(directory, ['restore', 'files', '--to', 'back', '--json']);
    expect(restored.exit).toBe(0);
    expect(document(restored).notes).toEqual([
      expect.stringMatching(/without a lock/),
      expect.stringMatching(/not recorded/),
    ]);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
    const backup = await holdfast(directory, ['backup', '--json']);
    expect(backup.exit).toBe(1);
    expect(document(backup).sources[0].error.code).toBe('permission-denied');
  });
});

function incompressible(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at += 4) {
    // xorshift32: noise, the same on every run.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer.writeInt32LE(state | 0, at);
  }
  return buffer;
}

describe('a snapshot whose document is damaged', () => {
  it('is told of everywhere, and keeps nobody from the other snapshots', async () => {
    const directory = scratchDirectory();
    await prepared(directory);
    const [{ snapshot: lost }] = document(await holdfast(directory, ['backup', '--json'])).sources;
    const [{ snapshot: whole }] = document(await holdfast(directory, ['backup', '--json'])).sources;
    const path = join(directory, 'repository', 'snapshots', lost);
    chmodSync(path, 0o600);
    writeFileSync(path, 'not what was written');

    const listed = await holdfast(directory, ['snapshots', '--json']);
    expect(listed.exit).toBe(1);
    expect(document(listed)).toMatchObject({
      snapshots: [{ id: whole }],
      damaged: [{ code: 'repository-damaged', message: expect.stringContaining(lost) }],
    });
    const status = await holdfast(directory, ['status']);
    expect([status.exit, status.stdout]).toEqual([1, expect.stringContaining(`damaged snapshots/${lost}`)]);
    const note = expect.stringContaining(lost);
    const restored = await holdfast(directory, ['restore', 'files', '--to', join(directory, 'back'), '--json']);
    expect(document(restored)).toMatchObject({ snapshot: whole, notes: [note], outcome: 'complete' });
    const proven = document(await holdfast(directory, ['verify', '--json']));
    expect(proven.proofs).toMatchObject([{ snapshot: whole, state: 'proven', notes: [note] }]);
    const again = await holdfast(directory, ['backup', '--json']);
    expect(again.exit).toBe(0);
    expect(document(again).sources).toMatchObject([{ outcome: 'complete', notes: [note] }]);
    expect((await holdfast(directory, ['check'])).exit).toBe(1);
  });
});

describe('snapshots that somebody deleted', () => {
  it('are no source that was never backed up: status and check say that the newest is lost, until there is another', async () => {
    const directory = scratchDirectory();
    await prepared(directory);
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      readFileSync(join(directory, 'holdfast.yaml'), 'utf8').replace(/objectives: .*\n/, ''),
    );
    const status = async () => {
      const ran = await holdfast(directory, ['status', '--json']);
      return { exit: ran.exit, source: document(ran).sources[0] };
    };
    expect(await status()).toMatchObject({ exit: 0, source: { snapshots: 0 } });
    await holdfast(directory, ['backup']);
    const [{ snapshot, time }] = document(await holdfast(directory, ['backup', '--json'])).sources;
    expect(await status()).toMatchObject({ exit: 0, source: { snapshots: 2 } });
    rmSync(join(directory, 'repository', 'snapshots'), { recursive: true });
    mkdirSync(join(directory, 'repository', 'snapshots'));

    expect(await status()).toMatchObject({ exit: 1, source: { snapshots: 0, lost: { snapshot, time } } });
    const shown = await holdfast(directory, ['status']);
    expect(shown.stdout).toMatch(/\nlost files: its newest backup, [0-9a-f]{8} of .* is gone from main, and nobody/);
    const checked = await holdfast(directory, ['check', '--json']);
    expect(checked.exit).toBe(1);
    expect(document(checked).repositories[0].findings).toMatchObject([
      { severity: 'note' },
      { severity: 'error', where: `snapshots/${snapshot}` },
    ]);
    await holdfast(directory, ['backup']);
    expect(await status()).toMatchObject({ exit: 0, source: { snapshots: 1 } });
    expect((await status()).source).not.toHaveProperty('lost');
  });

  it.skipIf(!requires('restic'))('are not lost where restic stored them anew with other tags', async () => {
    const directory = scratchDirectory();
    await prepared(directory);
    const [{ snapshot }] = document(await holdfast(directory, ['backup', '--json'])).sources;
    restic(join(directory, 'repository'), ['tag', '--add', 'mine', snapshot]);
    const { sources } = document(await holdfast(directory, ['status', '--json']));
    expect(sources[0].last.snapshot).not.toBe(snapshot);
    expect(sources[0]).not.toHaveProperty('lost');
    expect((await holdfast(directory, ['check'])).exit).toBe(0);
  });
});
