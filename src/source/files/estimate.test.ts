import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import { estimateFiles } from './estimate.ts';

describe('how much there is to read', () => {
  it('is the files below all paths, but for what is left out', async () => {
    const directory = testDirectory();
    for (const name of ['a', 'b', 'b/c', 'left-out']) mkdirSync(join(directory, name));
    for (const [name, bytes] of [
      ['a/1', 10],
      ['b/2', 200],
      ['b/c/3', 3000],
      ['left-out/4', 40_000],
    ] as const)
      writeFileSync(join(directory, name), Buffer.alloc(bytes));
    symlinkSync('1', join(directory, 'a', 'link'));
    const isExcluded = (path: string): boolean => path.endsWith('left-out');
    const paths = [join(directory, 'a'), join(directory, 'b'), join(directory, 'left-out'), join(directory, 'gone')];
    const { signal } = new AbortController();
    expect(await estimateFiles(paths, isExcluded, signal)).toEqual({ bytes: 3210, items: 3 });
  });

  it('is no longer looked for once nobody wants to know', async () => {
    const directory = testDirectory();
    for (let number = 0; number < 500; number++) writeFileSync(join(directory, `${number}`), '');
    const over = new AbortController();
    let looked = 0;
    const coming = estimateFiles([directory], () => ++looked < 0, over.signal);
    over.abort();
    await expect(coming).rejects.toThrow('aborted');
    expect(looked).toBeLessThan(500);
  });
});
