import { closeSync, existsSync, openSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  errorsOf,
  noise,
  readFiles,
  testDirectory,
  testRepository,
  writeFile,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { createLocalStore } from '../../store/local/index.ts';
import type { Repository, SnapshotWriter, StoredFile } from '../index.ts';

const MIB = 1024 * 1024;
const LARGE = noise(70 * MIB + 12_345, 'large');
/** No limit that a test comes near. */
const LIMIT_BYTES = 1 << 30;
const WHOLE = { sizeBytes: LARGE.length, limitBytes: LIMIT_BYTES };
const NOTHING = undefined as readonly string[] | undefined;

function fileOf(content: Uint8Array): string {
  const path = join(testDirectory(), 'file');
  writeFileSync(path, content);
  return path;
}

/** Reads a file in parts, and closes it when that is over. */
async function writeInParts(
  writer: SnapshotWriter,
  path: string,
  {
    sizeBytes = LARGE.length,
    limitBytes = LIMIT_BYTES,
    flags = 'r',
    onRead = (_bytes: number): void => {},
    before = NOTHING,
  } = {},
): Promise<StoredFile> {
  const descriptor = openSync(path, flags);
  try {
    const { stored } = await writer.writeInParts(descriptor, { sizeBytes, limitBytes, before }, onRead);
    return await stored;
  } finally {
    closeSync(descriptor);
  }
}

async function backUp(
  repository: Repository,
  path: string,
  options?: Parameters<typeof writeInParts>[2],
): Promise<StoredFile & { addedBytes: number }> {
  let file: StoredFile | undefined;
  const { statistics } = await writeSnapshot(repository, async (writer) => {
    file = await writeInParts(writer, path, options);
    return [{ name: 'file', type: 'file', mode: 0o600, size: file.sizeBytes, content: file.content }];
  });
  return { ...file!, addedBytes: statistics.addedBytes };
}

describe('a large file, read in parts by several threads', () => {
  it('is stored as it is, and nothing of it again', { timeout: 60_000 }, async () => {
    const repository = await testRepository();
    const path = fileOf(LARGE);
    const reported: number[] = [];
    const first = await backUp(repository, path, { onRead: (bytes) => reported.push(bytes) });
    expect(first.sizeBytes).toBe(LARGE.length);
    expect(reported.length).toBeGreaterThan(1);
    expect(reported.reduce((sum, bytes) => sum + bytes)).toBe(LARGE.length);
    expect((await readFiles(repository)).get('file')!.equals(LARGE)).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
    const again = await backUp(repository, path);
    expect(again.content).toEqual(first.content);
    expect(again.addedBytes).toBeLessThan(10_000);
  });

  it('is cut in a part as a stream is', async () => {
    const repository = await testRepository();
    const content = LARGE.subarray(0, 20 * MIB);
    const { content: blobs } = await backUp(repository, fileOf(content), { sizeBytes: content.length });
    await writeSnapshot(repository, async (writer) => {
      const node = await writeFile(writer, 'stream', content);
      expect(node.content).toEqual(blobs);
      return [node];
    });
  });

  it.each([
    ['shorter', 40 * MIB],
    ['empty', 0],
  ])('is read to its end where that is %s than expected', async (_how, length) => {
    const repository = await testRepository();
    const path = fileOf(LARGE);
    truncateSync(path, length);
    const { sizeBytes, content } = await backUp(repository, path);
    expect(sizeBytes).toBe(length);
    expect(content.length > 0).toBe(length > 0);
    expect((await readFiles(repository)).get('file')!.equals(LARGE.subarray(0, length))).toBe(true);
  });

  it('is read beyond what was expected, but never beyond the limit', async () => {
    const repository = await testRepository();
    const path = fileOf(LARGE);
    const sizes = { sizeBytes: 5 * MIB, limitBytes: 50 * MIB + 1 };
    expect((await backUp(repository, path, sizes)).sizeBytes).toBe(50 * MIB + 1);
    expect((await readFiles(repository)).get('file')!.equals(LARGE.subarray(0, 50 * MIB + 1))).toBe(true);
  });

  it('that cannot be read fails with the error of the system, and nothing else does', async () => {
    const repository = await testRepository();
    await writeSnapshot(repository, async (writer) => {
      const failed = writeInParts(writer, fileOf(LARGE), { flags: 'r+' }).then(() => 'read');
      const unreadable = openSync(fileOf(LARGE), 'a');
      const { stored } = await writer.writeInParts(unreadable, WHOLE, () => {});
      await expect(stored).rejects.toMatchObject({ code: 'EBADF', syscall: 'read' });
      closeSync(unreadable);
      expect(await failed).toBe('read');
      return [await writeFile(writer, 'other', Buffer.from('content'))];
    });
    expect([...(await readFiles(repository)).keys()]).toEqual(['other']);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('leaves small files time, though every thread reads parts', { timeout: 60_000 }, async () => {
    const repository = await testRepository();
    const descriptor = openSync(fileOf(LARGE), 'r');
    await writeSnapshot(repository, async (writer) => {
      let isOver = false;
      const large = [];
      for (let round = 0; round < 20; round++) {
        const { stored } = await writer.writeInParts(descriptor, WHOLE, () => {});
        large.push(stored);
      }
      const all = Promise.all(large).then(() => {
        isOver = true;
      });
      // More than there are tickets: were they left until the parts are done, this would wait for them.
      const nodes = [];
      for (let index = 0; index < 600; index++) {
        nodes.push(await writeFile(writer, `small${index}`, Buffer.from(`content ${index}`)));
      }
      expect(isOver).toBe(false);
      await all;
      return nodes;
    });
    closeSync(descriptor);
    expect((await readFiles(repository)).size).toBe(600);
  });

  it('can be given up in the middle, and leaves nothing behind', async () => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    const descriptor = openSync(fileOf(LARGE), 'r');
    const stopped = new Error('stopped');
    const writing = writeSnapshot(repository, async (writer, session) => {
      const { stored } = await writer.writeInParts(descriptor, WHOLE, () => {});
      await session.abort(stopped);
      await stored;
      return [];
    });
    await expect(writing).rejects.toBe(stopped);
    closeSync(descriptor);
    expect(existsSync(join(directory, 'snapshots'))).toBe(false);
    const staging = createLocalStore(directory).stagingDirectory!;
    expect(readdirSync(staging)).toEqual([]);
  });
});
