import { displayName, type TreeNode } from '../../format/index.ts';
import { type Change, type ChangeKind, diffTrees, type Reader } from '../../repository/index.ts';
import { readSnapshots } from '../read-snapshots.ts';
import type { Workspace } from '../workspace.ts';

export interface ListedChange {
  kind: ChangeKind;
  /** Fit to be shown. */
  path: string;
  /** What it is now, or was when it was removed: `file`, `dir` … */
  type: TreeNode['type'];
  /** Sizes of files, in bytes. */
  sizeBefore?: number;
  sizeAfter?: number;
}

export interface DifferenceSummary {
  /** How many entries changed in which way. */
  counts: Record<ChangeKind, number>;
  /** Sizes of files that are there in one only, and of what files with another content had and have. */
  bytesAdded: number;
  bytesRemoved: number;
}

export interface Difference {
  before: string;
  after: string;
  changes: ListedChange[];
  summary: DifferenceSummary;
  notes: string[];
}

/** What differs between two snapshots; that it was shown is recorded. @throws unknown-snapshot, repository-locked, repository-damaged */
export async function diff(
  workspace: Workspace,
  { before, after, repository }: { before: string; after: string; repository?: string },
): Promise<Difference> {
  const { result, notes } = await readSnapshots(workspace, { ids: [before, after], name: repository }, ([from, to]) =>
    compare(from!, to!, workspace.environment.signal),
  );
  return { ...result, notes };
}

async function compare(before: Reader, after: Reader, signal: AbortSignal): Promise<Omit<Difference, 'notes'>> {
  const changes: ListedChange[] = [];
  const summary = newSummary();
  const [from, to] = [before, after].map((reader) => ({ reader, tree: reader.tree }));
  for await (const change of diffTrees(from!, to!)) {
    signal.throwIfAborted();
    count(summary, change);
    changes.push(listed(change));
  }
  return { before: before.id, after: after.id, changes, summary };
}

function newSummary(): DifferenceSummary {
  return {
    counts: { added: 0, removed: 0, type: 0, content: 0, metadata: 0 },
    bytesAdded: 0,
    bytesRemoved: 0,
  };
}

function count(summary: DifferenceSummary, { kind, before, after }: Change): void {
  summary.counts[kind]++;
  if (kind === 'metadata') return;
  summary.bytesRemoved += sizeOf(before) ?? 0;
  summary.bytesAdded += sizeOf(after) ?? 0;
}

function listed({ kind, path, before, after }: Change): ListedChange {
  const [sizeBefore, sizeAfter] = [sizeOf(before), sizeOf(after)];
  return {
    kind,
    path: displayName(path),
    type: (after ?? before)!.type,
    ...(sizeBefore !== undefined && { sizeBefore }),
    ...(sizeAfter !== undefined && { sizeAfter }),
  };
}

function sizeOf(node: TreeNode | undefined): number | undefined {
  return node?.type === 'file' ? Number(node.size ?? 0) : undefined;
}
