import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listSnapshots } from '../../src/repository/index.ts';
import { sha256 } from '../../src/repository/repository.ts';
import { CachingStore } from '../../src/store/cache/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { errorsOf, noise, readFiles, testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

describe.skipIf(!requires('tmpfs'))('on a disk that is full', () => {
  let disk: string;
  let source: string;

  beforeEach(() => {
    disk = testDirectory();
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    expect(status).toBe(0);
    source = join(testDirectory(), 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'first'), noise(2_000_000));
  });
  afterEach(() => void spawnSync('umount', ['-l', disk]));

  function freeBytes(): number {
    const { bavail, bsize } = statfsSync(disk);
    return bavail * bsize;
  }

  it('a backup fails, leaves no snapshot, and works again when there is room', async () => {
    const directory = join(disk, 'repository');
    const repository = await testRepository(createLocalStore(directory));
    const { id: first } = await backUpFiles(repository, [source]);
    for (let index = 0; index < 30; index++) writeFileSync(join(source, `large${index}`), noise(1_000_000, index));
    await expect(backUpFiles(repository, [source])).rejects.toMatchObject({ code: 'disk-full' });
    expect((await listSnapshots(repository)).map(({ id }) => id)).toEqual([first]);
    expect(readdirSync(join(directory, '.staging'))).toEqual([]);
    expect(await errorsOf(repository)).toEqual([]);
    expect((await readFiles(repository)).size).toBe(2);
    for (let index = 1; index < 30; index++) rmSync(join(source, `large${index}`));
    // What the run that failed had put there already takes room until it is pruned.
    expect(freeBytes()).toBeGreaterThan(0);
    spawnSync('mount', ['-o', 'remount,size=64m', disk]);
    await backUpFiles(repository, [source]);
    expect(await errorsOf(repository)).toEqual([]);
    expect((await readFiles(repository)).size).toBe(3);
  });

  it('a cache says once that it keeps nothing more, and everything is read as before', async () => {
    const problems: string[] = [];
    const directory = join(disk, 'cache');
    const onProblem = (message: string): void => void problems.push(message);
    const store = new CachingStore(new MemoryStore(), { directory, limitBytes: 1e9, onProblem });
    const contents = Array.from({ length: 30 }, (_, seed) => noise(1_000_000, seed));
    const keyOf = (content: Buffer): string => `index/${sha256(content)}`;
    for (const content of contents) await store.put(keyOf(content), content);
    for (const content of contents) {
      expect(Buffer.from(await store.get(keyOf(content))).equals(content)).toBe(true);
    }
    expect(problems).toEqual([expect.stringContaining('no space left')]);
    const kept = readdirSync(join(directory, 'index'));
    expect(kept.length).toBeGreaterThan(15);
    expect(kept.filter((name) => name.length !== 64)).toEqual([]);
  });

  it('not even a lock can be taken, which says why', async () => {
    const repository = await testRepository(createLocalStore(join(disk, 'repository')));
    writeFileSync(join(disk, 'ballast'), noise(freeBytes()));
    await expect(backUpFiles(repository, [source])).rejects.toMatchObject({ code: 'disk-full' });
    rmSync(join(disk, 'ballast'));
    await backUpFiles(repository, [source]);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('a restore fails and says so', async () => {
    const repository = await testRepository(createLocalStore(join(testDirectory(), 'repository')));
    for (let index = 0; index < 30; index++) writeFileSync(join(source, `large${index}`), noise(1_000_000, index));
    await backUpFiles(repository, [source]);
    const target = join(disk, 'target');
    await expect(restoreFiles(repository, target)).rejects.toMatchObject({ code: 'disk-full' });
    expect(existsSync(target)).toBe(true);
    rmSync(target, { recursive: true });
    spawnSync('mount', ['-o', 'remount,size=64m', disk]);
    expect((await restoreFiles(repository, target)).problems).toEqual([]);
  });
});
