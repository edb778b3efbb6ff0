import { closeSync, constants, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { asRecord, byteStringOfText, displayName } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import type { Selection } from '../snapshot-io.ts';

/** A file in the target that says whose unfinished restore it holds. It is the first thing made there, and the last one removed. */
export const MARKER_NAME = '.holdfast-restore';

const FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/** Whose restore a target holds: only the same one may go on with it. */
export interface MarkedRestore {
  /** The tree's id. */
  tree: string;
  selection: Selection;
}

/**
 * Makes the target where it is not there, and marks it.
 * @param mayMark false when the tree has an entry of the marker's name: such a restore cannot be gone on with
 * @returns whether it holds a part of the same restore, to go on with
 * @throws target-not-empty; the system's errors
 */
export async function claimTarget(target: string, restore: MarkedRestore, mayMark: boolean): Promise<boolean> {
  await makeDirectories(target, 0o700);
  const names = readdirSync(target);
  if (names.length > 0) {
    const marked = mayMark && names.includes(MARKER_NAME) ? readMarker(target) : undefined;
    if (marked === undefined) throw notEmpty(target);
    if (marked.tree !== restore.tree) throw otherSnapshot(target, marked.tree);
    if (!isSameSelection(marked.selection, restore.selection)) throw otherSelection(target, marked.selection);
    return true;
  }
  if (mayMark) writeMarker(target, restore);
  return false;
}

/** The restore has come to its end. */
export function removeMarker(target: string, mayMark: boolean): void {
  if (mayMark) unlinkSync(join(target, MARKER_NAME));
}

function writeMarker(target: string, { tree, selection }: MarkedRestore): void {
  const descriptor = openSync(join(target, MARKER_NAME), FLAGS, 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ version: 1, tree, selection: canonical(selection) })}\n`);
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined where the marker is none of ours, or was never written whole. One that names no selection is of everything. */
function readMarker(target: string): MarkedRestore | undefined {
  try {
    const descriptor = openSync(join(target, MARKER_NAME), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { tree, selection } = asRecord(JSON.parse(readFileSync(descriptor, 'utf8')), 'a marker');
      const { only, exclude } = asRecord(selection ?? {}, 'a selection');
      if (typeof tree !== 'string' || !areTexts(only ?? []) || !areTexts(exclude ?? [])) return undefined;
      return { tree, selection: { only, exclude } as Selection };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const isNone = error instanceof SyntaxError || systemCode(error) === 'ELOOP';
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

function isSameSelection(one: Selection, other: Selection): boolean {
  return JSON.stringify(canonical(one)) === JSON.stringify(canonical(other));
}

function notEmpty(target: string): HoldfastError {
  return new HoldfastError('target-not-empty', `the target ${shown(target)} is not empty`, {
    hint: 'Name a directory that is empty or does not exist: a restore never overwrites what is there.',
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
