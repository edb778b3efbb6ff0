import { displayName, type TreeNode } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { ItemCount } from '../index.ts';
import { dataTree, SALT } from './entries.ts';
import { SETTINGS_FILE } from './gather-cloud.ts';

const ALL = 'secrets';

/**
 * How many values a snapshot has of each secret, by where it lies in it (`gcp/omni/database-url`, `env/TOKEN`,
 * `files/etc/omni/env`). Only names are read.
 * @throws repository-damaged
 */
export async function secretCounts(reader: SnapshotReader): Promise<ItemCount[]> {
  const found: ItemCount[] = [];
  const visit = async (tree: string, path: string): Promise<void> => {
    const nodes = (await reader.entries(tree)).filter(({ name }) => `${path}${name}` !== SALT);
    const versions = path.startsWith('gcp/') ? await versionsIn(reader, nodes) : undefined;
    if (versions !== undefined) {
      found.push({ item: displayName(path.slice(0, -1)), count: versions, unit: 'versions', within: ALL });
      return;
    }
    for (const { name, subtree } of nodes) {
      if (subtree !== undefined) await visit(subtree, `${path}${name}/`);
      else found.push({ item: displayName(`${path}${name}`), count: 1, unit: 'values', within: ALL });
    }
  };
  await visit(await dataTree(reader), '');
  return [{ item: ALL, count: found.length, unit: 'secrets' }, ...found];
}

/** Of a directory that is a secret of Secret Manager; undefined of any other. */
async function versionsIn(reader: SnapshotReader, nodes: readonly TreeNode[]): Promise<number | undefined> {
  if (!nodes.some(({ name }) => name === SETTINGS_FILE)) return undefined;
  const subtree = nodes.find(({ name }) => name === 'versions')?.subtree;
  return subtree === undefined ? 0 : (await reader.entries(subtree)).length;
}
