import { closeSync, constants, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { byteStringOfText, displayName } from '../../format/index.ts';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, systemCode } from '../../foundation/errors.ts';

/** A file in the target that says whose unfinished restore it holds. It is the first thing made there, and the last one removed. */
export const MARKER_NAME = '.holdfast-restore';

const FLAGS = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/**
 * Makes the target where it is not there, and marks it.
 * @param mayMark false when the tree has an entry of the marker's name: such a restore cannot be gone on with
 * @returns whether it holds a part of a restore of the same tree, to go on with
 * @throws target-not-empty; the system's errors
 */
export async function claimTarget(target: string, tree: string, mayMark: boolean): Promise<boolean> {
  await makeDirectories(target, 0o700);
  const names = readdirSync(target);
  if (names.length > 0) {
    const marked = mayMark && names.includes(MARKER_NAME) ? readMarker(target) : undefined;
    if (marked === tree) return true;
    throw notEmpty(target, marked);
  }
  if (mayMark) writeMarker(target, tree);
  return false;
}

/** The restore has come to its end. */
export function removeMarker(target: string, mayMark: boolean): void {
  if (mayMark) unlinkSync(join(target, MARKER_NAME));
}

function writeMarker(target: string, tree: string): void {
  const descriptor = openSync(join(target, MARKER_NAME), FLAGS, 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ version: 1, tree })}\n`);
  } finally {
    closeSync(descriptor);
  }
}

/** The tree that a target was to hold; undefined where the marker is none of ours, or was never written whole. */
function readMarker(target: string): string | undefined {
  try {
    const descriptor = openSync(join(target, MARKER_NAME), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { tree } = JSON.parse(readFileSync(descriptor, 'utf8')) as { tree?: unknown };
      return typeof tree === 'string' ? tree : undefined;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ELOOP') return undefined;
    throw error;
  }
}

function notEmpty(target: string, otherTree: string | undefined): HoldfastError {
  const shown = displayName(byteStringOfText(target));
  if (otherTree === undefined) {
    return new HoldfastError('target-not-empty', `the target ${shown} is not empty`, {
      hint: 'Name a directory that is empty or does not exist: a restore never overwrites what is there.',
      context: { target },
    });
  }
  return new HoldfastError('target-not-empty', `the target ${shown} holds a part of another snapshot`, {
    hint: 'A restore of it was interrupted. Go on with that one by naming it with `--snapshot`, or name another directory.',
    context: { target, tree: otherTree },
  });
}
