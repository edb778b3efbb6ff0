import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  document,
  holdfast,
  initialise,
  PASSWORD,
  scratchDirectory,
  startHoldfast,
  writePlan,
} from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic, resticCheck } from '../support/restic.ts';

async function prepared(): Promise<{ directory: string; repository: string }> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  for (let file = 0; file < 20; file++) writeFileSync(join(directory, 'data', `${file}`), noise(1 << 20, file));
  writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
  await initialise(directory);
  return { directory, repository: join(directory, 'repository') };
}

function locksIn(repository: string): string[] {
  const directory = join(repository, 'locks');
  return existsSync(directory) ? readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('it did not come to that');
    await pause(2);
  }
}

/** restic at work, holding its lock: stopped by a signal as soon as the lock is there. */
async function resticHolding(repository: string, words: string[]): Promise<ChildProcess> {
  const child = spawn('restic', ['--no-cache', '--repo', repository, ...words], {
    env: { ...process.env, RESTIC_PASSWORD: PASSWORD },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await until(() => locksIn(repository).length > 0);
  child.kill('SIGSTOP');
  return child;
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('close', (status) => resolve(status)));
}

describe('two backups of the same at the same time', () => {
  it('lose nothing of each other, and what both stored goes with the next prune', async () => {
    const { directory, repository } = await prepared();
    const both = [1, 2].map(() => startHoldfast(directory, ['--no-progress', 'backup', '--json']).done);
    const snapshots = (await Promise.all(both)).map((ran) => {
      expect([ran.exit, ran.stderr]).toEqual([0, '']);
      return document(ran).sources[0].snapshot as string;
    });
    expect(new Set(snapshots).size).toBe(2);
    expect(locksIn(repository)).toEqual([]);
    for (const words of [['check'], ['prune'], ['check', '--read-data']]) {
      expect((await holdfast(directory, words)).exit, words.join(' ')).toBe(0);
    }
    for (const snapshot of snapshots) {
      const to = join(directory, snapshot);
      expect((await holdfast(directory, ['restore', '--snapshot', snapshot, '--to', to])).exit).toBe(0);
      for (let file = 0; file < 20; file++) {
        expect(readFileSync(join(to, directory, 'data', `${file}`)).equals(noise(1 << 20, file))).toBe(true);
      }
    }
    if (requires('restic')) resticCheck(repository);
  });
});

describe.skipIf(!requires('restic'))('restic and holdfast on one repository', () => {
  it('back up at the same time, and nothing is lost of either', async () => {
    const { directory, repository } = await prepared();
    const theirs = await resticHolding(repository, ['backup', join(directory, 'data'), '--tag', 'theirs']);
    const ours = startHoldfast(directory, ['backup']);
    await until(() => locksIn(repository).length > 1);
    theirs.kill('SIGCONT');
    expect([await ended(theirs), (await ours.done).exit]).toEqual([0, 0]);
    resticCheck(repository);
    expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    expect(document(await holdfast(directory, ['snapshots', '--json'])).snapshots).toHaveLength(2);
  });

  it('wait for none of their shared locks, and for each exclusive one', async () => {
    const { directory, repository } = await prepared();
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    for (const words of [['prune'], ['check']]) {
      const alone = await resticHolding(repository, words);
      const refused = await holdfast(directory, ['backup', '--json']);
      expect([words[0], refused.exit]).toEqual([words[0], 11]);
      expect(refused.stdout).toContain(`locked exclusively by`);
      expect(refused.stdout).toContain(`process ${alone.pid}`);
      alone.kill('SIGCONT');
      expect(await ended(alone)).toBe(0);
      expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    }
  });

  it('refuse what needs the repository alone while the other backs up', async () => {
    const { directory, repository } = await prepared();
    const reading = await resticHolding(repository, ['backup', '--stdin']);
    const refused = await holdfast(directory, ['key', 'remove', 'ffff']);
    expect(refused.exit).toBe(11);
    const looked = document(await holdfast(directory, ['unlock', '--json'])).repositories[0];
    expect([looked.removed, looked.left.length]).toEqual([[], 1]);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    reading.kill('SIGCONT');
    reading.stdin!.end('some data');
    expect(await ended(reading)).toBe(0);
    resticCheck(repository);
  });

  it('take a lock of a process that was killed for what it is', async () => {
    const { directory, repository } = await prepared();
    const doomed = await resticHolding(repository, ['prune']);
    doomed.kill('SIGKILL');
    await ended(doomed);
    expect(locksIn(repository)).toHaveLength(1);
    const dry = document(await holdfast(directory, ['unlock', '--dry-run', '--json'])).repositories[0];
    expect(dry.removed).toMatchObject([{ exclusive: true }]);
    expect(locksIn(repository)).toHaveLength(1);
    expect((await holdfast(directory, ['unlock'])).stdout).toContain('removed 1 lock in main');
    expect(locksIn(repository)).toEqual([]);
    const second = await resticHolding(repository, ['prune']);
    second.kill('SIGKILL');
    await ended(second);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    expect(locksIn(repository)).toEqual([]);
  });

  it('leave no lock behind when holdfast is killed that restic could not remove', async () => {
    const { directory, repository } = await prepared();
    const ours = startHoldfast(directory, ['backup']);
    await until(() => locksIn(repository).length > 0);
    ours.child.kill('SIGKILL');
    await ours.done;
    expect(locksIn(repository)).toHaveLength(1);
    restic(repository, ['unlock']);
    expect(locksIn(repository)).toEqual([]);
    restic(repository, ['prune']);
  });
});
