import { constants } from 'node:fs';
import { groupName, userName } from '../foundation/account-names.ts';
import type { FileStatus } from '../foundation/file-status.ts';
import { goMode } from './file-mode.ts';
import { formatTime } from './time.ts';
import type { NodeType, TreeNode } from './tree-node.ts';

/**
 * What a file system says of an entry, as a node of a tree. Content, subtree and where a link leads are the caller's.
 * @param name a byte string
 */
export function nodeOfStatus(name: string, status: FileStatus & { rdev?: bigint }): TreeNode {
  const mode = Number(status.mode);
  const type = typeOf(mode);
  const mtime = formatTime(status.mtimeNs);
  const node: TreeNode = {
    name,
    type,
    mode: goMode(mode),
    mtime,
    // As restic does by default: a time that every backup changes would make every tree a new one.
    atime: mtime,
    ctime: status.ctimeNs === status.mtimeNs ? mtime : formatTime(status.ctimeNs),
    uid: Number(status.uid),
    gid: Number(status.gid),
    user: userName(Number(status.uid)),
    group: groupName(Number(status.gid)),
    inode: exact(status.ino),
    device_id: exact(status.dev),
    content: null,
  };
  if (type === 'dir') return node;
  node.links = exact(status.nlink);
  if (type === 'file') node.size = exact(status.size);
  if (type === 'dev' || type === 'chardev') node.device = exact(status.rdev ?? 0);
  return node;
}

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } = constants;
const TYPES = new Map<number, NodeType>([
  [S_IFREG, 'file'],
  [S_IFDIR, 'dir'],
  [S_IFLNK, 'symlink'],
  [S_IFBLK, 'dev'],
  [S_IFCHR, 'chardev'],
  [S_IFIFO, 'fifo'],
  [S_IFSOCK, 'socket'],
]);

function typeOf(mode: number): NodeType {
  return TYPES.get(mode & S_IFMT) ?? 'irregular';
}

function exact(value: number | bigint): number | bigint {
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}
