import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listSnapshots } from '../../src/repository/index.ts';
import { sha256 } from '../../src/repository/repository.ts';
import { CachingStore } from '../../src/store/cache/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { holdfast, initialise } from '../support/cli.ts';
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

  it('a prune says what it takes, can be tried without a lock, and frees what it can without copying', async () => {
    const directory = dirname(disk);
    const own = join(disk, 'repository');
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      `version: 1
name: full
repositories: { main: { store: ${own}, password: { env: HOLDFAST_PASSWORD } } }
sources: { one: { type: files, paths: [${source}], retention: { last: 1 }, schedule: daily, objectives: { rpo: 26h } } }
`,
    );
    const run = (...words: string[]) => holdfast(directory, words);
    await initialise(disk);
    // A pack of which a part stays used, and one that nothing will need.
    for (let index = 0; index < 4; index++) writeFileSync(join(source, `part${index}`), noise(1_500_000, index));
    expect((await run('backup')).exit).toBe(0);
    rmSync(join(source, 'part0'));
    writeFileSync(join(source, 'gone'), noise(4_000_000, 9));
    expect((await run('backup')).exit).toBe(0);
    rmSync(join(source, 'gone'));
    expect((await run('backup')).exit).toBe(0);
    expect((await run('retain')).exit).toBe(0);

    writeFileSync(join(disk, 'ballast'), noise(freeBytes()));
    for (const command of ['retain', 'prune']) {
      const { exit, stderr } = await run(command);
      expect([exit, stderr]).toEqual([1, expect.stringMatching(/no space is left\n {2}Before anything goes.*2 MiB/)]);
    }
    const tried = await run('prune', '--dry-run');
    expect([tried.exit, tried.stdout]).toEqual([0, expect.stringMatching(/to remove: \d packs, 3\.8 MiB/)]);
    rmSync(join(disk, 'ballast'));

    writeFileSync(join(disk, 'ballast'), noise(freeBytes() - 3_000_000));
    const before = freeBytes();
    const cramped = await run('prune');
    expect([cramped.exit, cramped.stderr]).toEqual([0, '']);
    expect(cramped.stdout).toMatch(
      /removed: \d packs, 3\.8 MiB.*\n(.*\n)* {2}no room to copy what is used of packs: 1\.4 MiB stay/,
    );
    expect(freeBytes() - before).toBeGreaterThan(3_500_000);
    rmSync(join(disk, 'ballast'));
    const roomy = await run('prune');
    expect(roomy.stdout).toMatch(/marked: \d packs?, .* after copying/);
    expect((await run('check', '--read-data')).exit).toBe(0);
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
