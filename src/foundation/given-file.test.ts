import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NoFileError, readGivenFile } from './given-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a file that somebody named', () => {
  it('is read up to one byte more than may be in it', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, '12345678');
    expect((await readGivenFile(path, 8)).toString()).toBe('12345678');
    expect((await readGivenFile(path, 4)).toString()).toBe('12345');
  });

  it('is nothing that could be waited for, or that never ends', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const taken = [pipe, '/dev/zero', directory].map((path) => readGivenFile(path, 8));
    for (const each of await Promise.allSettled(taken)) {
      expect(each).toMatchObject({ status: 'rejected', reason: expect.any(NoFileError) });
    }
    await expect(readGivenFile(join(directory, 'none'), 8)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
