import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  errorsOf,
  noise,
  readFiles,
  testDirectory,
  testRepository,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import type { TreeNode } from '../../format/index.ts';
import { setAttribute } from '../../foundation/extended-attributes.ts';
import type { FileOutcome, ReadFile, SnapshotWriter } from '../index.ts';
import { LARGE_FILE_BYTES } from './file-reader.ts';

let directory: string;

beforeEach(() => {
  directory = testDirectory();
});

function fileOf(name: string, content: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Has a file read, and says what became of it. */
async function read(writer: SnapshotWriter, path: string): Promise<{ done: Promise<FileOutcome> }> {
  const { promise, resolve } = Promise.withResolvers<FileOutcome>();
  await writer.readFile(Buffer.from(path), resolve);
  return { done: promise };
}

async function nodeOf(name: string, { done }: { done: Promise<FileOutcome> }): Promise<TreeNode> {
  const { content, sizeBytes } = fileIn(await done);
  return { name, type: 'file', mode: 0o600, size: sizeBytes, content };
}

function fileIn(outcome: FileOutcome): ReadFile {
  if (outcome.kind !== 'read') throw new Error(`it was not read: ${outcome.kind}`);
  return outcome.file;
}

describe('small files, read by other threads', () => {
  it('are stored as they are, however many and of whatever size', async () => {
    const repository = await testRepository();
    const sizes = [0, 1, 3_000_000, ...Array.from({ length: 200 }, (_, index) => index * 37)];
    const paths = sizes.map((size, index) => fileOf(`${index}`, noise(size, index)));
    await writeSnapshot(repository, async (writer) => {
      const nodes: Promise<TreeNode>[] = [];
      for (const [index, path] of paths.entries()) {
        nodes.push(nodeOf(`${index}`, await read(writer, path)));
      }
      return Promise.all(nodes);
    });
    const files = await readFiles(repository);
    for (const [index, path] of paths.entries()) expect(files.get(`${index}`)!.equals(readFileSync(path))).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('come with what the system said of each, and with its attributes', async () => {
    const path = fileOf('file', noise(5000));
    setAttribute(Buffer.from(path), Buffer.from('user.a'), Buffer.from('1'));
    await writeSnapshot(await testRepository(), async (writer) => {
      const { status, attributes, hasChanged } = fileIn(await (await read(writer, path)).done);
      const { mode, nlink, uid, gid, size, mtimeNs, ctimeNs, dev, ino } = statSync(path, { bigint: true });
      expect({ ...status, dev: BigInt(status.dev), ino: BigInt(status.ino) }).toEqual({
        ...{ mode: Number(mode), nlink: Number(nlink), uid: Number(uid), gid: Number(gid) },
        ...{ dev, ino, size, mtimeNs, ctimeNs },
      });
      expect(attributes).toEqual([{ name: Buffer.from('user.a'), value: Buffer.from('1') }]);
      expect(hasChanged).toBe(false);
      return [];
    });
  });

  it('are read to their end where that is not where the system says', async () => {
    const repository = await testRepository();
    // The system gives such files no size.
    const path = '/proc/version';
    await writeSnapshot(repository, async (writer) => {
      const begun = await read(writer, path);
      expect(fileIn(await begun.done).hasChanged).toBe(true);
      return [await nodeOf('version', begun)];
    });
    expect((await readFiles(repository)).get('version')!.equals(readFileSync(path))).toBe(true);
  });

  it('that are gone, no files or no small ones are said to be so, and the others are stored', async () => {
    const repository = await testRepository();
    const file = fileOf('file', noise(100));
    symlinkSync(file, join(directory, 'link'));
    mkdirSync(join(directory, 'directory'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    fileOf('large', noise(LARGE_FILE_BYTES));
    await writeSnapshot(repository, async (writer) => {
      const begun = async (name: string) => (await read(writer, join(directory, name))).done;
      const [gone, link, inner, fifo, large, good] = ['gone', 'link', 'directory', 'fifo', 'large', 'file'].map(begun);
      expect(await gone).toMatchObject({ kind: 'failed', error: { code: 'ENOENT', syscall: 'open' } });
      expect(await link).toEqual({ kind: 'other' });
      expect(await inner).toEqual({ kind: 'other' });
      // Nobody writes to it: who waited for that would wait for ever.
      expect(await fifo).toEqual({ kind: 'other' });
      expect(await large).toEqual({ kind: 'large' });
      return [await nodeOf('file', { done: good! })];
    });
    expect([...(await readFiles(repository)).keys()]).toEqual(['file']);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('fail with the reason where the session is given up', async () => {
    const stopped = new Error('stopped');
    const path = fileOf('file', noise(100));
    const writing = writeSnapshot(await testRepository(), async (writer, session) => {
      const before = await read(writer, path);
      const aborted = session.abort(stopped);
      const after = read(writer, path).then(({ done }) => done);
      expect(await before.done).toEqual({ kind: 'failed', error: stopped });
      expect(await after).toEqual({ kind: 'failed', error: stopped });
      await aborted;
      rmSync(path);
      throw stopped;
    });
    await expect(writing).rejects.toBe(stopped);
  });
});
