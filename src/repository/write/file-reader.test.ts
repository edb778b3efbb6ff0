import { hash, randomBytes } from 'node:crypto';
import { appendFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { encodeFileTree, gearTable, MIN_CHUNK_BYTES } from '../../format/index.ts';
import { OUTCOMES, type StoredBatch } from './file-batch.ts';
import { FileReader, LARGE_FILE_BYTES } from './file-reader.ts';
import { PartReader } from './part-reader.ts';
import type { Sealer } from './sealer.ts';

const unreadable = vi.hoisted(() => ({ path: '' }));

vi.mock('../../foundation/extended-attributes.ts', async (original) => {
  const real = await original<typeof import('../../foundation/extended-attributes.ts')>();
  return {
    ...real,
    readOpenFileAttributes: (descriptor: number, path: Uint8Array) => {
      if (Buffer.from(path).toString() !== unreadable.path) return real.readOpenFileAttributes(descriptor, path);
      throw Object.assign(new Error('EIO: flistxattr'), { code: 'EIO', errno: -5, syscall: 'flistxattr' });
    },
  };
});

/** What happens to a file once it is examined. */
const content = vi.hoisted(() => ({ beforeReading: () => {} }));

vi.mock('../../foundation/file-calls.ts', async (original) => {
  const calls = (await original<typeof import('../../foundation/file-calls.ts')>()).fileCalls();
  const read: typeof calls.read = (descriptor, room, mostBytes) => {
    content.beforeReading();
    return calls.read(descriptor, room, mostBytes);
  };
  return { fileCalls: () => ({ ...calls, read }) };
});

const MIB = 1024 * 1024;
let directory: string;

beforeEach(() => {
  directory = testDirectory();
  unreadable.path = '';
  content.beforeReading = () => {};
});

function fileOf(name: string, sizeBytes: number): string {
  const path = join(directory, name);
  writeFileSync(path, Buffer.alloc(sizeBytes, name));
  return path;
}

function writtenAs(name: string, content: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** The blobs that a batch gave to be stored. */
const blobs: Buffer[] = [];

/** Reads files as a worker does. */
function read(paths: readonly string[], between: () => boolean = () => true, tree?: string): StoredBatch {
  blobs.length = 0;
  const store: Sealer['store'] = (_type, plain, id = hash('sha256', plain, 'buffer')) => {
    blobs.push(Buffer.from(plain));
    return { id, fresh: true, storedBytes: 1 };
  };
  const reader = new PartReader({ store } as unknown as Sealer, gearTable('3da3358b4dc173'));
  const batch = { number: 1, count: paths.length, paths: joined(paths), ...(tree !== undefined && { tree }) };
  return new FileReader(reader).store(batch, between);
}

function joined(paths: readonly string[]): Buffer {
  return Buffer.from(paths.map((path) => `${path}\0`).join(''));
}

/** The tree that files make which were read. */
function treeOf(paths: readonly string[]): string {
  return hash('sha256', encodeFileTree({ ...read(paths), paths: joined(paths) }));
}

function outcomesOf({ outcomes, count }: StoredBatch): string[] {
  return [...outcomes.subarray(0, count)].map((outcome) => OUTCOMES[outcome]!);
}

describe('a batch of files', () => {
  it('comes to an end though a file grows faster than it is read, and says that it changed', () => {
    const path = fileOf('growing', 100_000);
    writeFileSync(path, randomBytes(3_000_000));
    // However much is read, the end is not in sight. Zeros take no space.
    const stored = read([path], () => {
      if (statSync(path).size < 2 ** 40) truncateSync(path, 2 ** 40);
      return true;
    });
    expect(outcomesOf(stored)).toEqual(['changed']);
    expect(stored.sizesBytes[0]).toBeLessThan(100 * MIB);
  });

  it('says that a file changed that was written anew while it was read', () => {
    const path = fileOf('file', 3_000_000);
    const stored = read([path], () => {
      writeFileSync(path, randomBytes(3_000_000));
      return true;
    });
    expect(outcomesOf(stored)).toEqual(['changed']);
  });

  it('ends after some mebibytes, so that another thread may take the others', () => {
    const paths = Array.from({ length: 5 }, (_, index) => fileOf(`${index}`, 3 * MIB));
    expect(outcomesOf(read(paths))).toEqual(['read', 'read', 'read']);
    expect(outcomesOf(read(paths.slice(3)))).toEqual(['read', 'read']);
  });

  it('leaves alone what is too large to be read by one thread, and never opens it twice', () => {
    const stored = read([fileOf('large', LARGE_FILE_BYTES), fileOf('small', LARGE_FILE_BYTES - 1)]);
    expect(outcomesOf(stored)).toEqual(['large', 'read']);
    expect(stored.blobCounts[0]).toBe(0);
  });

  it('has the content of a file whose attributes could not be read, and says why', () => {
    const path = fileOf('file', 1000);
    unreadable.path = path;
    const stored = read([path]);
    expect(outcomesOf(stored)).toEqual(['read']);
    expect(stored.attributes.get(0)).toEqual({ message: 'EIO: flistxattr', code: 'EIO', syscall: 'flistxattr' });
  });

  it('stores each file as the blobs that its content has, whose ids are theirs', () => {
    const sizes = [0, 1, 55, 56, 63, 64, 65, 4096, MIN_CHUNK_BYTES - 1, MIN_CHUNK_BYTES, MIN_CHUNK_BYTES + 1];
    const contents = sizes.map((size) => randomBytes(size));
    const stored = read(contents.map((content, index) => writtenAs(`${index}`, content)));
    expect([...stored.blobCounts]).toEqual(sizes.map((size) => (size === 0 ? 0 : 1)));
    expect([...stored.sizesBytes]).toEqual(sizes);
    expect(Buffer.concat(blobs).equals(Buffer.concat(contents))).toBe(true);
    expect(Buffer.from(stored.ids)).toEqual(Buffer.concat(blobs.map((blob) => hash('sha256', blob, 'buffer'))));
    expect(stored.fresh).toEqual({ blobs: sizes.length - 1, bytes: Buffer.concat(contents).length, storedBytes: 10 });
  });

  it.each<[string, (path: string) => void, string]>([
    ['longer', (path) => appendFileSync(path, 'more'), 'file and more'],
    ['shorter', (path) => truncateSync(path, 4), 'file'],
    ['empty', (path) => truncateSync(path, 0), ''],
  ])('stores what is there of a file that is %s once it is read, and says that it changed', (_, change, left) => {
    const path = writtenAs('growing', Buffer.from('file and '));
    content.beforeReading = () => {
      content.beforeReading = () => {};
      change(path);
    };
    const stored = read([path]);
    expect(outcomesOf(stored)).toEqual(['changed']);
    expect(Buffer.concat(blobs).toString()).toBe(left);
    expect(stored.sizesBytes[0]).toBe(left.length);
  });

  it('says why a file could not be read, and goes on with the next', () => {
    const paths = [writtenAs('bad', Buffer.from('x')), '/proc/self/mem', writtenAs('good', Buffer.from('y'))];
    let failing = 1;
    content.beforeReading = () => {
      if (failing-- > 0) throw Object.assign(new Error('EIO: read'), { code: 'EIO', syscall: 'read' });
    };
    const stored = read(paths);
    // What failed once is read again; what is no memory of anybody never can be.
    expect(outcomesOf(stored)).toEqual(['read', 'failed', 'read']);
    expect(stored.failures.get(1)).toMatchObject({ code: 'EIO', syscall: 'read' });
    expect(Buffer.concat(blobs).toString()).toBe('xy');
  });

  it('ends where nobody wants it any more', () => {
    const paths = [fileOf('a', 10), fileOf('b', 10)];
    expect(read(paths, () => false).count).toBe(1);
  });
});

describe('a batch of all files of a directory', () => {
  const filesOf = () => ['a', 'b', 'c'].map((name) => writtenAs(name, Buffer.from(name)));

  it('tells nothing of each where they make the tree that they made before', () => {
    const paths = filesOf();
    const tree = treeOf(paths);
    const stored = read(paths, undefined, tree);
    expect(stored).toMatchObject({ isSameTree: true, count: 3, sizesBytes: Float64Array.of(1, 1, 1) });
    expect(stored.status).toHaveLength(0);
    writeFileSync(paths[1]!, 'B');
    const changed = read(paths, undefined, tree);
    expect([changed.isSameTree, outcomesOf(changed)]).toEqual([false, ['read', 'read', 'read']]);
  });

  it('tells of each where one changed while it was read, though what was read makes the same tree', () => {
    const paths = filesOf();
    const tree = treeOf(paths);
    let isFirst = true;
    content.beforeReading = () => {
      if (!isFirst) utimesSync(paths[1]!, 1, 1);
      isFirst = false;
    };
    const stored = read(paths, undefined, tree);
    expect([stored.isSameTree, outcomesOf(stored)]).toEqual([false, ['read', 'changed', 'read']]);
  });

  it('tells of each where the attributes of one cannot be read, though the others make the same tree', () => {
    const paths = filesOf();
    const tree = treeOf(paths);
    unreadable.path = paths[1]!;
    const stored = read(paths, undefined, tree);
    expect([stored.isSameTree, stored.attributes.size]).toEqual([false, 1]);
  });

  it('tells of each where it ends before its end, though those make the same tree', () => {
    const paths = filesOf();
    const stored = read(paths, () => false, treeOf(paths.slice(0, 1)));
    expect([stored.isSameTree, outcomesOf(stored)]).toEqual([false, ['read']]);
  });
});
