import { lstatSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTree, encodeTree, type TreeNode } from '../../format/index.ts';
import { nodeOf, unlessSame } from './node-of.ts';

const CONTENTS = [null, [], ['ab'.repeat(32)]];

/** Few values for each member, so that two nodes often have the same. */
const node = fc.record(
  {
    name: fc.constant('entry'),
    type: fc.constantFrom<TreeNode['type']>('file', 'symlink'),
    mode: fc.constantFrom(0, 0o644),
    mtime: fc.constantFrom('2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5Z'),
    atime: fc.constantFrom('2024-01-01T00:00:00Z'),
    ctime: fc.constantFrom('2024-01-01T00:00:00Z', '2025-01-01T00:00:00Z'),
    uid: fc.constantFrom(0, 1000),
    gid: fc.constantFrom(0, 1000),
    user: fc.constantFrom('', 'me'),
    group: fc.constantFrom('', 'us'),
    inode: fc.constantFrom(0n, 7, 2n ** 60n),
    device_id: fc.constantFrom(1, 2),
    links: fc.constantFrom(1, 2),
    size: fc.constantFrom(0, 5),
    linktarget: fc.constantFrom('a', 'b'),
    device: fc.constantFrom(0, 9),
    extended_attributes: fc.constantFrom([], [{ name: 'user.a', value: 'MQ==' }], [{ name: 'user.a', value: null }]),
    content: fc.constantFrom(...CONTENTS),
  },
  { requiredKeys: ['name', 'type', 'mode', 'mtime', 'atime', 'ctime', 'uid', 'gid', 'device_id', 'links', 'content'] },
) as fc.Arbitrary<TreeNode>;

/** One that differs from another in one member at most, or in all. */
const pair = fc.tuple(node, node, fc.nat(20)).map(([before, other, at]): [TreeNode, TreeNode] => {
  const member = (Object.keys(other) as (keyof TreeNode)[])[at];
  return [before, member === undefined ? other : { ...before, [member]: other[member] }];
});

describe('the node of an entry', () => {
  it('has an inode, a device and a size beyond 2^53 as they are, also as a tree gives it back', () => {
    const path = Buffer.from(process.execPath);
    const large = { ino: 2n ** 64n - 1n, dev: 2n ** 63n + 1n, size: 2n ** 53n + 1n };
    const node = nodeOf('entry', path, Object.assign(lstatSync(path, { bigint: true }), large));
    const said = { inode: large.ino, device_id: large.dev, size: large.size };
    expect(node).toMatchObject(said);
    expect(decodeTree(encodeTree([node]))).toMatchObject([said]);
  });

  it('is that of the previous snapshot only where a tree says the same of both', () => {
    fc.assert(
      fc.property(pair, ([before, now]) => {
        const taken = unlessSame(now, before);
        expect(taken === before || taken === now).toBe(true);
        if (taken === before) expect(encodeTree([now])).toEqual(encodeTree([before]));
      }),
      { numRuns: 500 },
    );
  });

  it('is that of the previous snapshot where nothing changed, as a tree gives it back', () => {
    fc.assert(
      fc.property(node, (now) => {
        const [before] = decodeTree(encodeTree([now]));
        const same = { ...now, content: before!.content };
        if (now.extended_attributes?.length === 0) delete same.extended_attributes;
        expect(unlessSame(same, before)).toBe(before);
      }),
    );
  });

  it('is a new one where the previous says what this version does not know', () => {
    const now: TreeNode = { name: 'entry', type: 'file', mode: 0o644, content: null };
    expect(unlessSame(now, { ...now, unknown: { generic_attributes: {} } })).toBe(now);
    expect(unlessSame(now, undefined)).toBe(now);
  });
});
