import { constants, readFileSync, readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { byteString, formatTime, goMode, type NodeType, type TreeNode } from '../../format/index.ts';
import { systemCode } from '../../foundation/errors.ts';
import type { FileStatus } from '../../foundation/file-status.ts';

/**
 * What a file system says of an entry, as a node of a tree. Content and subtree are the caller's.
 * @param path for what its status does not say: where a link leads
 */
export function nodeOf(name: string, path: Buffer, status: FileStatus & { rdev?: bigint }): TreeNode {
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
  if (type === 'symlink') node.linktarget = byteString(readlinkSync(path, { encoding: 'buffer' }));
  if (type === 'dev' || type === 'chardev') node.device = exact(status.rdev ?? 0);
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

const userName = namesOf('/etc/passwd');
const groupName = namesOf('/etc/group');

/** Names by number, from a file of `name:password:number:…` lines, read once. Without such a file there are no names. */
function namesOf(file: string): (id: number) => string {
  let names: Map<number, string> | undefined;
  return (id) => {
    names ??= readNames(file);
    return names.get(id) ?? '';
  };
}

function readNames(file: string): Map<number, string> {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  const lines = text.split('\n').map((line) => line.split(':'));
  return new Map(lines.filter((fields) => fields.length > 2).map(([name = '', , id]) => [Number(id), name]));
}
