import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../../../format/index.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { encodeDocument } from '../codec/document-line.ts';
import { collectionDirectory } from '../codec/layout.ts';
import { documentMatcher, storedDocuments } from './stored-lines.ts';

const DATABASE = 'projects/p/databases/d';
const TIMES = { createTime: { seconds: 1 }, updateTime: { seconds: 1 } };

function linesOf(...paths: string[]): string {
  const lines = paths.map((path) =>
    encodeDocument(
      { name: `${DATABASE}/documents/${path}`, fields: { text: { stringValue: 'é'.repeat(9) } }, ...TIMES },
      DATABASE,
    ),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** A snapshot of these parts by collection, whose content comes in chunks of so many bytes. */
function snapshotOf(collections: Record<string, string[]>, chunkBytes = 1000): SnapshotReader {
  const node = (name: string, subtree: string): TreeNode => ({ name, type: 'dir', content: null, subtree });
  const directories = Object.keys(collections).map((id) => node(collectionDirectory(id), id));
  const reader: Partial<SnapshotReader> = {
    id: 'a'.repeat(64),
    find: async () => node('documents', 'documents'),
    entries: async (tree) => {
      // As a tree has them: by the bytes of their names.
      if (tree === 'documents') return directories.sort((left, right) => (left.name < right.name ? -1 : 1));
      return collections[tree]!.map((text, at) => ({ name: `0000000${at}.jsonl`, type: 'file', content: [text] }));
    },
    read: async function* ({ content }) {
      const bytes = Buffer.from(content![0]!);
      for (let at = 0; at < bytes.length; at += chunkBytes) yield Uint8Array.from(bytes.subarray(at, at + chunkBytes));
    },
  };
  return reader as SnapshotReader;
}

async function pathsIn(reader: SnapshotReader, only?: string[]): Promise<string[]> {
  const names: string[] = [];
  for await (const documents of storedDocuments(reader, only && { only }))
    names.push(...documents.map(({ name }) => name));
  return names.map((name) => name.slice('documents/'.length));
}

describe('the documents of a snapshot', () => {
  it.each([1, 7, 150, 10_000])('come whole, however their bytes are cut: at %i', async (chunkBytes) => {
    const reader = snapshotOf({ c: [linesOf('c/1', 'c/2', 'c/2/d/1'), linesOf('c/3')] }, chunkBytes);
    expect(await pathsIn(reader)).toEqual(['c/1', 'c/2', 'c/2/d/1', 'c/3']);
  });

  it('come in the order of Firestore, whatever directories are called', async () => {
    const reader = snapshotOf({
      'a.b': [linesOf('a.b/1')],
      'a-b': [linesOf('a-b/1')],
      'a\u{1F600}': [linesOf('a\u{1F600}/1')],
    });
    expect(await pathsIn(reader)).toEqual(['a-b/1', 'a.b/1', 'a\u{1F600}/1']);
  });

  it.each([
    ['two are in the wrong order', [linesOf('c/2', 'c/1')]],
    ['there is one twice', [linesOf('c/1'), linesOf('c/1')]],
    ['a line was cut off', [linesOf('c/1').slice(0, -1)]],
    ['one is no document', ['{}\n']],
  ])('are refused where %s', async (_what, parts) => {
    await expect(pathsIn(snapshotOf({ c: parts }))).rejects.toMatchObject({ code: 'archive-damaged' });
  });

  it('are chosen by patterns of their paths', async () => {
    const reader = snapshotOf({ c: [linesOf('c/1', 'c/1/d/x', 'c/10')], d: [linesOf('d/*', 'd/1')] });
    expect(await pathsIn(reader, ['/c/1'])).toEqual(['c/1', 'c/1/d/x']);
    expect(await pathsIn(reader, ['d'])).toEqual(['c/1/d/x', 'd/*', 'd/1']);
    expect(await pathsIn(reader, ['/d/\\*'])).toEqual(['d/*']);
    expect(await pathsIn(reader, ['/*/1?'])).toEqual(['c/10']);
    expect(documentMatcher({ exclude: ['/c/1/**'] })('documents/c/1')).toBe(true);
  });
});
