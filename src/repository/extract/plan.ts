import { bytesOf, type TreeNode } from '../../format/index.ts';
import type { SnapshotReader } from '../snapshot-io.ts';

/** What a restore of a tree to a directory will make: everything is known before the first byte is written. */

export interface PlannedEntry {
  /** Absolute, as bytes. */
  path: Buffer;
  node: TreeNode;
}

export interface ExtractPlan {
  /** Parents before what is in them. */
  directories: PlannedEntry[];
  files: PlannedEntry[];
  /** Links, devices, FIFOs and sockets. */
  others: PlannedEntry[];
  /** Further names of files: `existing` is the place in `files` of the first one. */
  hardLinks: { path: Buffer; existing: number }[];
  /** Plain bytes of all files. */
  bytes: number;
}

/**
 * @param target absolute path of the directory that takes the tree's entries
 * @param include whether an entry is wanted, by its path in the snapshot (a byte string such as `/srv/uploads/a`);
 *   a directory is made when anything in it is wanted
 */
export async function planExtract(
  reader: Pick<SnapshotReader, 'entries'>,
  tree: string,
  target: Buffer,
  include: (path: string) => boolean,
): Promise<ExtractPlan> {
  const plan: ExtractPlan = { directories: [], files: [], others: [], hardLinks: [], bytes: 0 };
  const firstNames = new Map<string, number>();
  const visit = async (treeId: string, directory: Buffer, prefix: string): Promise<boolean> => {
    let wantedAny = false;
    for (const node of await reader.entries(treeId)) {
      const path = join(directory, node.name);
      const name = `${prefix}/${node.name}`;
      if (node.type !== 'dir') {
        if (!include(name)) continue;
        add(plan, firstNames, { path, node });
        wantedAny = true;
        continue;
      }
      const place = plan.directories.push({ path, node }) - 1;
      const inside = node.subtree !== undefined && (await visit(node.subtree, path, name));
      if (inside || include(name)) wantedAny = true;
      else plan.directories.length = place;
    }
    return wantedAny;
  };
  await visit(tree, target, '');
  return plan;
}

function add(plan: ExtractPlan, firstNames: Map<string, number>, entry: PlannedEntry): void {
  const { node, path } = entry;
  if (node.type !== 'file') {
    plan.others.push(entry);
    return;
  }
  const identity = Number(node.links ?? 1) > 1 ? `${node.device_id}:${node.inode}:${node.content?.join()}` : undefined;
  const existing = identity === undefined ? undefined : firstNames.get(identity);
  if (existing !== undefined) {
    plan.hardLinks.push({ path, existing });
    return;
  }
  const place = plan.files.push(entry) - 1;
  if (identity !== undefined) firstNames.set(identity, place);
  plan.bytes += Number(node.size ?? 0);
}

function join(directory: Buffer, name: string): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), bytesOf(name)]);
}
