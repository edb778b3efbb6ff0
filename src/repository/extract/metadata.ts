import { chmodSync, lchownSync, linkSync, lstatSync, symlinkSync } from 'node:fs';
import { bytesOf, displayName, parseTime, systemPermissions, type TreeNode } from '../../format/index.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { makeSpecialFile, setTimes } from '../../foundation/posix.ts';
import type { MetadataProblem } from '../snapshot-io.ts';
import type { PlannedEntry } from './plan.ts';

const SPECIAL: Partial<Record<TreeNode['type'], number>> = {
  fifo: 0o010000,
  chardev: 0o020000,
  dev: 0o060000,
  socket: 0o140000,
};

/** Makes a link or a special file. */
export function makeOther({ path, node }: PlannedEntry): void {
  if (node.type === 'symlink') {
    symlinkSync(bytesOf(node.linktarget ?? ''), path);
    return;
  }
  const type = SPECIAL[node.type];
  if (type === undefined) throw new HoldfastError('target-failed', `cannot restore an entry of type ${node.type}`);
  makeSpecialFile(path, type + systemPermissions(node.mode ?? 0), BigInt(node.device ?? 0));
}

export function makeHardLink(existing: Buffer, path: Buffer): void {
  linkSync(existing, path);
}

/**
 * Sets owner, permissions and times, in this order: changing the owner clears setuid, and changing anything touches times.
 * Only root may give files away: for others the owner stays who restores, as with every tool.
 */
export function applyMetadata({ path, node }: PlannedEntry): MetadataProblem[] {
  const problems: MetadataProblem[] = [];
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      problems.push({ path: displayName(path.toString('latin1')), message: `cannot set ${what}: ${messageOf(error)}` });
    }
  };
  if (process.getuid?.() === 0 && node.uid !== undefined && node.gid !== undefined) {
    const { uid, gid } = node;
    attempt('its owner', () => lchownSync(path, uid, gid));
  }
  // A link has no permissions of its own, and changing them would change those of what it leads to.
  if (node.type !== 'symlink' && node.mode !== undefined) {
    const mode = systemPermissions(node.mode);
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
