import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  craftSnapshot,
  dataBlob,
  extract,
  noise,
  rawTreeBlob,
  testDirectory,
  testRepository,
  withReader,
  writeFile,
  writeFiles,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { ACCESS_LIST } from '../../../test/support/tree.ts';
import { encodeAttribute, type TreeNode } from '../../format/index.ts';
import { readAttributes, setAttribute } from '../../foundation/extended-attributes.ts';
import { noProgress } from '../../foundation/progress.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { packKey } from '../layout.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../repository.ts';
import type { Extracted, ExtractOptions, Selection } from '../snapshot-io.ts';
import { listSnapshots } from '../snapshots.ts';
import { MARKER_NAME } from './marker.ts';

const FILES: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  small: Buffer.from('small'),
  large: noise(30_000_000),
  'same as large': noise(30_000_000),
  'large and compressed': Buffer.from(noise(8_000_000, 'y').toString('hex')),
  zeros: Buffer.alloc(20_000_000),
  'zeros, then something': Buffer.concat([Buffer.alloc(12_000_000), Buffer.from('end')]),
  'something, then zeros': Buffer.concat([noise(3_000_000, 'x'), Buffer.alloc(12_000_000)]),
};

describe.each(['local', 'memory'] as const)('a restore from a %s store', (kind) => {
  let repository: Repository;
  let target: string;

  beforeEach(async () => {
    target = join(testDirectory(), 'target');
    repository = await testRepository(kind === 'local' ? createLocalStore(testDirectory()) : new MemoryStore());
  });

  it('brings every byte back, and leaves holes where there are zeros', async () => {
    await writeFiles(repository, FILES);
    await extract(repository, target);
    for (const [name, content] of Object.entries(FILES)) {
      expect(readFileSync(join(target, name)).equals(content), name).toBe(true);
    }
    expect(statSync(join(target, 'zeros')).blocks).toBe(0);
    expect(statSync(join(target, 'zeros, then something')).blocks * 512).toBeLessThan(9_000_000);
  });

  it('ends when it is told to, and says so', async () => {
    await writeFiles(repository, FILES);
    const controller = new AbortController();
    const progress = { ...noProgress, phase: () => controller.abort(new Error('told to')) };
    await expect(
      withReader(repository, (reader) => reader.extract(target, { progress, signal: controller.signal })),
    ).rejects.toThrow('told to');
  });

  it('makes many files at once that share chunks, more than a thread keeps open', async () => {
    const [shared, zeros] = [dataBlob('shared by all'), dataBlob(Buffer.alloc(5000))];
    const tails = Array.from({ length: 300 }, (_, number) => dataBlob(`the tail of ${number}`));
    const contents = new Map(
      tails.flatMap((tail, number) => [
        [`${number}`, [shared, tail]],
        [`${number} between zeros`, [zeros, tail, zeros]],
        [`${number} before zeros`, [shared, tail, zeros]],
      ]),
    );
    const nodes = [...contents].map(([name, blobs]) => {
      const size = blobs.reduce((sum, { plain }) => sum + plain.length, 0);
      return { name, type: 'file', size, content: blobs.map(({ id }) => id) };
    });
    await craftSnapshot(repository, [shared, ...tails, zeros, rawTreeBlob(nodes)]);
    await extract(repository, target);
    for (const [name, blobs] of contents) {
      const expected = Buffer.concat(blobs.map(({ plain }) => plain));
      expect(readFileSync(join(target, name)).equals(expected), name).toBe(true);
    }
  });

  it('does not pass one blob off as another that an index puts in the same place', async () => {
    const one = dataBlob('one!');
    const two = dataBlob('two!');
    const node = (name: string, id: string) => ({ name, type: 'file', size: 4, content: [id] });
    await craftSnapshot(repository, [
      one,
      { ...one, claim: { id: two.id, offset: 0 } },
      rawTreeBlob([node('a', one.id), node('b', two.id)]),
    ]);
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});

describe('a restore from a distant store', () => {
  it('reads packs in few ranges', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const files = Object.fromEntries(Array.from({ length: 400 }, (_, number) => [`${number}`, noise(50_000, number)]));
    await writeFiles(repository, files);
    store.calls.length = 0;
    const target = join(testDirectory(), 'target');
    await extract(repository, target);
    for (const [name, content] of Object.entries(files)) {
      expect(readFileSync(join(target, name)).equals(content), name).toBe(true);
    }
    const reads = store.calls.filter(({ method, key }) => method === 'get' && key.startsWith('data/'));
    // 20 MB in at most four packs, whose ranges are 3.5 MiB, and the tree.
    expect(reads.length).toBeLessThan(10);
    expect(repository.store.fileOf).toBeUndefined();
  });
});

describe('a restore from files of this machine', () => {
  it.each(['missing', 'cut short'])('says which pack is %s as the store says it', async (how) => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    await writeFiles(repository, { file: noise(1_000_000) });
    const indexed = await loadIndex(repository);
    const path = await withReader(repository, async (reader) => {
      const [file] = await reader.entries(reader.tree);
      return join(directory, packKey(indexed.locate(file!.content![0]!, 'data').pack));
    });
    if (how === 'missing') rmSync(path);
    else truncateSync(path, 1000);
    await expect(extract(repository, join(testDirectory(), 'target'))).rejects.toMatchObject(
      how === 'missing'
        ? { code: 'object-missing', message: expect.stringMatching(/^data\/.*\/target\/file needs it$/) }
        : { code: 'repository-damaged', message: expect.stringMatching(/ends before byte .*\/target\/file needs it$/) },
    );
  });
});

describe('a restore that was interrupted', () => {
  let repository: Repository;
  let surroundings: string;
  let target: string;
  const WHOLE = { ...FILES, 'read-only': noise(100_000, 'r') };

  beforeEach(async () => {
    surroundings = testDirectory();
    target = join(surroundings, 'target');
    repository = await testRepository();
    await writeSnapshot(repository, async (writer) => {
      const nodes: TreeNode[] = [];
      for (const [name, content] of Object.entries(WHOLE)) {
        const mtime = '2020-01-02T03:04:05.678Z';
        nodes.push({ ...(await writeFile(writer, name, content)), mode: 0o444, mtime });
      }
      const subtree = await writer.saveTree(nodes);
      const link: TreeNode = { name: 'link', type: 'symlink', linktarget: '..', content: null };
      return [{ name: 'd', type: 'dir', mode: 2 ** 31 + 0o555, content: null, subtree }, link];
    });
  });

  /** Leaves all of a restore but its end. */
  async function interrupted(): Promise<void> {
    await extract(repository, target);
    await mark();
  }

  async function mark(): Promise<void> {
    const { tree } = (await listSnapshots(repository)).at(-1)!;
    writeFileSync(join(target, MARKER_NAME), JSON.stringify({ version: 1, tree }));
  }

  function expectWhole(): void {
    for (const [name, content] of Object.entries(WHOLE)) {
      expect(readFileSync(join(target, 'd', name)).equals(content), name).toBe(true);
      expect(statSync(join(target, 'd', name)).mode & 0o777).toBe(0o444);
    }
    expect(statSync(join(target, 'd')).mode & 0o777).toBe(0o555);
    expect(readlinkSync(join(target, 'link'))).toBe('..');
    expect(readdirSync(target).sort()).toEqual(['d', 'link']);
  }

  it('is marked until it ends', async () => {
    const seen: string[] = [];
    const progress = { ...noProgress, phase: () => void seen.push(...readdirSync(target)) };
    await withReader(repository, (reader) =>
      reader.extract(target, { progress, signal: new AbortController().signal }),
    );
    expect(seen).toEqual([MARKER_NAME]);
    expectWhole();
  });

  it('goes on, and leaves alone what is right', async () => {
    await interrupted();
    chmodSync(join(target, 'd'), 0o700);
    const changed = (name: string) => statSync(join(target, 'd', name), { bigint: true }).ctimeNs;
    const before = changed('small');
    rmSync(join(target, 'd', 'large'));
    truncateSync(join(target, 'd', 'same as large'), 20_000_000);
    chmodSync(join(target, 'd', 'read-only'), 0o600);
    const { keptFiles } = await extract(repository, target);
    expect(keptFiles).toBe(Object.keys(WHOLE).length - 3);
    expect(changed('small')).toEqual(before);
    expectWhole();
  });

  it('leaves a file with several names alone, and makes what is wrong with it or its names right', async () => {
    const outside = join(surroundings, 'outside');
    const content = noise(100_000, 'linked');
    await writeSnapshot(repository, async (writer) => {
      const whole = { mode: 0o644, mtime: '2020-01-02T03:04:05.678Z', links: 3, inode: 7, device_id: 1 };
      const file = { ...(await writeFile(writer, 'a', content)), ...whole };
      return ['a', 'b', 'c'].map((name) => ({ ...file, name }));
    });
    const names = ['a', 'b', 'c'].map((name) => join(target, name));
    const [a, b, c] = names as [string, string, string];
    const changed = (): bigint => statSync(a, { bigint: true }).ctimeNs;
    const goOn = async (kept: number): Promise<void> => {
      expect((await extract(repository, target)).keptFiles).toBe(kept);
      const stats = names.map((path) => statSync(path));
      expect(stats.map(({ ino, nlink }) => [ino, nlink])).toEqual(Array(3).fill([stats[0]!.ino, 3]));
      for (const path of names) expect(readFileSync(path).equals(content)).toBe(true);
    };
    await interrupted();
    const before = changed();
    await goOn(1);
    expect(changed()).toBe(before);
    // One name is missing, another is a file of its own, and one that is somebody else's is wrong.
    await mark();
    rmSync(c);
    await goOn(1);
    await mark();
    rmSync(b);
    writeFileSync(b, content);
    await goOn(1);
    await mark();
    linkSync(a, outside);
    writeFileSync(a, 'wrong');
    await goOn(0);
    expect(readFileSync(outside, 'utf8')).toBe('wrong');
  });

  it('reads what is there: neither sizes nor times are believed', async () => {
    await interrupted();
    const path = join(target, 'd', 'large');
    const { atime, mtime } = statSync(path);
    for (const [at, byte] of [
      [29_999_999, noise(30_000_000)[29_999_999]! ^ 1],
      [0, noise(30_000_000)[0]! ^ 1],
    ] as const) {
      const descriptor = openSync(path, 'r+');
      writeSync(descriptor, Buffer.of(byte), 0, 1, at);
      closeSync(descriptor);
    }
    utimesSync(path, atime, mtime);
    const zeros = openSync(join(target, 'd', 'zeros'), 'r+');
    writeSync(zeros, Buffer.of(1), 0, 1, 5_000_000);
    closeSync(zeros);
    await extract(repository, target);
    expectWhole();
    expect(statSync(path).mtime).toEqual(mtime);
  });

  it('writes through nothing that was put in its way', async () => {
    await interrupted();
    const outside = join(surroundings, 'outside');
    writeFileSync(outside, 'as it was');
    mkdirSync(join(surroundings, 'elsewhere'));
    for (const name of ['large', 'small', 'zeros']) rmSync(join(target, 'd', name));
    symlinkSync(outside, join(target, 'd', 'large'));
    linkSync(outside, join(target, 'd', 'small'));
    await extract(repository, target);
    expectWhole();
    expect(readFileSync(outside, 'utf8')).toBe('as it was');
    await rm(target, { recursive: true });
    await interrupted();
    renameSync(join(target, 'd'), join(surroundings, 'moved'));
    symlinkSync(join(surroundings, 'elsewhere'), join(target, 'd'));
    await extract(repository, target);
    expectWhole();
    expect(readdirSync(join(surroundings, 'elsewhere'))).toEqual([]);
  });

  it('is gone on with by the same selection only: of another one files may be left half-written', async () => {
    const attempt = async (selection?: Selection, change: Partial<ExtractOptions> = {}): Promise<Extracted> => {
      const options = { progress: noProgress, signal: new AbortController().signal, ...(selection && { selection }) };
      return withReader(repository, (reader) => reader.extract(target, { ...options, ...change }));
    };
    const interrupt = async (selection?: Selection): Promise<void> => {
      const controller = new AbortController();
      const progress = { ...noProgress, phase: () => controller.abort(new Error('told to')) };
      await expect(attempt(selection, { progress, signal: controller.signal })).rejects.toThrow('told to');
      expect(readdirSync(target)).toContain(MARKER_NAME);
    };
    await interrupt();
    await expect(attempt({ only: ['large'] })).rejects.toMatchObject({
      code: 'target-not-empty',
      hint: expect.stringContaining('without `--only` and `--exclude`'),
    });
    await expect(attempt({ exclude: ['large'] })).rejects.toMatchObject({ code: 'target-not-empty' });
    await attempt({ exclude: [] });
    expectWhole();
    await rm(target, { recursive: true });
    await interrupt({ only: ['small', 'empty'], exclude: ['d/large'] });
    for (const other of [undefined, { only: ['empty', 'small'] }, { only: ['small'], exclude: ['d/large'] }]) {
      await expect(attempt(other)).rejects.toMatchObject({
        code: 'target-not-empty',
        hint: expect.stringContaining('--only "empty" "small" --exclude "d/large"'),
      });
    }
    await attempt({ only: ['empty', 'small', 'empty'], exclude: ['d/large'] });
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['d', 'd/empty', 'd/small']);
  });

  it('is not gone on with in a directory of somebody else, of another snapshot, or where a directory is in the way', async () => {
    mkdirSync(target);
    writeFileSync(join(target, 'theirs'), 'x');
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'target-not-empty' });
    for (const content of ['', 'not JSON', '{}', '{"tree":"another"}']) {
      writeFileSync(join(target, MARKER_NAME), content);
      await expect(extract(repository, target)).rejects.toMatchObject({ code: 'target-not-empty' });
    }
    expect(readdirSync(target).sort()).toEqual([MARKER_NAME, 'theirs']);
    await rm(target, { recursive: true });
    await interrupted();
    rmSync(join(target, 'd', 'small'));
    mkdirSync(join(target, 'd', 'small'));
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'target-failed' });
  });
});

describe('a restore into a directory that gives access control lists to what is made in it', () => {
  const LISTS = ['system.posix_acl_access', 'system.posix_acl_default'];
  const listsOf = (path: string): string[] =>
    readAttributes(Buffer.from(path))
      .map(({ name }) => name.toString())
      .filter((name) => LISTS.includes(name))
      .sort();
  const set = (path: string, name: string, value: Uint8Array = ACCESS_LIST): void =>
    setAttribute(Buffer.from(path), Buffer.from(name), value);
  let repository: Repository;
  let target: string;

  beforeEach(async () => {
    repository = await testRepository();
    const attribute = (name: string) => encodeAttribute({ name: Buffer.from(name), value: ACCESS_LIST });
    await writeSnapshot(repository, async (writer) => {
      const file = async (name: string) => ({ ...(await writeFile(writer, name, noise(1000, name))), mode: 0o640 });
      const subtree = await writer.saveTree([await file('inside')]);
      const directory: TreeNode = { name: 'plain', type: 'dir', mode: 2 ** 31 + 0o750, content: null, subtree };
      const own = { ...directory, name: 'own', extended_attributes: LISTS.map(attribute) };
      const listed = { ...(await file('listed')), extended_attributes: [attribute(LISTS[0]!)], mode: 0o660 };
      const fifo: TreeNode = { name: 'fifo', type: 'fifo', mode: 2 ** 25 + 0o640, content: null };
      return [directory, own, fifo, listed, await file('file'), { ...(await file('empty')), size: 0, content: [] }];
    });
    target = testDirectory();
    set(target, LISTS[1]!);
  });

  function expectLists(): void {
    const found = (readdirSync(target, { recursive: true }) as string[]).map((path) => [
      path,
      listsOf(join(target, path)),
    ]);
    expect(Object.fromEntries(found)).toEqual({
      empty: [],
      fifo: [],
      file: [],
      listed: [LISTS[0]],
      own: LISTS,
      'own/inside': [],
      plain: [],
      'plain/inside': [],
    });
    expect(['file', 'empty', 'fifo', 'plain/inside'].map((name) => statSync(join(target, name)).mode & 0o777)).toEqual(
      Array(4).fill(0o640),
    );
    expect(statSync(join(target, 'plain')).mode & 0o777).toBe(0o750);
  }

  it('leaves every entry the lists that the snapshot has, and no other', async () => {
    const { problems } = await extract(repository, target);
    expect(problems).toEqual([]);
    expectLists();
  });

  it('does so where it was interrupted, too, and leaves alone what has the right ones', async () => {
    await extract(repository, target);
    const { tree } = (await listSnapshots(repository)).at(-1)!;
    writeFileSync(join(target, MARKER_NAME), JSON.stringify({ version: 1, tree }));
    set(join(target, 'file'), LISTS[0]!);
    set(join(target, 'own', 'inside'), 'user.more', Buffer.from('x'));
    for (const name of LISTS) set(join(target, 'plain'), name);
    await extract(repository, target);
    expectLists();
    expect(readAttributes(Buffer.from(join(target, 'own', 'inside')))).toEqual([]);
  });
});

describe('a restore of a part', () => {
  it.each([
    [['/a'], [], ['a', 'a/b', 'a/b/1.txt', 'a/b/2.jpg', 'a/3.txt']],
    [['*.txt'], [], ['a', 'a/b', 'a/b/1.txt', 'a/3.txt', '4.txt']],
    [['b'], ['*.jpg'], ['a', 'a/b', 'a/b/1.txt']],
    [undefined, ['/a/b', '4.txt'], ['a', 'a/3.txt']],
    [['/a/b/1.txt'], [], ['a', 'a/b', 'a/b/1.txt']],
    [['/a'], ['b'], ['a', 'a/3.txt']],
  ])('with only %j and without %j is %j', async (only, exclude, expected) => {
    const repository = await testRepository();
    await writeSnapshot(repository, async (writer) => {
      const directory = async (name: string, nodes: TreeNode[]): Promise<TreeNode> => {
        return { name, type: 'dir', mode: 2 ** 31 + 0o755, content: null, subtree: await writer.saveTree(nodes) };
      };
      const file = (name: string) => writeFile(writer, name, Buffer.from(name));
      const b = await directory('b', [await file('1.txt'), await file('2.jpg')]);
      return [await directory('a', [b, await file('3.txt')]), await file('4.txt')];
    });
    const target = join(testDirectory(), 'target');
    const options = {
      progress: noProgress,
      signal: new AbortController().signal,
      selection: { ...(only && { only }), exclude },
    };
    await withReader(repository, (reader) => reader.extract(target, options));
    expect((readdirSync(target, { recursive: true }) as string[]).sort()).toEqual([...expected].sort());
    for (const misspelt of [['none'], ['/a', 'none'], ['/a', '/a/none']]) {
      const selection = { only: misspelt };
      await expect(
        withReader(repository, (reader) => reader.extract(`${target}2`, { ...options, selection })),
      ).rejects.toMatchObject({ code: 'path-missing', message: expect.stringMatching(/named by "(\/a\/)?none"$/) });
    }
    expect(existsSync(`${target}2`)).toBe(false);
  });

  it('keeps the names of one file one, whichever of them are wanted', async () => {
    const repository = await testRepository();
    await writeSnapshot(repository, async (writer) => {
      const file = { ...(await writeFile(writer, 'a', noise(1000))), links: 3, inode: 2n ** 64n - 1n, device_id: 1 };
      const another = { ...file, name: 'd', inode: 2n ** 64n - 2n };
      return [...['a', 'b', 'c'].map((name) => ({ ...file, name })), another];
    });
    const target = join(testDirectory(), 'target');
    const options = {
      progress: noProgress,
      signal: new AbortController().signal,
      selection: { only: ['b', 'c', 'd'] },
    };
    await withReader(repository, (reader) => reader.extract(target, options));
    expect(readdirSync(target).sort()).toEqual(['b', 'c', 'd']);
    const [b, c, d] = ['b', 'c', 'd'].map((name) => statSync(join(target, name)));
    expect([b!.ino, b!.nlink, d!.nlink]).toEqual([c!.ino, 2, 1]);
    expect(readFileSync(join(target, 'c')).equals(noise(1000))).toBe(true);
  });

  it('takes a pattern that names what lies in something that another one names', async () => {
    const repository = await testRepository();
    await writeSnapshot(repository, async (writer) => {
      const subtree = await writer.saveTree([await writeFile(writer, 'f', Buffer.from('f'))]);
      return [{ name: 'd', type: 'dir', mode: 2 ** 31 + 0o755, content: null, subtree }];
    });
    const target = join(testDirectory(), 'target');
    const options = { progress: noProgress, signal: new AbortController().signal, selection: { only: ['/d', 'f'] } };
    await withReader(repository, (reader) => reader.extract(target, options));
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['d', 'd/f']);
  });
});
