import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  lchownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backUpFiles, restoreFiles, validateFiles } from '../../../test/support/files-backup.ts';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { plantTree, restoredAt } from '../../../test/support/tree.ts';
import type { Repository } from '../../repository/index.ts';

describe('the comparison of what was restored', () => {
  let repository: Repository;
  let source: string;
  let restored: string;
  let target: string;
  let at: (path: string) => string;

  beforeAll(async () => {
    repository = await testRepository();
    source = join(testDirectory(), 'source');
    mkdirSync(source);
    plantTree(source);
    await backUpFiles(repository, [source]);
    restored = join(testDirectory(), 'restored');
    await restoreFiles(repository, restored);
  });

  beforeEach(() => {
    target = join(testDirectory(), 'target');
    // With times, hard links and holes, and without the threads of a restore.
    execFileSync('cp', ['-a', restored, target]);
    at = (path) => join(restoredAt(target, source), path);
  });

  async function difference(options = {}): Promise<string> {
    const checks = await validateFiles(repository, target, options);
    return checks
      .filter(({ result }) => result === 'failed')
      .map(({ name, detail }) => `${name}: ${detail}`)
      .join('\n');
  }

  /** Does something to a file and gives it its time back, so that nothing but that is different. */
  function keepTime(path: string, work: () => void): void {
    const { atimeMs, mtimeMs } = statSync(path);
    work();
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
  }

  it.each<[string, (at: (path: string) => string) => void, RegExp]>([
    ['a file that is missing', (path) => rmSync(path('sizes/1')), /sizes\/1 is missing/],
    ['a directory that is missing', (path) => rmSync(path('deep'), { recursive: true }), /deep is missing/],
    ['a file that was added', (path) => writeFileSync(path('empty/extra'), ''), /empty\/extra is not in the snapshot/],
    [
      'a changed byte',
      (path) => keepTime(path('sizes/large'), () => changeByte(path('sizes/large'))),
      /sizes\/large differs from byte \d+ on/,
    ],
    [
      'a changed byte in a hole',
      (path) => keepTime(path('sizes/sparse'), () => changeByte(path('sizes/sparse'))),
      /sizes\/sparse differs/,
    ],
    [
      'a file that is longer',
      (path) => appendFileSync(path('sizes/4096'), 'x'),
      /sizes\/4096 has 4097 bytes, not 4096/,
    ],
    ['an empty file that is not', (path) => appendFileSync(path('sizes/0'), 'x'), /sizes\/0 has 1 bytes, not 0/],
    ['other permissions', (path) => chmodSync(path('modes/644'), 0o600), /modes\/644 has other permissions/],
    [
      'a sticky bit that is gone',
      (path) => chmodSync(path('modes/sticky'), 0o777),
      /modes\/sticky has other permissions/,
    ],
    ['another time', (path) => utimesSync(path('sizes/1'), 1, 1), /sizes\/1 was changed at/],
    ['another time of a directory', (path) => utimesSync(path('empty'), 1, 1), /empty was changed at/],
    [
      'a link that leads elsewhere',
      (path) => replace(path('links/relative'), () => symlinkSync('two', path('links/relative'))),
      /links\/relative leads elsewhere/,
    ],
    [
      'a link that became a file',
      (path) => replace(path('links/relative'), () => writeFileSync(path('links/relative'), 'one')),
      /links\/relative is a file, not a symlink/,
    ],
    [
      'a directory that became a link',
      (path) => replace(path('empty'), () => symlinkSync('deep', path('empty'))),
      /empty is a symlink, not a dir/,
    ],
    [
      'a FIFO that became a file',
      (path) => replace(path('special/fifo'), () => writeFileSync(path('special/fifo'), '')),
      /special\/fifo is a file, not a fifo/,
    ],
    ['a hard link that is a copy', (path) => separate(path('links/two')), /is not the same file as/],
  ])('finds %s', async (_, plant, found) => {
    plant(at);
    expect(await difference()).toMatch(found);
  });

  function changeByte(path: string): void {
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.from('#'), 0, 1, 1_500_000);
    closeSync(file);
  }

  function replace(path: string, work: () => void): void {
    rmSync(path, { recursive: true });
    work();
  }

  function separate(path: string): void {
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
  }

  it.skipIf(!requires('root'))('finds another owner', async () => {
    chownSync(at('sizes/1'), 1, 1);
    lchownSync(at('links/relative'), 1, 1);
    const found = await difference();
    expect(found).toContain('sizes/1 has another owner');
    expect(found).toContain('links/relative has another owner');
  });

  it('names a few of many differences, and counts the rest', async () => {
    rmSync(at('names'), { recursive: true });
    mkdirSync(at('names'));
    expect(await difference()).toMatch(/and \d+ more$/);
  });

  it('runs the programs that the plan names, in what was restored', async () => {
    const validate = [
      { name: 'is there', exec: ['test', '-f', `\${target.path}${source}/sizes/1`] },
      { name: 'is not there', exec: ['test', '-f', '${target.path}/nothing'] },
      { name: 'cannot run', exec: ['/nonexistent/program'] },
    ];
    const checks = await validateFiles(repository, target, { validate });
    expect(checks.slice(2).map(({ name, result }) => [name, result])).toEqual([
      ['validate: is there', 'passed'],
      ['validate: is not there', 'failed'],
      ['validate: cannot run', 'failed'],
    ]);
  });
});
