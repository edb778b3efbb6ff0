import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { asRecord, byteStringOfText, displayName } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import type { Selection } from '../snapshot-io.ts';

/** A file in the target that says whose unfinished restore it holds. It is the first thing made there, and the last one removed. */
export const MARKER_NAME = '.holdfast-restore';
const NEW_MARKER_NAME = `${MARKER_NAME}.new`;

const FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/** Whose restore a target holds: only the same one may go on with it. */
export interface MarkedRestore {
  /** The tree's id. */
  tree: string;
  selection: Selection;
  /** Whether what the snapshot does not have is removed. */
  replaces: boolean;
}

/**
 * Makes the target where it is not there, and marks it. One that is to be replaced may hold anything.
 * @param mayMark false when the tree has an entry of the marker's name: such a restore cannot be gone on with
 * @returns whether it holds a part of the same restore, to go on with, or anything else
 * @throws target-not-empty; the system's errors
 */
export async function claimTarget(target: string, restore: MarkedRestore, mayMark: boolean): Promise<boolean> {
  await makeDirectories(target, 0o700);
  const names = readdirSync(target);
  if (restore.replaces) {
    claimToReplace(target, restore, mayMark, names.includes(MARKER_NAME));
    return names.length > 0;
  }
  if (names.length > 0) {
    const marked = mayMark && names.includes(MARKER_NAME) ? readMarker(target) : undefined;
    if (marked === undefined) throw notEmpty(target);
    if (marked.tree !== restore.tree) throw otherSnapshot(target, marked.tree);
    if (!isSameSelection(marked.selection, restore.selection)) throw otherSelection(target, marked.selection);
    if (marked.replaces) throw halfReplaced(target);
    return true;
  }
  if (mayMark) writeMarker(target, restore);
  return false;
}

/** A restore that was interrupted may have left something half-written: only one that covers all of it may end its mark. */
function claimToReplace(target: string, restore: MarkedRestore, mayMark: boolean, isMarked: boolean): void {
  if (!mayMark) return;
  if (isMarked) {
    const { selection = {} } = readMarker(target) ?? {};
    if (!isEverything(restore.selection) && !isSameSelection(selection, restore.selection)) {
      throw otherSelection(target, selection);
    }
  }
  // In one step, so that at no instant the target is taken for a whole one.
  rmSync(join(target, NEW_MARKER_NAME), { force: true });
  writeMarker(target, restore, NEW_MARKER_NAME);
  renameSync(join(target, NEW_MARKER_NAME), join(target, MARKER_NAME));
}

/**
 * The restore has come to its end. Another one's mark stays, and an entry of the snapshot that has its name: no tree has a file
 * that names this very tree.
 */
export function removeMarker(target: string, tree: string): void {
  if (isMarked(target) && readMarker(target)?.tree === tree) unlinkSync(join(target, MARKER_NAME));
}

/** Whether something in a directory says that a restore to it has not come to its end. */
export function isMarked(target: string): boolean {
  return lstatSync(join(target, MARKER_NAME), { throwIfNoEntry: false }) !== undefined;
}

function writeMarker(target: string, { tree, selection, replaces }: MarkedRestore, name = MARKER_NAME): void {
  const descriptor = openSync(join(target, name), FLAGS, 0o600);
  try {
    const marked = { version: 1, tree, selection: canonical(selection), ...(replaces && { replaces }) };
    writeSync(descriptor, `${JSON.stringify(marked)}\n`);
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined where the marker is none of ours, or was never written whole. One that names no selection is of everything. */
function readMarker(target: string): MarkedRestore | undefined {
  try {
    const descriptor = openSync(join(target, MARKER_NAME), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { tree, selection, replaces } = asRecord(JSON.parse(readFileSync(descriptor, 'utf8')), 'a marker');
      const { only, exclude } = asRecord(selection ?? {}, 'a selection');
      if (typeof tree !== 'string' || !areTexts(only ?? []) || !areTexts(exclude ?? [])) return undefined;
      return { tree, selection: { only, exclude } as Selection, replaces: replaces === true };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const isNone = error instanceof SyntaxError || ['ELOOP', 'EISDIR'].includes(systemCode(error) ?? '');
    if (isNone || isHoldfastError(error, 'repository-damaged')) return undefined;
    throw error;
  }
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** The order in which patterns are given, and how often, means nothing. */
function canonical({ only, exclude = [] }: Selection): Selection {
  const sorted = (patterns: readonly string[]): string[] => [...new Set(patterns)].sort();
  return { ...(only && { only: sorted(only) }), ...(exclude.length > 0 && { exclude: sorted(exclude) }) };
}

function isEverything(selection: Selection): boolean {
  return isSameSelection(selection, {});
}

function isSameSelection(one: Selection, other: Selection): boolean {
  return JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));
}

function notEmpty(target: string): HoldfastError {
  return new HoldfastError('target-not-empty', `the target ${shown(target)} is not empty`, {
    hint: 'Name a directory that is empty or does not exist. With `--replace` it is made what the snapshot is.',
    context: { target },
  });
}

function halfReplaced(target: string): HoldfastError {
  return new HoldfastError('target-not-empty', `the target ${shown(target)} is replaced in part`, {
    hint: 'That was interrupted. Go on with it by adding `--replace` and `--confirm` again, or name another directory.',
    context: { target },
  });
}

function otherSnapshot(target: string, tree: string): HoldfastError {
  return new HoldfastError('target-not-empty', `the target ${shown(target)} holds a part of another snapshot`, {
    hint: 'A restore of it was interrupted. Go on with that one by naming it with `--snapshot`, or name another directory.',
    context: { target, tree },
  });
}

function otherSelection(target: string, selection: Selection): HoldfastError {
  const { only = [], exclude = [] } = canonical(selection);
  const option = (name: string, patterns: readonly string[]): string[] =>
    patterns.length === 0 ? [] : [name, ...patterns.map((pattern) => `"${shown(pattern)}"`)];
  const words = [...option('--only', only), ...option('--exclude', exclude)];
  const how = words.length === 0 ? 'without `--only` and `--exclude`' : `with \`${words.join(' ')}\``;
  return new HoldfastError(
    'target-not-empty',
    `the target ${shown(target)} holds a part of a restore with another selection`,
    {
      hint: `That one was interrupted. Go on with it by running it again ${how}, or name another directory.`,
      context: { target },
    },
  );
}

function shown(text: string): string {
  return displayName(byteStringOfText(text));
}
