import { byteString, bytesOf, displayName, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
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

/** Longer ones no system takes; Linux's limit, without the NUL. */
const MAX_PATH_BYTES = 4095;
/** A tree that names the same trees again and again is endless with few bytes. From this size on entries are counted first. */
const COUNTED_FROM = 200_000;
const MAX_ENTRIES = 100_000_000;

/**
 * @throws repository-damaged; target-failed when it has more entries or longer paths than any system takes
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
  let isCounted = false;
  const count = async (): Promise<void> => {
    if (isCounted || plan.files.length + plan.directories.length + plan.others.length < COUNTED_FROM) return;
    isCounted = true;
    if ((await countEntries(reader, tree, new Map())) <= MAX_ENTRIES) return;
    throw new HoldfastError('target-failed', `the snapshot has more than ${MAX_ENTRIES} entries`);
  };
  const visit = async (treeId: string, directory: Buffer, prefix: string): Promise<boolean> => {
    let wantedAny = false;
    await count();
    for (const node of await reader.entries(treeId)) {
      const path = join(directory, node.name);
      const name = `${prefix}/${node.name}`;
      if (node.type !== 'dir') {
        if (!include(name)) continue;
        add(plan, firstNames, { path, node });
        wantedAny = true;
        continue;
      }
      const index = plan.directories.push({ path, node }) - 1;
      const inside = node.subtree !== undefined && (await visit(node.subtree, path, name));
      if (inside || include(name)) wantedAny = true;
      else plan.directories.length = index;
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

/** How many entries a tree has with all below it; each distinct tree is read once. */
async function countEntries(
  reader: Pick<SnapshotReader, 'entries'>,
  tree: string,
  known: Map<string, number>,
): Promise<number> {
  const before = known.get(tree);
  if (before !== undefined) return before;
  let count = 0;
  for (const { subtree } of await reader.entries(tree)) {
    count += 1 + (subtree === undefined ? 0 : await countEntries(reader, subtree, known));
  }
  known.set(tree, count);
  return count;
}

function join(directory: Buffer, name: string): Buffer {
  const path = Buffer.concat([directory, Buffer.from('/'), bytesOf(name)]);
  if (path.length <= MAX_PATH_BYTES) return path;
  throw new HoldfastError('target-failed', `a path of ${path.length} bytes is too long to be restored`, {
    hint: 'Restore to a target with a shorter path, or only a part of the snapshot.',
    context: { path: displayName(byteString(path.subarray(0, 200))) },
  });
}
