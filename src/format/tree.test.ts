import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTree, encodeTree } from './tree.ts';
import { byteString, byteStringOfText, displayName, type TreeNode } from './tree-node.ts';

const TIMES = { mtime: '2024-01-01T00:00:00.123456789Z', atime: '2024-01-01T00:00:00Z', ctime: '2024-01-01T00:00:00Z' };
const ID = 'ab'.repeat(32);

function file(name: string, more: Partial<TreeNode> = {}): TreeNode {
  return { name, type: 'file', mode: 0o644, ...TIMES, uid: 0, gid: 0, content: [], ...more };
}

function treeOf(...nodes: Record<string, unknown>[]): Buffer {
  return Buffer.from(`${JSON.stringify({ nodes })}\n`);
}

const damaged = expect.objectContaining({ code: 'repository-damaged' });
const name = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => byteString(bytes).replace(/[/\0]/g, 'x'))
  .filter((text) => text !== '.' && text !== '..');

describe('a tree', () => {
  it('has the bytes that restic gives it', () => {
    const nodes: TreeNode[] = [
      file('b', { size: 5, content: [ID], links: 2, inode: 12345678901234567890n, user: 'me' }),
      { name: 'a', type: 'dir', mode: 2 ** 31 + 0o755, ...TIMES, uid: 1, gid: 2, content: null, subtree: ID },
      {
        name: 'l',
        type: 'symlink',
        mode: 2 ** 27 + 0o777,
        ...TIMES,
        uid: 0,
        gid: 0,
        linktarget: '../<x>',
        content: null,
      },
    ];
    const times =
      '"mtime":"2024-01-01T00:00:00.123456789Z","atime":"2024-01-01T00:00:00Z","ctime":"2024-01-01T00:00:00Z"';
    expect(encodeTree(nodes).toString()).toBe(
      `{"nodes":[{"name":"a","type":"dir","mode":2147484141,${times},"uid":1,"gid":2,"content":null,"subtree":"${ID}"},` +
        `{"name":"b","type":"file","mode":420,${times},"uid":0,"gid":0,"user":"me","inode":12345678901234567890,"size":5,"links":2,"content":["${ID}"]},` +
        `{"name":"l","type":"symlink","mode":134218239,${times},"uid":0,"gid":0,"linktarget":"../\\u003cx\\u003e","content":null}]}\n`,
    );
  });

  it('keeps what it does not know, whatever that is called', () => {
    const other = { 'a "b" <c>\\': { d: [1, null] } };
    const tree = treeOf({ name: 'a', type: 'file', content: [], ...other });
    const [node] = decodeTree(tree);
    expect(node!.unknown).toEqual(other);
    expect(decodeTree(encodeTree([node!]))).toEqual([expect.objectContaining({ unknown: other })]);
  });

  it('is an empty list for an empty directory', () => {
    expect(encodeTree([]).toString()).toBe('{"nodes":[]}\n');
    expect(decodeTree(Buffer.from('{"nodes":[]}\n'))).toEqual([]);
    // As Go writes a list that is nil.
    expect(decodeTree(Buffer.from('{"nodes":null}\n'))).toEqual([]);
  });

  it('gives back names of any bytes, sorted by them', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 30 }), (names) => {
        const decoded = decodeTree(encodeTree(names.map((each) => file(each))));
        const sorted = names.map((each) => Buffer.from(each, 'latin1')).sort(Buffer.compare);
        expect(decoded.map((node) => node.name)).toEqual(sorted.map(byteString));
      }),
    );
  });

  it('gives back link targets of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const link: TreeNode = { ...file('l'), type: 'symlink', linktarget: byteString(bytes), content: null };
        expect(decodeTree(encodeTree([link]))).toEqual([link]);
      }),
    );
  });

  it('keeps what it does not know, and numbers beyond 2^53', () => {
    const text = `{"nodes":[{"name":"f","type":"file","mtime":"2024-01-01T00:00:00Z","atime":"2024-01-01T00:00:00Z","ctime":"2024-01-01T00:00:00Z","uid":0,"gid":0,"inode":18446744073709551615,"content":null,"generic_attributes":{"windows.x":[1,2]},"constructor":1,"__proto__":{"a":12345678901234567890}}]}\n`;
    expect(encodeTree(decodeTree(Buffer.from(text))).toString()).toBe(text);
  });

  it('holds a directory larger than a buffer', () => {
    const nodes = Array.from({ length: 20_000 }, (_, index) => file(`${'ü'.repeat(20)}${index}`));
    expect(decodeTree(encodeTree(nodes))).toHaveLength(20_000);
  });

  it.each(['', '.', '..', 'a/b', '/', '/etc/passwd', '../x', 'a\0b', '\0'])(
    'is neither read nor written with the name %j',
    (hostile) => {
      expect(() => decodeTree(treeOf({ name: hostile, type: 'file' }))).toThrow(damaged);
      expect(() => encodeTree([file(hostile)])).toThrow(expect.objectContaining({ code: 'internal' }));
    },
  );

  it.each(['\\x2e\\x2e', '\\056.', '\\u002e\\x2e', 'a\\x2fb', 'a\\057b', '\\x00'])(
    'is not read with an impossible name in escapes: %s',
    (hostile) => {
      expect(() => decodeTree(treeOf({ name: hostile, type: 'file' }))).toThrow(damaged);
    },
  );

  it('is neither read nor written with a name twice, however it is escaped', () => {
    expect(() => encodeTree([file('a'), file('a')])).toThrow(expect.objectContaining({ code: 'internal' }));
    expect(() =>
      decodeTree(treeOf({ name: 'a', type: 'file' }, { name: 'b', type: 'file' }, { name: '\\x61', type: 'file' })),
    ).toThrow(/holds the name "a" twice/);
  });

  it.each([
    'null',
    '[]',
    '"x"',
    '',
    '{"nodes":{}}',
    '{"nodes":[null]}',
    '{"nodes":[{"type":"file"}]}',
    '{"nodes":[{"name":5,"type":"file"}]}',
    '{"nodes":[{"name":"a"}]}',
    '{"nodes":[{"name":"a","type":"door"}]}',
    '{"nodes":[{"name":"a","type":"dir"}]}',
    '{"nodes":[{"name":"a","type":"dir","subtree":"short"}]}',
    '{"nodes":[{"name":"a","type":"file","size":-1}]}',
    '{"nodes":[{"name":"a","type":"file","mode":"0644"}]}',
    '{"nodes":[{"name":"a","type":"file","mtime":5}]}',
    '{"nodes":[{"name":"a","type":"file","content":"x"}]}',
    '{"nodes":[{"name":"a","type":"file","content":["x"]}]}',
    '{"nodes":[{"name":"a","type":"file","content":[5]}]}',
    `${'['.repeat(100_000)}`,
  ])('is refused when it is %.60s', (text) => {
    expect(() => decodeTree(Buffer.from(text))).toThrow(damaged);
  });

  it('is refused or read, but never crashes, whatever JSON it is', () => {
    const member = fc.constantFrom(
      'name',
      'type',
      'content',
      'subtree',
      'linktarget',
      'linktarget_raw',
      'mode',
      'inode',
    );
    const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom('a', 'file', 'dir', 'symlink', ID, [ID]));
    fc.assert(
      fc.property(fc.array(fc.dictionary(member, value)), (nodes) => {
        try {
          decodeTree(treeOf(...nodes));
        } catch (error) {
          expect(error).toMatchObject({ code: 'repository-damaged' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a name that is shown', () => {
  it.each([
    [byteStringOfText('Grüße 世界'), 'Grüße 世界'],
    ['a\nb\x1b[2J', 'a\\x0ab\\x1b[2J'],
    ['caf\xe9', 'caf\\xe9'],
    ['back\\slash', 'back\\\\slash'],
    [byteStringOfText('\u0085'), '\\x85'],
  ])('%j is shown as %s', (name_, shown) => {
    expect(displayName(name_)).toBe(shown);
  });
});

describe('extended attributes', () => {
  it('survive a rewrite, with what others write beside them', () => {
    const attributes = [
      { name: 'user.a', value: 'eA==' },
      { name: 'user.none', value: null },
      { name: 'user.\ufffd', name_raw: 'dXNlci7/', value: '', later: { of: 1 } },
    ];
    const node = { name: 'f', type: 'file', mode: 0o644, ...TIMES, uid: 0, gid: 0, extended_attributes: attributes };
    const bytes = treeOf({ ...node, content: [] });
    expect(encodeTree(decodeTree(bytes)).toString()).toBe(bytes.toString());
  });

  it.each([
    ['a name that is none', { name: 1, value: '' }],
    ['a value that is none', { name: 'user.a', value: 1 }],
    ['a raw name that is none', { name: 'user.a', name_raw: 1, value: '' }],
    ['null', null],
  ])('with %s are damage', (_what, attribute) => {
    const node = { name: 'f', type: 'file', content: [], extended_attributes: [attribute] };
    expect(() => decodeTree(treeOf(node))).toThrow(damaged);
  });
});
