import type { TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { notesOf, type SnapshotReader } from '../../repository/index.ts';
import {
  type Check,
  checkedPath,
  MANIFEST_DIRECTORY,
  type RestoreContext,
  type Restored,
  readManifest,
  runCommandCheck,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import { DirectoryComparison } from './validate.ts';

/** A program that must exit 0 when what was restored is right. */
export interface PlannedCheck {
  name: string;
  exec: string[];
}

/** @throws target-unsuitable for anything else */
export function directoryOf(target: Target): string {
  if (target.kind === 'directory') return target.path;
  throw new HoldfastError('target-unsuitable', 'files can be in a directory only, not in a database', {
    hint: 'Give the path of a directory.',
  });
}

/** What a snapshot of files has, but for its manifest. @throws see `Source.restore` */
export async function restoreToDirectory(
  reader: SnapshotReader,
  target: Target,
  context: RestoreContext,
): Promise<Restored> {
  const extracted = await reader.extract(directoryOf(target), {
    ...context,
    leaveOut: [`/${MANIFEST_DIRECTORY}`],
    leavesOutLost: true,
  });
  return {
    bytes: extracted.bytes,
    items: extracted.files + extracted.directories + extracted.others,
    notes: notesOf(extracted),
    problems: extracted.problems,
    ...(extracted.surplus && { surplus: extracted.surplus }),
  };
}

/** Holds a directory against the snapshot, that against its manifest, and runs the plan's checks there. */
export async function validateDirectory(
  reader: SnapshotReader,
  target: Target,
  { context, checks: planned }: { context: ValidateContext; checks: readonly PlannedCheck[] },
): Promise<Validation> {
  const directory = directoryOf(target);
  const roots = await rootsOf(reader);
  const comparison = await new DirectoryComparison(reader, context).compare(roots, directory);
  const checks = [manifestCheck(roots, (await readManifest(reader)).details['trees']), comparison];
  for (const check of planned) checks.push(await runCommandCheck(check, checkedPath(directory), context.signal));
  return { checks, notes: [] };
}

/** The entries of a snapshot's root directory that are of the source. */
export async function rootsOf(reader: SnapshotReader): Promise<TreeNode[]> {
  return (await reader.entries(reader.tree)).filter(({ name }) => name !== MANIFEST_DIRECTORY);
}

/** For the manifest: the trees of directories by their names. A tree's id is the digest of everything below it. */
export function treesOf(roots: readonly TreeNode[]): Record<string, string> {
  return Object.fromEntries(roots.flatMap(({ name, subtree }) => (subtree === undefined ? [] : [[name, subtree]])));
}

function manifestCheck(roots: readonly TreeNode[], listed: unknown): Check {
  const trees = (listed ?? {}) as Record<string, unknown>;
  const differing = roots.filter(({ name, subtree }) => trees[name] !== subtree).map(({ name }) => name);
  return {
    name: 'manifest',
    result: differing.length === 0 ? 'passed' : 'failed',
    detail:
      differing.length === 0
        ? 'the trees are those of the manifest'
        : `the manifest has other trees for ${differing.join(', ')}`,
  };
}
