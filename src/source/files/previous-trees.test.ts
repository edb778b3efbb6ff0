import { expect, it } from 'vitest';
import type { TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { PreviousTrees } from './previous-trees.ts';

const ALL = Array.from({ length: 30 }, (_, index) => `tree ${index}`);

/** Trees of one entry each, and which were read. */
function trees(failing?: Error) {
  const read: string[] = [];
  const entries = async (tree: string): Promise<TreeNode[]> => {
    read.push(tree);
    if (failing !== undefined) throw failing;
    return [{ name: tree, type: 'file', content: [] }];
  };
  return { read, previous: new PreviousTrees({ entries }, ALL) };
}

it('reads each tree once, and some ahead', async () => {
  const { read, previous } = trees();
  for (const [index, tree] of ALL.entries()) {
    expect([...(await previous.entries(tree))!.keys()]).toEqual([tree]);
    expect(read.length).toBeGreaterThan(Math.min(index + 5, ALL.length - 1));
  }
  expect(read).toEqual(ALL);
});

it('reads nothing that is passed over before its turn, and goes on reading ahead behind it', async () => {
  const { read, previous } = trees();
  for (const tree of ALL.slice(0, 10)) previous.passOver(tree);
  expect(read).toEqual([]);
  await previous.entries(ALL[10]);
  const ahead = read.length;
  expect(ahead).toBeGreaterThan(5);
  // All that is there already is passed over, and the one behind that.
  for (const tree of ALL.slice(11, 10 + ahead + 1)) previous.passOver(tree);
  await previous.entries(ALL[10 + ahead + 1]);
  expect(read.slice(ahead)).toEqual(ALL.slice(10 + ahead + 1, 10 + 2 * ahead + 1));
});

it('has nothing of what is damaged, and passes on every other error', async () => {
  expect(await trees(new HoldfastError('repository-damaged', 'damaged')).previous.entries(ALL[0])).toBeUndefined();
  await expect(trees(new TypeError('a fault')).previous.entries(ALL[0])).rejects.toThrow('a fault');
});
