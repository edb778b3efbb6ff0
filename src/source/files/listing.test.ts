import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { listDirectory, NO_FILES } from './listing.ts';

const types = vi.hoisted(() => ({ areTold: true }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const readdirSync = (path: Buffer, options: { withFileTypes?: boolean }): unknown => {
    // What Node throws where it has to ask for each type, by the names of another form than the path's.
    if (options.withFileTypes === true && !types.areTold)
      throw Object.assign(new TypeError('The "path" argument must be …'), { code: 'ERR_INVALID_ARG_TYPE' });
    return real.readdirSync(path, options as never);
  };
  return { ...real, readdirSync };
});

it('has the names in a directory in order, whatever their bytes, and knows which are files, where the system says so', () => {
  const directory = testDirectory();
  const name = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0x61])]);
  writeFileSync(name, '');
  writeFileSync(join(directory, 'b'), '');
  mkdirSync(join(directory, 'a'));
  symlinkSync('b', join(directory, 'c'));
  const names = ['a', 'b', 'c', '\xffa'];
  expect(listDirectory(Buffer.from(directory))).toEqual({ names, files: new Set(['b', '\xffa']) });
  types.areTold = false;
  expect(listDirectory(Buffer.from(directory))).toEqual({ names, files: NO_FILES });
  types.areTold = true;
  expect(() => listDirectory(Buffer.from(join(directory, 'b')))).toThrow(/ENOTDIR/);
});
