import { randomBytes } from 'node:crypto';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { gearTable } from '../../format/index.ts';
import { LARGE_FILE_BYTES, OUTCOMES, type StoredBatch, storeBatch } from './file-reader.ts';
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

const MIB = 1024 * 1024;
let directory: string;

beforeEach(() => {
  directory = testDirectory();
  unreadable.path = '';
});

function fileOf(name: string, sizeBytes: number): string {
  const path = join(directory, name);
  writeFileSync(path, Buffer.alloc(sizeBytes, name));
  return path;
}

/** Reads files as a worker does; what it finds goes nowhere. */
function read(paths: readonly string[], between: () => boolean = () => true): StoredBatch {
  const store = () => ({ id: randomBytes(32), fresh: true, storedBytes: 1 });
  const reader = new PartReader({ store } as unknown as Sealer, gearTable('3da3358b4dc173'));
  const batch = { number: 1, count: paths.length, paths: Buffer.from(paths.map((path) => `${path}\0`).join('')) };
  return storeBatch(batch, reader, between);
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

  it('ends where nobody wants it any more', () => {
    const paths = [fileOf('a', 10), fileOf('b', 10)];
    expect(read(paths, () => false).count).toBe(1);
  });
});
