import { type BigIntStats, readFileSync, readlinkSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { byteString, formatTime, goMode, type NodeType, type TreeNode } from '../../format/index.ts';
import { systemCode } from '../../foundation/errors.ts';

/** What a file system says of an entry, as a node of a tree. Content and subtree are the caller's. */
export function nodeOf(name: string, path: Buffer, stats: BigIntStats): TreeNode {
  const type = typeOf(stats);
  const mtime = formatTime(stats.mtimeNs);
  const node: TreeNode = {
    name,
    type,
    mode: goMode(Number(stats.mode)),
    mtime,
    // As restic does by default: a time that every backup changes would make every tree a new one.
    atime: mtime,
    ctime: stats.ctimeNs === stats.mtimeNs ? mtime : formatTime(stats.ctimeNs),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    user: userName(Number(stats.uid)),
    group: groupName(Number(stats.gid)),
    inode: exact(stats.ino),
    device_id: exact(stats.dev),
    content: null,
  };
  if (type === 'dir') return node;
  node.links = exact(stats.nlink);
  if (type === 'file') node.size = exact(stats.size);
  if (type === 'symlink') node.linktarget = byteString(readlinkSync(path, { encoding: 'buffer' }));
  if (type === 'dev' || type === 'chardev') node.device = exact(stats.rdev);
  return node;
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

function typeOf(stats: BigIntStats): NodeType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'dir';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice()) return 'dev';
  if (stats.isCharacterDevice()) return 'chardev';
  if (stats.isFIFO()) return 'fifo';
  return stats.isSocket() ? 'socket' : 'irregular';
}

function exact(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
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
