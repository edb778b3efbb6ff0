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
import type { ReadFile, SnapshotWriter } from '../index.ts';

let directory: string;

beforeEach(() => {
  directory = testDirectory();
});

function fileOf(name: string, content: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Has a file read that should have so many bytes. */
async function read(
  writer: SnapshotWriter,
  path: string,
  { sizeBytes = 10, limitBytes = 1 << 30 } = {},
): Promise<{ stored: Promise<ReadFile | undefined> }> {
  const { stored, room } = writer.readFile({ path: Buffer.from(path), sizeBytes, limitBytes });
  await room;
  return { stored };
}

async function nodeOf(name: string, { stored }: { stored: Promise<ReadFile | undefined> }): Promise<TreeNode> {
  const { content, sizeBytes } = (await stored)!;
  return { name, type: 'file', mode: 0o600, size: sizeBytes, content };
}

describe('small files, read by other threads', () => {
  it('are stored as they are, however many and of whatever size', async () => {
    const repository = await testRepository();
    const sizes = [0, 1, 3_000_000, ...Array.from({ length: 200 }, (_, index) => index * 37)];
    const paths = sizes.map((size, index) => fileOf(`${index}`, noise(size, index)));
    await writeSnapshot(repository, async (writer) => {
      const nodes: Promise<TreeNode>[] = [];
      for (const [index, path] of paths.entries()) {
        nodes.push(nodeOf(`${index}`, await read(writer, path, { sizeBytes: sizes[index]! })));
      }
      return Promise.all(nodes);
    });
    const files = await readFiles(repository);
    for (const [index, path] of paths.entries()) expect(files.get(`${index}`)!.equals(readFileSync(path))).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('come with what the system says of each once it was read', async () => {
    const path = fileOf('file', noise(5000));
    await writeSnapshot(await testRepository(), async (writer) => {
      const file = await (await read(writer, path)).stored;
      const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
      expect(file!.after).toEqual({ dev, ino, size, mtimeNs });
      return [];
    });
  });

  it('are read to their end where they are not as long as expected, and never beyond the limit', async () => {
    const repository = await testRepository();
    const content = noise(2_000_000);
    const path = fileOf('file', content);
    await writeSnapshot(repository, async (writer) => [
      await nodeOf('longer', await read(writer, path, { sizeBytes: 1000 })),
      await nodeOf('shorter', await read(writer, path, { sizeBytes: 3_000_000 })),
      await nodeOf('limited', await read(writer, path, { sizeBytes: 1000, limitBytes: 1_234_567 })),
    ]);
    const files = await readFiles(repository);
    expect(files.get('longer')!.equals(content)).toBe(true);
    expect(files.get('shorter')!.equals(content)).toBe(true);
    expect(files.get('limited')!.equals(content.subarray(0, 1_234_567))).toBe(true);
  });

  it('that are gone, or no files any more, are said to be so, and the others are stored', async () => {
    const repository = await testRepository();
    const file = fileOf('file', noise(100));
    symlinkSync(file, join(directory, 'link'));
    mkdirSync(join(directory, 'directory'));
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    await writeSnapshot(repository, async (writer) => {
      const begun = async (name: string) => (await read(writer, join(directory, name))).stored;
      const [gone, link, inner, fifo, good] = ['gone', 'link', 'directory', 'fifo', 'file'].map(begun);
      await expect(gone).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' });
      await expect(link).rejects.toMatchObject({ code: 'ELOOP', syscall: 'open' });
      expect(await inner).toBeUndefined();
      // Nobody writes to it: who waited for that would wait for ever.
      expect(await fifo).toBeUndefined();
      return [await nodeOf('file', { stored: good! })];
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
      const after = read(writer, path).then(({ stored }) => stored);
      await expect(before.stored).rejects.toBe(stopped);
      await expect(after).rejects.toBe(stopped);
      await aborted;
      rmSync(path);
      throw stopped;
    });
    await expect(writing).rejects.toBe(stopped);
  });
});
