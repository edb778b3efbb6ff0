import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { backUpFiles, restoreFiles } from '../../../test/support/files-backup.ts';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { restoredAt } from '../../../test/support/tree.ts';
import { readAttributes, setAttribute } from '../../foundation/extended-attributes.ts';

const unreadable = vi.hoisted(() => ({ path: '' }));

vi.mock('../../foundation/extended-attributes.ts', async (original) => {
  const real = await original<typeof import('../../foundation/extended-attributes.ts')>();
  return {
    ...real,
    readAttributes: (path: Uint8Array) => {
      if (Buffer.from(path).toString() !== unreadable.path) return real.readAttributes(path);
      throw Object.assign(new Error('EIO: llistxattr'), { code: 'EIO', errno: -5, syscall: 'llistxattr' });
    },
  };
});

it('attributes that could not be read make a backup partial, and the next one has them though nothing changed', async () => {
  const repository = await testRepository();
  const source = join(testDirectory(), 'source');
  const file = join(source, 'file');
  mkdirSync(source);
  writeFileSync(file, 'x');
  setAttribute(Buffer.from(file), Buffer.from('user.a'), Buffer.from('1'));
  unreadable.path = file;
  for (let run = 0; run < 2; run++) {
    const { problems } = await backUpFiles(repository, [source]);
    expect(problems).toMatchObject([{ item: file, error: { code: 'source-lost' } }]);
  }
  unreadable.path = '';
  expect((await backUpFiles(repository, [source])).problems).toEqual([]);
  const target = join(testDirectory(), 'target');
  await restoreFiles(repository, target);
  const restored = readAttributes(Buffer.from(join(restoredAt(target, source), 'file')));
  expect(restored.map(({ name, value }) => `${name}=${value}`)).toEqual(['user.a=1']);
});
