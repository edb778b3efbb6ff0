import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../format/index.ts';
import { type Change, diffTrees } from './diff.ts';

const ID = { a: 'aa'.repeat(32), b: 'bb'.repeat(32) };

function file(name: string, more: Partial<TreeNode> = {}): TreeNode {
  return { name, type: 'file', mode: 0o644, size: 1, content: [ID.a], ...more };
}

/** Trees by their ids; a directory's id is what it holds, so that equal ones have equal ids. */
class Trees {
  readonly read: string[] = [];
  readonly #trees = new Map<string, TreeNode[]>();

  add(nodes: TreeNode[]): string {
    const sorted = [...nodes].sort((a, b) => (a.name < b.name ? -1 : 1));
    const id = JSON.stringify(sorted);
    this.#trees.set(id, sorted);
    return id;
  }

  async entries(tree: string): Promise<TreeNode[]> {
    this.read.push(tree);
    return this.#trees.get(tree)!;
  }
}

async function differences(trees: Trees, before: string, after: string): Promise<Change[]> {
  const changes: Change[] = [];
  const side = (tree: string) => ({ reader: trees, tree });
  for await (const change of diffTrees(side(before), side(after))) changes.push(change);
  return changes;
}

async function between(before: TreeNode[], after: TreeNode[]): Promise<string[]> {
  const trees = new Trees();
  const changes = await differences(trees, trees.add(before), trees.add(after));
  return changes.map(({ kind, path }) => `${kind} ${path}`);
}

describe('the difference of two trees', () => {
  it.each<[string, Partial<TreeNode>, string[]]>([
    ['content', { content: [ID.b] }, ['content /f']],
    ['order of blobs', { content: [ID.a, ID.b] }, ['content /f']],
    ['mode', { mode: 0o600 }, ['metadata /f']],
    ['time of change', { mtime: '2026-01-01T00:00:00Z' }, ['metadata /f']],
    ['attributes', { extended_attributes: [{ name: 'user.a', value: 'eA==' }] }, ['metadata /f']],
    ['time of last access', { atime: '2026-01-01T00:00:00Z' }, []],
    ['type', { type: 'symlink', linktarget: 'x', content: null }, ['type /f']],
    ['name', { name: 'g' }, ['removed /f', 'added /g']],
  ])('tells another %s', async (_, more, expected) => {
    expect(await between([file('f')], [file('f', more)])).toEqual(expected);
  });

  it('tells another target of a link', async () => {
    const link = (linktarget: string): TreeNode => ({ name: 'l', type: 'symlink', linktarget, content: null });
    expect(await between([link('x')], [link('y')])).toEqual(['content /l']);
  });

  it('names all that is in a directory that was added, removed, or became a file', async () => {
    const trees = new Trees();
    const directory = (name: string): TreeNode => ({
      name,
      type: 'dir',
      content: null,
      subtree: trees.add([file('x'), { name: 'y', type: 'dir', content: null, subtree: trees.add([file('z')]) }]),
    });
    const [full, empty, changed] = [trees.add([directory('d')]), trees.add([]), trees.add([file('d')])];
    const named = async (...[one, two]: [string, string]): Promise<string[]> =>
      (await differences(trees, one, two)).map(({ kind, path }) => `${kind} ${path}`);
    expect(await named(empty, full)).toEqual(['added /d', 'added /d/x', 'added /d/y', 'added /d/y/z']);
    expect(await named(full, empty)).toEqual(['removed /d', 'removed /d/x', 'removed /d/y', 'removed /d/y/z']);
    expect(await named(full, changed)).toEqual(['type /d', 'removed /d/x', 'removed /d/y', 'removed /d/y/z']);
  });

  it('passes over directories that are equal without reading them', async () => {
    const trees = new Trees();
    const same = trees.add([file('deep')]);
    const directory: TreeNode = { name: 'same', type: 'dir', content: null, subtree: same };
    const changes = await differences(trees, trees.add([directory]), trees.add([directory, file('new')]));
    expect(changes.map(({ path }) => path)).toEqual(['/new']);
    expect(trees.read).not.toContain(same);
  });

  it('is what was added one way and removed the other, for any two', async () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'é', '\u00ff'), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(names, names, async (one, two) => {
        const before = one.map((name) => file(name));
        const after = two.map((name) => file(name));
        const forth = await between(before, after);
        const back = await between(after, before);
        const turned = forth.map((line) => line.replace(/^\w+/, (kind) => (kind === 'added' ? 'removed' : 'added')));
        expect(turned).toEqual(back);
        expect(forth.length).toBe(new Set([...one, ...two]).size - one.filter((name) => two.includes(name)).length);
      }),
    );
  });
});
