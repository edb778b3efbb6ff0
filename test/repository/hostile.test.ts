import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { compress, type TreeNode } from '../../src/format/index.ts';
import type { Repository } from '../../src/repository/index.ts';
import {
  type CraftedBlob,
  craftSnapshot,
  dataBlob,
  errorsOf,
  extract,
  rawTreeBlob,
  readFiles,
  testDirectory,
  testRepository,
  treeBlob,
} from '../support/repository.ts';

/** What a holder of the password could put into a repository. */

let repository: Repository;
let target: string;
let surroundings: string;

beforeEach(async () => {
  repository = await testRepository();
  surroundings = testDirectory();
  target = join(surroundings, 'a', 'target');
  mkdirSync(join(surroundings, 'a', 'sentinel'), { recursive: true });
  writeFileSync(join(surroundings, 'a', 'sentinel', 'file'), 'as it was');
});

/** Everything beside the target. */
function beside(): string[] {
  return (readdirSync(surroundings, { recursive: true }) as string[])
    .filter((path) => !path.startsWith('a/target'))
    .sort();
}

const UNTOUCHED = ['a', 'a/sentinel', 'a/sentinel/file'];
const payload = dataBlob('evil\n');
const evil = { type: 'file', mode: 0o644, size: 5, content: [payload.id] };

async function attempt(...blobs: CraftedBlob[]): Promise<unknown> {
  const { id } = await craftSnapshot(repository, blobs);
  const result = await extract(repository, target, id).catch((error: unknown) => error);
  expect(beside()).toEqual(UNTOUCHED);
  return result;
}

describe('a restore of a hostile tree', () => {
  it.each([
    '..',
    '.',
    '',
    '../escaped',
    '../sentinel/file',
    '/tmp/escaped',
    'a/b',
    'a\0b',
    '\\x2e\\x2e',
    '..\\x2fescaped',
    '\\056\\056/escaped',
  ])('refuses the name %j and writes nothing outside', async (name) => {
    for (const node of [evil, { type: 'dir', mode: 2 ** 31 + 0o755, subtree: treeBlob([]).id }]) {
      const error = await attempt(payload, treeBlob([]), rawTreeBlob([{ name, ...node }]));
      expect(error).toMatchObject({ code: 'repository-damaged' });
    }
    expect((await errorsOf(repository)).join('\n')).toMatch(/impossible name|escape that does not exist/);
  });

  it('does not follow a link to a directory that another entry of the same name claims to be in', async () => {
    const inside = rawTreeBlob([{ name: 'file', ...evil }]);
    const link = { name: 'door', type: 'symlink', linktarget: '../sentinel' };
    const directory = { name: 'door', type: 'dir', mode: 2 ** 31 + 0o755, subtree: inside.id };
    for (const nodes of [
      [link, directory],
      [directory, link],
    ]) {
      expect(await attempt(payload, inside, rawTreeBlob(nodes))).toMatchObject({
        code: 'repository-damaged',
        message: expect.stringContaining('"door" twice'),
      });
    }
  });

  it('does not write through a link that stands where a file is to be', async () => {
    const nodes = [
      { name: 'f', type: 'symlink', linktarget: '../sentinel/file' },
      { name: 'f', ...evil },
    ];
    expect(await attempt(payload, rawTreeBlob(nodes))).toMatchObject({ code: 'repository-damaged' });
  });

  it('restores links that lead outside as links, and touches nothing that they lead to', async () => {
    const nodes: TreeNode[] = ['../sentinel', '../sentinel/file', '/etc/passwd', '..'].map((linktarget, index) => ({
      name: `l${index}`,
      type: 'symlink',
      mode: 2 ** 27 + 0o777,
      mtime: '2001-01-01T00:00:00Z',
      uid: 12345,
      gid: 12345,
      linktarget,
      content: null,
    }));
    const before = readdirSync(join(surroundings, 'a', 'sentinel'));
    expect(await attempt(treeBlob(nodes))).toMatchObject({ others: 4, problems: [] });
    expect(readdirSync(join(surroundings, 'a', 'sentinel'))).toEqual(before);
  });

  it.each([4, 6, 5e12])('refuses a file that says it has %d bytes and has five', async (size) => {
    const error = await attempt(payload, rawTreeBlob([{ name: 'f', ...evil, size }]));
    expect(error).toMatchObject({ code: 'repository-damaged', message: expect.stringMatching(/\/f should have/) });
    expect((await errorsOf(repository)).join('\n')).toContain('/f: should have');
  });

  it('refuses a directory without a tree', async () => {
    const error = await attempt(rawTreeBlob([{ name: 'd', type: 'dir' }]));
    expect(error).toMatchObject({ code: 'repository-damaged' });
  });

  it('refuses a tree that is data', async () => {
    expect(await attempt({ ...treeBlob([]), type: 'data' })).toMatchObject({ code: 'repository-damaged' });
  });

  it('refuses a file that is a tree', async () => {
    const tree = treeBlob([]);
    const file = rawTreeBlob([{ name: 'f', type: 'file', size: 13, content: [tree.id] }]);
    expect(await attempt(tree, file)).toMatchObject({ code: 'repository-damaged' });
  });

  it('refuses a tree of ten thousand levels, as no path could name them', async () => {
    const blobs: CraftedBlob[] = [];
    let tree = treeBlob([]);
    for (let level = 0; level < 10_000; level++) {
      blobs.push(tree);
      tree = treeBlob([{ name: 'd', type: 'dir', content: null, subtree: tree.id }]);
    }
    expect(await attempt(...blobs, tree)).toMatchObject({
      code: 'target-failed',
      message: expect.stringContaining('too long to be restored'),
    });
    // Known before anything is made.
    expect(existsSync(target)).toBe(false);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('refuses a tree that few bytes make endless', async () => {
    const blobs: CraftedBlob[] = [];
    let tree = treeBlob([]);
    for (let level = 0; level < 12; level++) {
      blobs.push(tree);
      const { id } = tree;
      tree = treeBlob(
        Array.from(
          { length: 1000 },
          (_, n): TreeNode =>
            n % 100 === 0
              ? { name: `${n}`, type: 'dir', content: null, subtree: id }
              : { name: `${n}`, type: 'file', content: [] },
        ),
      );
    }
    expect(await attempt(...blobs, tree)).toMatchObject({ message: expect.stringContaining('entries') });
    expect(await errorsOf(repository)).toEqual([]);
  });
});

describe('a blob with a wrong length', () => {
  const zeros = Buffer.alloc(4 << 20);

  /** A compressed blob whose index and header claim another plain length. */
  async function craftCompressed(plain: Buffer, claimed: number): Promise<Repository> {
    const { id } = dataBlob(plain);
    const compressed: CraftedBlob = {
      type: 'data',
      plain: compress(plain),
      claim: { id, uncompressedLength: claimed },
    };
    const file = { name: 'f', type: 'file', size: claimed, content: [id] };
    await craftSnapshot(repository, [compressed, rawTreeBlob([file])]);
    return repository;
  }

  it('is not unpacked beyond what the index says', async () => {
    await craftCompressed(zeros, 1000);
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'repository-damaged' });
    await expect(readFiles(repository)).rejects.toThrow(/is damaged/);
    expect((await errorsOf(repository)).join('\n')).toMatch(/\/f: blob .* is damaged/);
  });

  it('is not taken for one that is longer', async () => {
    await craftCompressed(zeros, zeros.length + 1000);
    await expect(extract(repository, target)).rejects.toThrow(/bytes, not the/);
    await expect(readFiles(repository)).rejects.toMatchObject({ code: 'repository-damaged' });
    expect((await errorsOf(repository)).join('\n')).toMatch(/\/f: blob .* is damaged/);
  });

  it('is found where the index gives it a place beyond its pack', async () => {
    await craftSnapshot(repository, [
      { ...payload, claim: { offset: 2 ** 31 } },
      rawTreeBlob([{ name: 'f', ...evil }]),
    ]);
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'repository-damaged' });
    expect(await errorsOf(repository)).not.toEqual([]);
  });
});
