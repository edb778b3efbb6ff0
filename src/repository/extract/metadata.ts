import {
  type BigIntStats,
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
} from 'node:fs';
import { byteString, bytesOf, displayName, parseTime, systemPermissions, type TreeNode } from '../../format/index.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { makeSpecialFile, setTimes } from '../../foundation/posix.ts';
import type { ExtractProblem } from '../snapshot-io.ts';
import { type Attempt, applyAttributes, removeAccessLists } from './attributes.ts';
import type { PlannedEntry } from './plan.ts';
import { isFile, standing } from './standing.ts';

const SPECIAL: Partial<Record<TreeNode['type'], number>> = {
  fifo: 0o010000,
  chardev: 0o020000,
  dev: 0o060000,
  socket: 0o140000,
};

/** Makes a link or a special file, in place of what is no directory; a link that is right is left. What this system has not, or only root may make, is a problem and no more. */
export function makeOther({ path, node }: PlannedEntry): ExtractProblem | undefined {
  const problem = (message: string): ExtractProblem => ({ path: displayName(byteString(path)), message });
  const leadsTo = node.type === 'symlink' ? bytesOf(node.linktarget ?? '') : undefined;
  const isRight = (found: BigIntStats): boolean =>
    leadsTo !== undefined && found.isSymbolicLink() && readlinkSync(path, { encoding: 'buffer' }).equals(leadsTo);
  if (standing(path, isRight) !== undefined) return undefined;
  if (leadsTo !== undefined) {
    symlinkSync(leadsTo, path);
    return undefined;
  }
  const type = SPECIAL[node.type];
  if (type === undefined) return problem(`cannot be made: its type is ${node.type}`);
  try {
    makeSpecialFile(path, type + systemPermissions(node.mode ?? 0), BigInt(node.device ?? 0));
    return undefined;
  } catch (error) {
    if (systemCode(error) !== 'EPERM') throw error;
    return problem(`cannot be made: ${messageOf(error)}`);
  }
}

/**
 * Makes a directory that only its owner may enter for now, and that gives nothing to what is made in it. One that is there is
 * taken, as long as it is no link to one.
 */
export function makeDirectory(path: Buffer): void {
  if (standing(path, (found) => found.isDirectory()) === undefined) mkdirSync(path, { mode: 0o700 });
  removeAccessLists(path);
  // A list that it was given may have taken permissions from its owner.
  chmodSync(path, 0o700);
}

/** Makes a further name of a file, in place of what is no directory; one that it has already is left. */
export function makeHardLink(existing: Buffer, path: Buffer): void {
  if (standing(path, (found) => isFile(existing, found)) === undefined) linkSync(existing, path);
}

/**
 * Sets owner, extended attributes, permissions and times, in this order: changing the owner clears setuid and capabilities, and
 * changing anything touches times.
 * Only root may give files away: for others the owner stays who restores, as with every tool.
 */
export function applyMetadata({ path, node }: PlannedEntry): ExtractProblem[] {
  const problems: ExtractProblem[] = [];
  const attempt: Attempt = (what, work) => {
    try {
      work();
    } catch (error) {
      problems.push({ path: displayName(byteString(path)), message: `cannot set ${what}: ${messageOf(error)}` });
    }
  };
  if (process.getuid?.() === 0 && node.uid !== undefined && node.gid !== undefined) {
    const { uid, gid } = node;
    attempt('its owner', () => lchownSync(path, uid, gid));
  }
  applyAttributes(path, node.extended_attributes ?? [], attempt);
  // A link has no permissions of its own, and changing them would change those of what it leads to.
  if (node.type !== 'symlink') {
    // A mode of 0 is left out of a tree.
    const mode = systemPermissions(node.mode ?? 0);
    attempt('its permissions', () => {
      if ((lstatSync(path).mode & 0o170000) !== 0o120000) chmodSync(path, mode);
    });
  }
  const modified = parseTime(node.mtime ?? '');
  if (modified !== undefined) {
    attempt('its times', () => setTimes(path, parseTime(node.atime ?? '') ?? modified, modified));
  }
  return problems;
}
