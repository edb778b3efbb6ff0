import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeDirectories } from './directories.ts';

it('makes all that leads to a directory, and tells the first that was made', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'directories-'));
  try {
    const path = join(directory, 'a', 'b', 'c');
    expect(await makeDirectories(path, 0o700)).toBe(join(directory, 'a'));
    expect(await makeDirectories(path, 0o700)).toBeUndefined();
    expect(statSync(join(directory, 'a', 'b')).mode & 0o777).toBe(0o700);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it.skipIf(!existsSync('/proc/self'))('ends where nothing can be made', async () => {
  await expect(makeDirectories('/proc/holdfast/below', 0o700)).rejects.toMatchObject({ code: 'ENOENT' });
});
