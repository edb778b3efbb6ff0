import { stringifyExactJson, type TreeNode } from '../format/index.ts';
import type { SnapshotReader } from './snapshot-io.ts';

/**
 * How an entry of one snapshot differs from another's: it is there in one only, is of another type, has another content (or
 * link target, or device number), or only other metadata.
 */
export type ChangeKind = 'added' | 'removed' | 'type' | 'content' | 'metadata';

export interface Change {
  kind: ChangeKind;
  /** A byte string, absolute in the snapshots. */
  path: string;
  /** Absent for what was added. */
  before?: TreeNode;
  /** Absent for what was removed. */
  after?: TreeNode;
}

type Entries = Pick<SnapshotReader, 'entries'>;

interface Pair {
  path: string;
  before: string | undefined;
  after: string | undefined;
}

/**
 * The differences between two trees, in the order of their paths within each directory, directories before what is in them.
 * Equal trees have equal ids and are passed over unread.
 * @param before where to read the first tree, `after` the second: they may lie in different repositories
 * @throws repository-damaged
 */
export async function* diffTrees(
  before: { reader: Entries; tree: string },
  after: { reader: Entries; tree: string },
): AsyncIterable<Change> {
  // A list of what is to be done, and no recursion: a tree may be deeper than any stack.
  const waiting: Pair[] = [{ path: '', before: before.tree, after: after.tree }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.before === next.after) continue;
    const { path } = next;
    const old = next.before === undefined ? [] : await before.reader.entries(next.before);
    const fresh = next.after === undefined ? [] : await after.reader.entries(next.after);
    const below: Pair[] = [];
    for (const [one, other] of byName(old, fresh)) {
      const entry = `${path}/${(one ?? other)!.name}`;
      const kind = kindOf(one, other);
      if (kind !== undefined) {
        yield {
          kind,
          path: entry,
          ...(one !== undefined && { before: one }),
          ...(other !== undefined && { after: other }),
        };
      }
      if (one?.subtree !== undefined || other?.subtree !== undefined) {
        below.push({ path: entry, before: one?.subtree, after: other?.subtree });
      }
    }
    waiting.push(...below.reverse());
  }
}

/** Entries of both lists side by side by name, in the order of names. Both are sorted. */
function* byName(
  old: readonly TreeNode[],
  fresh: readonly TreeNode[],
): Iterable<[TreeNode | undefined, TreeNode | undefined]> {
  let [at, other] = [0, 0];
  while (at < old.length || other < fresh.length) {
    const [one, two] = [old[at], fresh[other]];
    if (two === undefined || (one !== undefined && one.name < two.name)) {
      yield [one, undefined];
      at++;
    } else if (one === undefined || two.name < one.name) {
      yield [undefined, two];
      other++;
    } else {
      yield [one, two];
      at++;
      other++;
    }
  }
}

function kindOf(before: TreeNode | undefined, after: TreeNode | undefined): ChangeKind | undefined {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  if (before.type !== after.type) return 'type';
  if (contentOf(before) !== contentOf(after)) return 'content';
  return metadataOf(before) === metadataOf(after) ? undefined : 'metadata';
}

function contentOf({ content, linktarget, device }: TreeNode): string {
  return `${content?.join(' ') ?? ''}\n${linktarget ?? ''}\n${device ?? ''}`;
}

/** All else that restic keeps, but for the time of last access: reading a file does not change it. */
function metadataOf({
  content: _,
  linktarget: __,
  device: ___,
  subtree: ____,
  atime: _____,
  ...rest
}: TreeNode): string {
  const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return stringifyExactJson(sorted);
}
