import { byteStringOfText, displayName, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Reader } from '../../repository/index.ts';
import { readSnapshots } from '../read-snapshots.ts';
import type { Workspace } from '../workspace.ts';

export interface ListedEntry {
  /** In the snapshot, fit to be shown. */
  path: string;
  node: TreeNode;
}

export interface Listing {
  /** Parents before what is in them. */
  entries: ListedEntry[];
  notes: string[];
}

/** What a snapshot holds, from a path in it on; that it was shown is recorded. @throws unknown-snapshot, repository-locked, repository-damaged */
export async function listEntries(
  workspace: Workspace,
  { id, path, repository: name }: { id: string; path: string; repository?: string | undefined },
): Promise<Listing> {
  const shown = { ids: [id], name, ...(path !== '/' && { path }) };
  const { result, notes } = await readSnapshots(workspace, shown, ([reader]) => entriesFrom(reader!, path));
  return { entries: result, notes };
}

async function entriesFrom(reader: Reader, path: string): Promise<ListedEntry[]> {
  const start = byteStringOfText(path).replace(/\/+$/, '');
  const node = await reader.find(start);
  const shortId = reader.id.slice(0, 8);
  if (node === undefined) {
    throw new HoldfastError('unknown-snapshot', `snapshot ${shortId} has no ${path}`, {
      hint: `See what it has with \`holdfast ls ${shortId}\`.`,
    });
  }
  const entries: ListedEntry[] = start === '' ? [] : [{ path: displayName(start), node }];
  if (node.subtree !== undefined) await addBelow(entries, reader, node.subtree, start);
  return entries;
}

async function addBelow(entries: ListedEntry[], reader: Reader, tree: string, prefix: string): Promise<void> {
  for (const node of await reader.entries(tree)) {
    const path = `${prefix}/${node.name}`;
    entries.push({ path: displayName(path), node });
    if (node.subtree !== undefined) await addBelow(entries, reader, node.subtree, path);
  }
}
