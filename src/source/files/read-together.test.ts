import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { backUpFiles, captureContext, filesSource } from '../../../test/support/files-backup.ts';
import { noise, testDirectory, testRepository, withReader, writeSnapshot } from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { setAttribute } from '../../foundation/extended-attributes.ts';
import type { Repository, SnapshotWriter } from '../../repository/index.ts';
import type { Capture } from '../index.ts';
import type { FilesSourceOptions } from './files-source.ts';

/** A directory of files that one thread reads, and holds against what it was. */

let repository: Repository;
let source: string;
let directory: string;

beforeEach(async () => {
  repository = await testRepository();
  source = join(testDirectory(), 'source');
  directory = join(source, 'directory');
  mkdirSync(directory, { recursive: true });
  for (let index = 0; index < 12; index++) writeFileSync(join(directory, `${index}`), noise(1000 * index, index));
});

interface Taken {
  capture: Capture;
  /** What of the directory was read by which call. */
  asked: string[];
  tree: string | undefined;
}

/** Backs everything up, all of it read, and says what the directory's tree is. */
async function takenAgain(
  options: Partial<FilesSourceOptions> = {},
  change: (writer: SnapshotWriter) => void = () => {},
): Promise<Taken> {
  const asked: string[] = [];
  const capture = await withReader(repository, async (previous) => {
    let captured: Capture | undefined;
    await writeSnapshot(repository, async (writer) => {
      const context = { ...captureContext(previous), readAll: true };
      change(writer);
      captured = await filesSource([source], options).capture(watched(writer, asked), context);
      return captured.roots;
    });
    return captured!;
  });
  return { capture, asked, tree: await newestTree() };
}

function watched(writer: SnapshotWriter, asked: string[]): SnapshotWriter {
  const { readFile, readFilesOf, saveTree } = writer;
  writer.readFile = (...file) => {
    asked.push('readFile');
    return readFile.apply(writer, file);
  };
  writer.readFilesOf = (...files) => {
    asked.push('readFilesOf');
    return readFilesOf.apply(writer, files);
  };
  writer.saveTree = (nodes) => {
    if (nodes.some(({ name }) => name === '1')) asked.push('saveTree');
    return saveTree.call(writer, nodes);
  };
  return writer;
}

async function newestTree(): Promise<string | undefined> {
  return withReader(repository, async (reader) => (await reader.find(directory))?.subtree);
}

/** The tree of a backup that holds what is there against nothing. */
async function treeAnew(options: Partial<FilesSourceOptions> = {}): Promise<string | undefined> {
  await writeSnapshot(repository, async (writer) => {
    return (await filesSource([source], options).capture(writer, captureContext(undefined))).roots;
  });
  return newestTree();
}

const at = (name: string) => join(directory, name);

function inPlace(path: string, change: () => void): void {
  const { atime, mtime } = statSync(path);
  change();
  utimesSync(path, atime, mtime);
}

const CHANGES: [string, () => void, object][] = [
  ['nothing', () => {}, {}],
  ['a content', () => writeFileSync(at('3'), noise(3000, 'other')), { filesChanged: 1 }],
  [
    'a content of the same size and time',
    () => inPlace(at('3'), () => writeFileSync(at('3'), noise(3000, 'other'))),
    { filesChanged: 1 },
  ],
  ['a size', () => truncateSync(at('3'), 0), { filesChanged: 1 }],
  ['a mode', () => chmodSync(at('3'), 0o640), { filesChanged: 1 }],
  [
    'an attribute',
    () => setAttribute(Buffer.from(at('3')), Buffer.from('user.a'), Buffer.from('1')),
    { filesChanged: 1 },
  ],
  ['a new file', () => writeFileSync(at('new'), ''), { filesNew: 1 }],
  ['a file less', () => rmSync(at('3')), { filesUnmodified: 11 }],
  ['another name', () => renameSync(at('3'), at('three')), { filesNew: 1, filesUnmodified: 11 }],
  ['a large file', () => writeFileSync(at('large'), noise(5_000_000)), { filesNew: 1 }],
  ['a link', () => symlinkSync('3', at('link')), { filesUnmodified: 12 }],
];

describe('a directory of files that is read again', () => {
  it.each(CHANGES)('has the tree that it would have anew, and is counted: %s', async (_what, change, counts) => {
    await backUpFiles(repository, [source]);
    change();
    const { capture, tree } = await takenAgain();
    expect(tree).toBe(await treeAnew());
    const { filesNew, filesChanged, filesUnmodified } = capture.counts;
    const changed = { filesNew: 0, filesChanged: 0, ...counts };
    expect({ filesNew, filesChanged, filesUnmodified }).toEqual({
      filesUnmodified: 12 - changed.filesChanged,
      ...changed,
    });
    expect(capture.problems).toEqual([]);
  });

  it('is left to one thread, and nothing is made anew where nothing changed', async () => {
    const { counts } = await backUpFiles(repository, [source]);
    const { asked, capture } = await takenAgain();
    expect(asked).toEqual(['readFilesOf']);
    const bytesProcessed = (1000 * 11 * 12) / 2;
    expect(capture.counts).toEqual({ ...counts, filesNew: 0, filesUnmodified: 12, bytesProcessed });
  });

  it('is read file by file where the repository has lost its tree', async () => {
    await backUpFiles(repository, [source]);
    const lost = await newestTree();
    const { asked, capture, tree } = await takenAgain({}, (writer) => {
      const { holdsTree } = writer;
      writer.holdsTree = (id) => id !== lost && holdsTree.call(writer, id);
    });
    expect(asked).toEqual([...Array.from({ length: 12 }, () => 'readFile'), 'saveTree']);
    expect(capture.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 12 });
    expect(tree).toBe(lost);
  });

  it('is read file by file where something in it is excluded', async () => {
    const exclude = ['*.tmp'];
    writeFileSync(at('some.tmp'), 'x');
    await backUpFiles(repository, [source], { exclude });
    const { asked, capture, tree } = await takenAgain({ exclude });
    expect(asked.filter((call) => call === 'readFilesOf')).toEqual([]);
    expect(capture.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 12 });
    expect(tree).toBe(await treeAnew({ exclude }));
  });

  it('may have more bytes than one thread reads at once', async () => {
    for (let index = 0; index < 4; index++) writeFileSync(at(`long${index}`), noise(4_000_000, index));
    await backUpFiles(repository, [source]);
    const { capture, tree } = await takenAgain();
    expect(capture.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 16 });
    expect(tree).toBe(await treeAnew());
  });

  it('may have many files, which are left to several threads then', async () => {
    for (let index = 0; index < 1100; index++) writeFileSync(at(`many${index}`), `${index}`);
    await backUpFiles(repository, [source]);
    const { asked, capture, tree } = await takenAgain();
    expect(asked).not.toContain('readFilesOf');
    expect(capture.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 1112 });
    expect(tree).toBe(await treeAnew());
  });

  it('names the file in it that vanished meanwhile, and keeps the others', async () => {
    await backUpFiles(repository, [source]);
    const { capture, tree } = await takenAgain({}, (writer) => {
      const { readFilesOf } = writer;
      writer.readFilesOf = (...files) => {
        rmSync(at('3'));
        return readFilesOf.apply(writer, files);
      };
    });
    expect(capture.problems).toMatchObject([{ item: at('3'), error: { code: 'source-lost' } }]);
    expect(capture.counts).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 11 });
    expect(tree).toBe(await treeAnew());
  });

  it('ends the backup when what it has cannot be stored', async () => {
    await backUpFiles(repository, [source]);
    writeFileSync(at('3'), noise(3000, 'other'));
    const failing = takenAgain({}, (writer) => {
      writer.saveTree = () => Promise.reject(new HoldfastError('store-failed', 'no room'));
    });
    await expect(failing).rejects.toMatchObject({ code: 'store-failed' });
  });
});
