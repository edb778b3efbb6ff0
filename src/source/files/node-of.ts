import { readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { byteString, nodeOfStatus, type TreeNode } from '../../format/index.ts';
import { systemCode } from '../../foundation/errors.ts';
import { type ExtendedAttribute, readAttributes } from '../../foundation/extended-attributes.ts';
import type { FileStatus } from '../../foundation/file-status.ts';

/**
 * What a file system says of an entry, as a node of a tree. Content and subtree are the caller's.
 * @param path for what its status does not say: where a link leads
 */
export function nodeOf(name: string, path: Buffer, status: FileStatus & { rdev?: bigint }): TreeNode {
  const node = nodeOfStatus(name, status);
  if (node.type === 'symlink') node.linktarget = byteString(readlinkSync(path, { encoding: 'buffer' }));
  return node;
}

/** Another one may have taken its place: then nothing in it is as it was. */
export function isSameDirectory(now: TreeNode, before: TreeNode | undefined): boolean {
  return before?.type === 'dir' && now.inode === before.inode && now.device_id === before.device_id;
}

/** restic's rule: a file is read again unless type, size, times of change and inode are what they were. */
export function isUnchanged(now: TreeNode, before: TreeNode): boolean {
  return (
    before.type === 'file' &&
    now.size === (before.size ?? 0) &&
    now.mtime === before.mtime &&
    now.ctime === before.ctime &&
    now.inode === before.inode
  );
}

/** What a node says besides its name, and what says it in a tree only where it is not zero or empty. */
const PLAIN_MEMBERS = [
  'type',
  'mode',
  'mtime',
  'atime',
  'ctime',
  'uid',
  'gid',
  'user',
  'group',
  'inode',
  'device_id',
  'links',
  'size',
  'linktarget',
  'device',
  'subtree',
] as const satisfies (keyof TreeNode)[];

/**
 * The node of the previous snapshot where it says the same of the entry of that name; else the new one. Who finds
 * nothing but nodes of before has the tree of before.
 */
export function unlessSame(now: TreeNode, before: TreeNode | undefined): TreeNode {
  if (before === undefined || before.unknown !== undefined) return now;
  const isSame = PLAIN_MEMBERS.every((member) => (now[member] || 0) === (before[member] || 0));
  const isContentSame = isSame && isSameContent(now.content, before.content);
  return isContentSame && isDeepStrictEqual(now.extended_attributes, before.extended_attributes) ? before : now;
}

/** What was read again has a list of its own. */
function isSameContent(now: TreeNode['content'], before: TreeNode['content']): boolean {
  if (now === before || now == null || before == null) return (now ?? null) === (before ?? null);
  return now.length === before.length && now.every((id, index) => id === before[index]);
}

/** The attributes of an entry, or why they could not be read. */
export function attributesAt(path: Buffer): readonly ExtendedAttribute[] | Error {
  try {
    return readAttributes(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return error as Error;
  }
}
