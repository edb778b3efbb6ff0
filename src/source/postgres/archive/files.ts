import { open } from 'node:fs/promises';
import type { TreeNode } from '../../../format/index.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';

/** The tree of an archive in a snapshot. @throws repository-damaged */
export async function archiveTree(reader: SnapshotReader): Promise<string> {
  const data = await reader.find('/data');
  if (data?.subtree === undefined) throw new HoldfastError('repository-damaged', 'the snapshot has no /data');
  return data.subtree;
}

/** The files of an archive in a snapshot, by name. @throws repository-damaged */
export async function archiveFiles(reader: SnapshotReader): Promise<Map<string, TreeNode>> {
  return new Map((await reader.entries(await archiveTree(reader))).map((node) => [node.name, node]));
}

/** @throws archive-damaged */
export function fileOf(files: ReadonlyMap<string, TreeNode>, name: string): TreeNode {
  const node = files.get(name);
  if (node?.type === 'file') return node;
  throw new HoldfastError('archive-damaged', `the snapshot has no file /data/${name}`, {
    hint: 'Restore an older snapshot.',
  });
}

/** Writes a file of the snapshot to a path where there is none. */
export async function writeFileOf(reader: SnapshotReader, node: TreeNode, path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const bytes of reader.read(node)) await file.writeFile(bytes);
  } finally {
    await file.close();
  }
}
