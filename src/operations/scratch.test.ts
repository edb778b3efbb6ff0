import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withScratch } from './scratch.ts';

describe('a scratch directory', () => {
  it('is for its user alone, and gone afterwards, also when the work fails', async () => {
    let used = '';
    const failing = withScratch(async (directory) => {
      used = directory;
      expect(statSync(directory).mode & 0o777).toBe(0o700);
      writeFileSync(join(directory, 'part of a database'), 'secret');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(existsSync(used)).toBe(false);
  });

  it('that cannot be made is told with what to do about it', async () => {
    const before = process.env['TMPDIR'];
    process.env['TMPDIR'] = join(tmpdir(), 'nowhere');
    const making = withScratch(async () => undefined).finally(() => {
      process.env['TMPDIR'] = before;
    });
    await expect(making).rejects.toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('nowhere'),
      hint: expect.stringContaining('Set TMPDIR'),
    });
  });

  it('of a process that is dead is removed by the next one, and that of a living one is not', async () => {
    const { pid } = spawnSync('true');
    const dead = join(tmpdir(), `holdfast-scratch-${pid}-abandoned`);
    const living = join(tmpdir(), `holdfast-scratch-${process.pid}-living`);
    mkdirSync(dead);
    mkdirSync(living);
    await withScratch(async () => undefined);
    expect([existsSync(dead), existsSync(living)]).toEqual([false, true]);
  });
});
