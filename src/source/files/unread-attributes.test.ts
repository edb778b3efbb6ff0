import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { backUpFiles, restoreFiles } from '../../../test/support/files-backup.ts';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { restoredAt } from '../../../test/support/tree.ts';
import { readAttributes, setAttribute } from '../../foundation/extended-attributes.ts';
import { LARGE_FILE_BYTES } from '../../repository/index.ts';
import { FileBatches } from '../../repository/write/file-batches.ts';

const EIO = Object.assign(new Error('EIO: listxattr'), { code: 'EIO', errno: -5, syscall: 'listxattr' });
const unreadable = vi.hoisted(() => ({ path: '' }));

vi.mock('../../foundation/extended-attributes.ts', async (original) => {
  const real = await original<typeof import('../../foundation/extended-attributes.ts')>();
  return {
    ...real,
    readAttributes: (path: Uint8Array) => {
      if (Buffer.from(path).toString() !== unreadable.path) return real.readAttributes(path);
      throw EIO;
    },
  };
});

// Small files are read, with their attributes, by other threads.
const add = FileBatches.prototype.add;
vi.spyOn(FileBatches.prototype, 'add').mockImplementation(function (this: FileBatches, path, onDone) {
  return add.call(this, path, (outcome) => {
    const isUnreadable = outcome.kind === 'read' && Buffer.from(path).toString() === unreadable.path;
    onDone(isUnreadable ? { kind: 'read', file: { ...outcome.file, attributes: EIO } } : outcome);
  });
});

it.each([1, LARGE_FILE_BYTES])(
  'attributes of a file of %i bytes that could not be read make a backup partial, and the next one has them though nothing changed',
  async (sizeBytes) => {
    const repository = await testRepository();
    const source = join(testDirectory(), 'source');
    const file = join(source, 'file');
    mkdirSync(source);
    writeFileSync(file, Buffer.alloc(sizeBytes));
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
  },
);
