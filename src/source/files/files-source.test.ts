import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  backUpFiles,
  captureContext,
  captureFiles,
  filesSource,
  forgeNewest,
  restoreFiles,
  validateFiles,
} from '../../../test/support/files-backup.ts';
import {
  errorsOf,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  withReader,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { ACCESS_LIST, describeTree, parentsOf, pathIn, plantTree, restoredAt } from '../../../test/support/tree.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { readAttributes, setAttribute } from '../../foundation/extended-attributes.ts';
import {
  listSnapshots,
  openRepository,
  type Repository,
  type SnapshotReader,
  type SnapshotWriter,
} from '../../repository/index.ts';
import { createLocalStore } from '../../store/local/index.ts';

const BACKUP_PROCESS = new URL('../../../test/support/backup-process.ts', import.meta.url).pathname;

let repository: Repository;
let source: string;

beforeEach(async () => {
  repository = await testRepository();
  source = join(testDirectory(), 'source');
  mkdirSync(source);
});

/** The paths of a snapshot's files below the source, and `manifest.json` apart. */
async function stored(): Promise<string[]> {
  const files = [...(await readFiles(repository)).keys()];
  const prefix = `${source.slice(1)}/`;
  return files
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length))
    .sort();
}

async function restored(): Promise<string> {
  const target = join(testDirectory(), 'target');
  await restoreFiles(repository, target);
  return target;
}

describe('a backup of files', () => {
  it('brings back everything that a tree holds, and finds it equal', async () => {
    plantTree(source);
    const { problems, counts } = await backUpFiles(repository, [source]);
    expect(problems).toEqual([]);
    const target = await restored();
    expect(describeTree(restoredAt(target, source))).toEqual(describeTree(source));
    expect(existsSync(join(target, '.holdfast'))).toBe(false);
    const checks = await validateFiles(repository, target);
    expect(checks.map(({ name, result }) => [name, result])).toEqual([
      ['manifest', 'passed'],
      ['files', 'passed'],
    ]);
    expect(counts.filesNew).toBeGreaterThan(50);
  });

  it('stores several paths at their own places, with what leads to them', async () => {
    const other = testDirectory();
    writeFileSync(join(source, 'a'), 'a');
    writeFileSync(join(other, 'b'), 'b');
    writeFileSync(join(other, 'single'), 'c');
    writeFileSync(join(other, 'not-this'), 'd');
    const { paths } = await backUpFiles(repository, [source, join(other, 'single')]);
    expect(paths).toEqual([source, join(other, 'single')]);
    const target = await restored();
    expect(readdirSync(restoredAt(target, other))).toEqual(['single']);
    expect(readdirSync(restoredAt(target, source))).toEqual(['a']);
  });

  it('leaves out what patterns name, but never a path of the plan itself', async () => {
    for (const path of ['a.tmp', '.b.tmp', 'kept', 'dir/c.tmp', 'dir/kept', '.cache/x', 'other/.cache/x']) {
      mkdirSync(join(source, path, '..'), { recursive: true });
      writeFileSync(join(source, path), path);
    }
    await backUpFiles(repository, [source], { exclude: ['*.tmp', '.cache', 'source'] });
    expect(await stored()).toEqual(['dir/kept', 'kept']);
  });

  it('goes through a link that leads to a path of the plan', async () => {
    writeFileSync(join(source, 'file'), 'x');
    const way = testDirectory();
    symlinkSync(join(source, '..'), join(way, 'link'));
    const { problems } = await backUpFiles(repository, [join(way, 'link', 'source')]);
    expect(problems).toEqual([]);
    const target = await restored();
    expect(readdirSync(restoredAt(target, join(way, 'link', 'source')))).toEqual(['file']);
    expect(lstatSync(restoredAt(target, join(way, 'link'))).isDirectory()).toBe(true);
    expect((await validateFiles(repository, target)).every(({ result }) => result === 'passed')).toBe(true);
  });

  it('is partial when a path of the plan is but a link', async () => {
    const link = join(testDirectory(), 'link');
    symlinkSync(source, link);
    const { problems } = await backUpFiles(repository, [link]);
    expect(problems).toMatchObject([{ item: link, error: { code: 'source-unsupported' } }]);
  });

  it('is partial when one of several paths is missing, and fails when all are', async () => {
    const missing = join(source, 'missing');
    const { problems } = await backUpFiles(repository, [missing, source]);
    expect(problems).toMatchObject([{ item: missing, error: { code: 'path-missing' } }]);
    await expect(backUpFiles(repository, [missing])).rejects.toMatchObject({ code: 'path-missing' });
  });

  it('says in its manifest what was captured', async () => {
    writeFileSync(join(source, 'a'), '12345');
    mkdirSync(join(source, 'd'));
    const { manifest } = await backUpFiles(repository, [source], { exclude: ['*.tmp'] });
    expect(manifest).toMatchObject({
      type: 'files',
      details: { paths: [source], exclude: ['*.tmp'], files: 1, bytes: 5 },
      problems: [],
    });
  });
});

describe('a second backup of files', () => {
  // What leads to the source is not compared: others make files in the temporary directory meanwhile.
  const treeOf = (id: string) => withReader(repository, async (reader) => (await reader.find(source))?.subtree, id);

  it('does not read what is unchanged', async () => {
    for (let index = 0; index < 20; index++) writeFileSync(join(source, `${index}`), noise(1000, index));
    await backUpFiles(repository, [source]);
    writeFileSync(join(source, '3'), noise(1000, 'changed'));
    writeFileSync(join(source, 'new'), 'new');
    const { counts } = await backUpFiles(repository, [source]);
    expect(counts).toMatchObject({ filesUnmodified: 19, filesChanged: 1, filesNew: 1 });
    expect((await readFiles(repository)).get(join(source, '3').slice(1))!.equals(noise(1000, 'changed'))).toBe(true);
  });

  it('adds nothing when nothing changed', async () => {
    plantTree(source);
    const first = await backUpFiles(repository, [source]);
    const second = await backUpFiles(repository, [source]);
    expect(second.counts.filesNew + second.counts.filesChanged).toBe(0);
    expect(await treeOf(first.id)).toMatch(/^[0-9a-f]{64}$/);
    expect(await treeOf(second.id)).toBe(await treeOf(first.id));
  });

  const inTree = (path: string): string => join(source, 'a/b', path);
  const replaced = (path: string, make: (path: string) => void): void => {
    rmSync(inTree(path), { recursive: true });
    make(inTree(path));
  };
  it.each<[string, number, () => void]>([
    ['nothing', 0, () => {}],
    ['the rights to a directory', 2, () => chmodSync(inTree(''), 0o700)],
    ['the rights to a file', 3, () => chmodSync(inTree('file'), 0o600)],
    ['a file', 3, () => writeFileSync(inTree('file'), 'other')],
    ['where a link leads to', 3, () => replaced('link', (path) => symlinkSync('elsewhere', path))],
    ['a name', 3, () => renameSync(inTree('file'), inTree('renamed'))],
    ['that a file is gone', 3, () => rmSync(inTree('file'))],
    ['that a file was added', 3, () => writeFileSync(inTree('new'), '')],
    ['that all is gone', 3, () => replaced('', (path) => mkdirSync(path))],
  ])('makes the trees above it anew, and no others, where what changed is %s', async (_, treesMade, change) => {
    for (const directory of ['a/b', 'c/d']) {
      mkdirSync(join(source, directory), { recursive: true });
      writeFileSync(join(source, directory, 'file'), 'x');
      symlinkSync('file', join(source, directory, 'link'));
    }
    await backUpFiles(repository, [source]);
    change();
    const made: string[][] = [];
    const second = await writeSnapshot(repository, async (writer) => {
      const saving = vi.spyOn(writer, 'saveTree');
      const { roots } = await withReader(repository, (previous) =>
        filesSource([source]).capture(writer, captureContext(previous)),
      );
      made.push(...saving.mock.calls.map(([nodes]) => nodes.map(({ name }) => name)));
      return roots;
    });
    const anew = await writeSnapshot(
      repository,
      async (writer) => (await filesSource([source]).capture(writer, captureContext(undefined))).roots,
    );
    const below = made.filter((names) => names.every((name) => /^(a|b|c|d|file|link|new|renamed)$/.test(name)));
    expect(below).toHaveLength(treesMade);
    expect(await treeOf(second.id)).toBe(await treeOf(anew.id));
  });

  const CHANGES: Record<string, (path: string) => void> = {
    'in place, with size and time as they were': (path) => {
      const { atime, mtime, size } = statSync(path);
      writeFileSync(path, noise(size, 'other'));
      utimesSync(path, atime, mtime);
    },
    'for another file of the same size and time': (path) => {
      const { atime, mtime, size } = statSync(path);
      writeFileSync(`${path}.new`, noise(size, 'other'));
      utimesSync(`${path}.new`, atime, mtime);
      renameSync(`${path}.new`, path);
    },
    'into a longer one, with the time as it was': (path) => {
      const { atime, mtime } = statSync(path);
      appendFileSync(path, 'more');
      utimesSync(path, atime, mtime);
    },
  };
  it.each(Object.keys(CHANGES))('reads again what was changed %s', async (how) => {
    const path = join(source, 'file');
    writeFileSync(path, noise(5000));
    // A whole second, so that the same time can be given again to the nanosecond.
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    await backUpFiles(repository, [source]);
    CHANGES[how]!(path);
    const { counts } = await backUpFiles(repository, [source]);
    expect(counts).toMatchObject({ filesChanged: 1, filesUnmodified: 0 });
    const { readFileSync } = await import('node:fs');
    expect((await readFiles(repository)).get(path.slice(1))!.equals(readFileSync(path))).toBe(true);
  });

  it('takes over a file that seems not to have changed, and reads it again where all is to be read', async () => {
    writeFileSync(join(source, 'file'), 'as it became');
    writeFileSync(join(source, 'old'), 'as it was ...');
    await backUpFiles(repository, [source]);
    await forgeNewest(repository, 'old', 'file');
    const takenWith = (readAll: boolean) =>
      withReader(repository, (previous) =>
        captureFiles(repository, [source], { ...captureContext(previous), readAll }),
      );
    expect((await takenWith(false)).counts).toMatchObject({ filesUnmodified: 2, filesChanged: 0 });
    expect((await takenWith(true)).counts).toMatchObject({ filesUnmodified: 1, filesChanged: 1 });
    expect((await readFiles(repository)).get(join(source, 'file').slice(1))!.toString()).toBe('as it became');
  });

  describe('of which all is read', () => {
    const takenAgain = (spy: (previous: SnapshotReader) => void = () => {}) =>
      withReader(repository, (previous) => {
        spy(previous);
        return captureFiles(repository, [source], { ...captureContext(previous), readAll: true });
      });
    const fill = () => {
      for (let index = 0; index < 5; index++) writeFileSync(join(source, `${index}`), noise(1000, index));
    };

    it('looks at nothing of directories of files in the previous snapshot, where nothing changed', async () => {
      const directories = ['a', 'b', 'c', 'with a link'].map((name) => join(source, name));
      for (const directory of directories) {
        mkdirSync(directory);
        writeFileSync(join(directory, 'file'), noise(1000, directory));
      }
      symlinkSync('file', join(directories[3]!, 'link'));
      await backUpFiles(repository, [source]);
      const asked: string[] = [];
      const again = await takenAgain((previous) => {
        const entries = previous.entries.bind(previous);
        previous.entries = (tree) => {
          asked.push(tree);
          return entries(tree);
        };
      });
      expect(again.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 4 });
      const trees = await withReader(repository, async (reader) =>
        Promise.all(directories.map(async (directory) => (await reader.find(directory))!.subtree)),
      );
      expect(trees.map((tree) => asked.includes(tree!))).toEqual([false, false, false, true]);
    });

    it('leaves no large file open', async () => {
      const path = join(source, 'large');
      writeFileSync(path, noise(5_000_000));
      await backUpFiles(repository, [source]);
      const links = readdirSync('/proc/self/fd').map((name) => join('/proc/self/fd', name));
      // The directory that was listed is closed by now.
      const open = links.filter((link) => lstatSync(link, { throwIfNoEntry: false })).map((link) => readlinkSync(link));
      expect(open).not.toContain(realpathSync(path));
      expect(open.length).toBeGreaterThan(2);
    });

    it('counts what is new, changed and as it was in it', async () => {
      fill();
      await backUpFiles(repository, [source]);
      writeFileSync(join(source, '2'), noise(1000, 'changed'));
      writeFileSync(join(source, 'new'), 'new');
      rmSync(join(source, '3'));
      expect((await takenAgain()).counts).toMatchObject({ filesNew: 1, filesChanged: 1, filesUnmodified: 3 });
    });

    it('counts a directory as new whose tree cannot be read any more', async () => {
      fill();
      const { id } = await backUpFiles(repository, [source]);
      const tree = await treeOf(id);
      writeFileSync(join(source, 'new'), 'new');
      const { counts, problems } = await takenAgain((previous) => {
        const entries = previous.entries.bind(previous);
        previous.entries = (asked) =>
          asked === tree ? Promise.reject(new HoldfastError('repository-damaged', 'damaged')) : entries(asked);
      });
      expect(counts).toMatchObject({ filesNew: 6, filesUnmodified: 0 });
      expect(problems).toEqual([]);
    });

    it('knows how a large file beside others was cut before', async () => {
      fill();
      writeFileSync(join(source, 'large'), noise(9_000_000));
      await backUpFiles(repository, [source]);
      const before: unknown[] = [];
      const counts = await withReader(repository, async (previous) => {
        await writeSnapshot(repository, async (writer) => {
          const { writeInParts } = writer;
          writer.writeInParts = (descriptor, file, onRead) => {
            before.push(file.before);
            return writeInParts.call(writer, descriptor, file, onRead);
          };
          const capture = await filesSource([source]).capture(writer, { ...captureContext(previous), readAll: true });
          before.push(capture.counts);
          return capture.roots;
        });
        return before.pop();
      });
      const { content } = (await withReader(repository, (reader) => reader.find(join(source, 'large'))))!;
      expect(before).toEqual([content]);
      expect(counts).toMatchObject({ filesUnmodified: 6, filesNew: 0, filesChanged: 0 });
    });
  });

  it.each<[string, object]>([
    ['nothing', {}],
    ['the size', { size: 4 }],
    ['the time of its content', { mtime: '2020-01-01T00:00:00Z' }],
    ['the time of change, which nobody can set', { ctime: '2020-01-01T00:00:00Z' }],
    ['the inode', { inode: 1 }],
    ['the type', { type: 'symlink' }],
  ])('reads a file again where the previous snapshot has another one of: %s', async (what, other) => {
    writeFileSync(join(source, 'file'), 'x');
    await backUpFiles(repository, [source]);
    const counts = await withReader(repository, async (previous) => {
      const entries = previous.entries.bind(previous);
      previous.entries = async (tree) =>
        (await entries(tree)).map((node) => (node.name === 'file' ? { ...node, ...other } : node));
      return (await captureFiles(repository, [source], captureContext(previous))).counts;
    });
    expect(counts).toMatchObject({ filesUnmodified: what === 'nothing' ? 1 : 0 });
  });

  it('reads again what the repository has lost', async () => {
    writeFileSync(join(source, 'file'), noise(5000));
    await backUpFiles(repository, [source]);
    for (const prefix of ['index/', 'data/']) {
      for (const key of await repository.documentKeys(prefix)) await repository.store.delete(key);
    }
    await backUpFiles(repository, [source]);
    expect((await readFiles(repository)).get(join(source, 'file').slice(1))!.equals(noise(5000))).toBe(true);
  });
});

describe('a backup of files that change', () => {
  /** A writer that something else happens before, each time that it begins to read a file. */
  function beforeReading(writer: SnapshotWriter, happen: () => void): SnapshotWriter {
    return {
      maxStreams: writer.maxStreams,
      holds: (content) => writer.holds(content),
      holdsTree: (tree) => writer.holdsTree(tree),
      openFile: (cut) => writer.openFile(cut),
      saveTree: (nodes) => writer.saveTree(nodes),
      writeFrom: () => Promise.reject(new Error('files are not opened here')),
      readFilesOf: (...directory) => {
        happen();
        return writer.readFilesOf(...directory);
      },
      readFile: (...file) => {
        happen();
        return writer.readFile(...file);
      },
      writeInParts: (...file) => {
        happen();
        return writer.writeInParts(...file);
      },
    };
  }

  /** Keeps doing something to a directory, from a process of its own, until it is stopped. */
  async function whileRunning(script: string, work: () => Promise<void>): Promise<void> {
    const child = spawn('sh', ['-c', `cd "$0" && ${script}`, source], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    try {
      await work();
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
  }

  it('names the file that grows while it is read, and keeps the others', async () => {
    writeFileSync(join(source, 'growing'), noise(60_000_000));
    writeFileSync(join(source, 'still'), 'still');
    await whileRunning('while :; do echo more >> growing; done', async () => {
      const { problems } = await backUpFiles(repository, [source]);
      expect(problems).toMatchObject([{ item: join(source, 'growing'), error: { code: 'source-lost' } }]);
    });
    expect((await readFiles(repository)).get(join(source, 'still').slice(1))!.toString()).toBe('still');
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('comes to an end though a large file grows faster than it is read', async () => {
    const path = join(source, 'growing');
    writeFileSync(path, noise(6_000_000));
    const items: string[] = [];
    await writeSnapshot(repository, async (writer) => {
      const growing: SnapshotWriter = {
        ...beforeReading(writer, () => {}),
        writeInParts: (...file) => {
          // As with a writer that is always ahead: however much is read, the end is not in sight. Zeros take no space.
          truncateSync(path, 2 ** 40);
          return writer.writeInParts(...file);
        },
      };
      const { problems, roots } = await filesSource([source]).capture(growing, captureContext(undefined));
      items.push(...problems.map(({ item }) => item));
      return roots;
    });
    expect(items).toEqual([path]);
    const stored = await withReader(repository, (reader) => reader.find(path));
    expect(stored!.size).toBeGreaterThan(6_000_000);
    expect(stored!.size).toBeLessThan(1 << 30);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('names a large file that was written anew while it was read, as long as it was', async () => {
    const path = join(source, 'anew');
    writeFileSync(path, noise(6_000_000));
    const items: string[] = [];
    await writeSnapshot(repository, async (writer) => {
      const writing: SnapshotWriter = {
        ...beforeReading(writer, () => {}),
        writeInParts: (...file) => {
          writeFileSync(path, noise(6_000_000, 'anew'));
          return writer.writeInParts(...file);
        },
      };
      const { problems, roots } = await filesSource([source]).capture(writing, captureContext(undefined));
      items.push(...problems.map(({ item, error }) => `${item} ${error.message.slice(0, 22)}`));
      return roots;
    });
    expect(items).toEqual([`${path} changed while it was r`]);
  });

  it('has what took the place of a file between its listing and its reading', async () => {
    for (const name of ['link', 'directory', 'large']) writeFileSync(join(source, name), 'small');
    let isReplaced = false;
    await writeSnapshot(repository, async (writer) => {
      const replaced = beforeReading(writer, () => {
        if (isReplaced) return;
        isReplaced = true;
        for (const name of ['link', 'directory']) rmSync(join(source, name));
        symlinkSync('elsewhere', join(source, 'link'));
        mkdirSync(join(source, 'directory'));
        writeFileSync(join(source, 'directory', 'inside'), 'inside');
        writeFileSync(join(source, 'large'), noise(9_000_000));
      });
      const { problems, roots } = await filesSource([source]).capture(replaced, captureContext(undefined));
      expect(problems).toEqual([]);
      return roots;
    });
    const types = await withReader(repository, async (reader) =>
      Promise.all(['link', 'directory', 'large'].map(async (name) => (await reader.find(join(source, name)))?.type)),
    );
    expect(types).toEqual(['symlink', 'dir', 'file']);
    const files = await readFiles(repository);
    expect(files.get(join(source, 'large').slice(1))!.equals(noise(9_000_000))).toBe(true);
    expect(files.get(join(source, 'directory', 'inside').slice(1))!.toString()).toBe('inside');
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('survives files and directories that come and go', async () => {
    for (let index = 0; index < 300; index++) writeFileSync(join(source, `kept${index}`), noise(20_000, index));
    const churn =
      'while :; do mkdir -p d; for i in 1 2 3 4 5 6 7 8 9; do echo x > z$i; echo x > d/$i; done; rm -rf d z*; done';
    await whileRunning(churn, async () => {
      for (let round = 0; round < 4; round++) {
        const { problems } = await backUpFiles(repository, [source]);
        for (const { item, error } of problems) {
          expect(item.startsWith(`${source}/kept`), item).toBe(false);
          expect(error.code).toBe('source-lost');
        }
      }
    });
    expect((await stored()).filter((path) => path.startsWith('kept'))).toHaveLength(300);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('names the file that vanished after it was listed', async () => {
    for (const name of ['a', 'b', 'c']) writeFileSync(join(source, name), name);
    // The first file that is read takes the second away.
    const writer: SnapshotWriter = {
      maxStreams: 1,
      holds: () => false,
      holdsTree: () => false,
      openFile: () => Promise.reject(new Error('no streams here')),
      saveTree: async () => 'ab'.repeat(32),
      writeInParts: () => Promise.reject(new Error('no large files here')),
      readFilesOf: () => Promise.reject(new Error('nothing was there before')),
      writeFrom: () => Promise.reject(new Error('files are not opened here')),
      readFile: (path, onDone) => {
        const status = statSync(path as Buffer, { bigint: true, throwIfNoEntry: false });
        rmSync(join(source, 'b'), { force: true });
        const gone = Object.assign(new Error('ENOENT: open'), { code: 'ENOENT', syscall: 'open' });
        const read = { content: [], sizeBytes: 1, attributes: [], hasChanged: false };
        onDone(status ? { kind: 'read', file: { ...read, status } } : { kind: 'failed', error: gone });
        return undefined;
      },
    };
    const { problems, counts } = await filesSource([source]).capture(writer, captureContext(undefined));
    expect(problems).toMatchObject([{ item: join(source, 'b'), error: { code: 'source-lost' } }]);
    expect(problems[0]!.error.message).toMatch(/vanished/);
    expect(counts.filesNew).toBe(2);
  });

  it('names what may not be read, and keeps the rest', async () => {
    const directory = join(testDirectory(), 'repository');
    const store = createLocalStore(directory);
    await testRepository(store);
    for (const name of ['secret', 'open']) writeFileSync(join(source, name), name);
    mkdirSync(join(source, 'closed'));
    writeFileSync(join(source, 'closed', 'inside'), 'x');
    chmodSync(join(source, 'secret'), 0);
    chmodSync(join(source, 'closed'), 0);
    // Root may read everything, so that root has it done by somebody who may not.
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    for (const path of [directory, source]) {
      if (nobody.uid !== undefined) spawnSync('chown', ['-R', '65534:65534', join(path, '..')]);
    }
    const { stdout } = spawnSync(process.execPath, [BACKUP_PROCESS, directory, source], {
      ...nobody,
      env: { ...process.env, HOLDFAST_TEST_PASSWORD: PASSWORD },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(JSON.parse(stdout.slice(stdout.indexOf('{')))).toMatchObject({
      problems: [
        { item: join(source, 'closed'), code: 'permission-denied' },
        { item: join(source, 'secret'), code: 'permission-denied' },
      ],
    });
    const files = [...(await readFiles(await openRepository(store, PASSWORD))).keys()];
    expect(files).toContain(join(source, 'open').slice(1));
  });
});

describe('a restore of files', () => {
  it('refuses a target that is not empty, and changes nothing in it', async () => {
    writeFileSync(join(source, 'a'), 'new');
    await backUpFiles(repository, [source]);
    const target = testDirectory();
    writeFileSync(join(target, 'mine'), 'x');
    await expect(restoreFiles(repository, target)).rejects.toMatchObject({ code: 'target-not-empty' });
    expect(readdirSync(target)).toEqual(['mine']);
    await expect(restoreFiles(repository, join(target, 'mine'))).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('leaves nothing of the manifest where a restore of the whole snapshot was interrupted', async () => {
    writeFileSync(join(source, 'a'), 'new');
    await backUpFiles(repository, [source]);
    const target = testDirectory();
    const { tree } = (await listSnapshots(repository)).at(-1)!;
    writeFileSync(join(target, '.holdfast-restore'), JSON.stringify({ version: 1, tree, selection: {} }));
    mkdirSync(join(target, '.holdfast'));
    writeFileSync(join(target, '.holdfast', 'manifest.json'), '{"half of');
    await restoreFiles(repository, target);
    expect(readdirSync(target)).toEqual([source.split('/')[1]]);
  });

  it('keeps a file with many names as one, and thousands of the same content apart', async () => {
    for (let index = 0; index < 2000; index++) writeFileSync(join(source, `${index}`), 'the same');
    linkSync(join(source, '0'), join(source, 'again'));
    await backUpFiles(repository, [source]);
    const target = restoredAt(await restored(), source);
    expect(statSync(join(target, '0')).ino).toBe(statSync(join(target, 'again')).ino);
    expect(new Set(readdirSync(target).map((name) => statSync(join(target, name)).ino)).size).toBe(2000);
    expect(statSync(pathIn(target, '7')).size).toBe(8);
  });
});

describe('extended attributes', () => {
  const set = (path: string, name: string | Buffer, value: string): void =>
    setAttribute(Buffer.from(path), Buffer.from(name), Buffer.from(value));
  const namesAndValues = (path: string): string[] =>
    readAttributes(Buffer.from(path))
      .map(({ name, value }) => `${name.toString('latin1')}=${value}`)
      .sort();

  it.skipIf(process.getuid?.() !== 0)('come back on links, and with names of any bytes', async () => {
    const file = join(source, 'file');
    const link = join(source, 'link');
    writeFileSync(file, 'x');
    symlinkSync('file', link);
    set(file, Buffer.from('user.\xff\xfe', 'latin1'), 'bytes');
    set(link, 'trusted.of', 'a link');
    await backUpFiles(repository, [source]);
    const target = restoredAt(await restored(), source);
    expect(namesAndValues(join(target, 'file'))).toEqual(['user.\xff\xfe=bytes']);
    expect(namesAndValues(join(target, 'link'))).toEqual(['trusted.of=a link']);
  });

  it('are kept of a file that is not read again, and looked at again when they changed', async () => {
    const file = join(source, 'file');
    writeFileSync(file, 'x');
    set(file, 'user.a', '1');
    await backUpFiles(repository, [source]);
    const second = await backUpFiles(repository, [source]);
    expect(second.counts.filesUnmodified).toBe(1);
    expect(namesAndValues(join(restoredAt(await restored(), source), 'file'))).toEqual(['user.a=1']);
    set(file, 'user.a', '2');
    await backUpFiles(repository, [source]);
    expect(namesAndValues(join(restoredAt(await restored(), source), 'file'))).toEqual(['user.a=2']);
  });

  it('that differ are found by a validation', async () => {
    writeFileSync(join(source, 'file'), 'x');
    set(join(source, 'file'), 'user.a', '1');
    await backUpFiles(repository, [source]);
    const target = await restored();
    const file = join(restoredAt(target, source), 'file');
    const result = async () => (await validateFiles(repository, target)).at(1);
    expect(await result()).toMatchObject({ result: 'passed' });
    const { atime, mtime } = statSync(file);
    set(file, 'user.a', '2');
    utimesSync(file, atime, mtime);
    expect(await result()).toMatchObject({ result: 'failed', detail: expect.stringContaining('attribute user.a') });
    set(file, 'user.a', '1');
    set(file, 'user.b', '1');
    expect(await result()).toMatchObject({ result: 'failed', detail: expect.stringContaining('attribute user.b') });
  });
});

describe('access control lists', () => {
  const DEFAULT_LIST = 'system.posix_acl_default';
  const give = (path: string, name: string): void => setAttribute(Buffer.from(path), Buffer.from(name), ACCESS_LIST);

  it('that a target gives to what is made in it do not reach what is restored', async () => {
    plantTree(source);
    await backUpFiles(repository, [source]);
    const target = testDirectory();
    give(target, DEFAULT_LIST);
    const before = readAttributes(Buffer.from(target));
    const { problems } = await restoreFiles(repository, target);
    expect(problems).toEqual([]);
    expect(describeTree(restoredAt(target, source))).toEqual(describeTree(source));
    for (const path of parentsOf(source)) {
      expect(readAttributes(Buffer.from(restoredAt(target, path))), path).toEqual(readAttributes(Buffer.from(path)));
    }
    expect((await validateFiles(repository, target)).every(({ result }) => result === 'passed')).toBe(true);
    // The target itself is no part of what is restored.
    expect(readAttributes(Buffer.from(target))).toEqual(before);
  });
});
