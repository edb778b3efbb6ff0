import { HoldfastError } from '../foundation/errors.ts';
import { goJsonString, parseExactJson, stringifyExactJson } from './exact-json.ts';
import { goQuote, goUnquote } from './go-quote.ts';
import { asRecord, DOCUMENT_LIMIT_BYTES, ID_PATTERN } from './sealed-json.ts';
import { byteString, byteStringOfText, bytesOf, displayName, type NodeType, type TreeNode } from './tree-node.ts';

/**
 * A directory as restic stores it: `{"nodes":[…]}` and a newline, which is part of what is hashed; entries sorted by the
 * bytes of their names. Members stand in the order that restic writes them in, so that equal trees have equal ids.
 */

/** A growing buffer: a large directory never becomes one string. */
class Bytes {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  add(text: string): void {
    const most = text.length * 3;
    if (this.#length + most > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + most));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Compares byte strings by their bytes: a UTF-16 unit is a byte here. */
export function compareNames(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** The bytes of a tree. `nodes` may be in any order. @throws internal when a name is taken twice or impossible */
export function encodeTree(nodes: readonly TreeNode[]): Buffer {
  const out = new Bytes();
  out.add('{"nodes":[');
  let previous: string | undefined;
  for (const node of [...nodes].sort(compareNames)) {
    if (node.name === previous || !isSafeName(node.name)) {
      throw new HoldfastError('internal', `a tree cannot hold the name ${JSON.stringify(node.name)} here`);
    }
    out.add(`${previous === undefined ? '' : ','}${encodeNode(node)}`);
    previous = node.name;
  }
  out.add(']}\n');
  return out.bytes;
}

function encodeNode(node: TreeNode): string {
  let text = `{"name":${goJsonString(goQuote(node.name))},"type":"${node.type}"`;
  text += unlessZero('mode', node.mode);
  const mtime = goJsonString(node.mtime ?? ZERO_TIME);
  const atime = node.atime === node.mtime ? mtime : goJsonString(node.atime ?? ZERO_TIME);
  const ctime = node.ctime === node.mtime ? mtime : goJsonString(node.ctime ?? ZERO_TIME);
  text += `,"mtime":${mtime},"atime":${atime},"ctime":${ctime},"uid":${node.uid ?? 0},"gid":${node.gid ?? 0}`;
  if (node.user) text += `,"user":${goJsonString(node.user)}`;
  if (node.group) text += `,"group":${goJsonString(node.group)}`;
  text += unlessZero('inode', node.inode);
  text += unlessZero('device_id', node.device_id);
  text += unlessZero('size', node.size);
  text += unlessZero('links', node.links);
  if (node.linktarget !== undefined) text += encodeLinkTarget(node.linktarget);
  if (node.extended_attributes?.length)
    text += `,"extended_attributes":${stringifyExactJson(node.extended_attributes)}`;
  text += unlessZero('device', node.device);
  text += node.content === null ? ',"content":null' : `,"content":${encodeIds(node.content)}`;
  if (node.subtree) text += `,"subtree":${goJsonString(node.subtree)}`;
  for (const [key, value] of Object.entries(node.unknown ?? NONE_UNKNOWN))
    text += `,${goJsonString(key)}:${stringifyExactJson(value)}`;
  return `${text}}`;
}

const NONE_UNKNOWN = {};

function unlessZero(key: string, value: number | bigint | undefined): string {
  return value ? `,"${key}":${value}` : '';
}

function encodeIds(ids: readonly string[]): string {
  if (ids.length === 0) return '[]';
  return ids.length === 1 ? `["${ids[0]}"]` : `["${ids.join('","')}"]`;
}

/** What Go writes for a time that was never set. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

/** A target that is not UTF-8 stands in a member of its own as well, as base64: restic 0.16 and newer read it there. */
function encodeLinkTarget(target: string): string {
  const bytes = bytesOf(target);
  const text = bytes.toString('utf8');
  const member = `,"linktarget":${goJsonString(text)}`;
  if (Buffer.from(text, 'utf8').equals(bytes)) return member;
  return `${member},"linktarget_raw":"${bytes.toString('base64')}"`;
}

/** Whether a name may stand in a directory: a hostile tree must not lead anywhere else. */
export function isSafeName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

/**
 * The entries of a tree, sorted by name.
 * @throws repository-damaged when it is none, or holds a name that no directory can have, or one twice
 */
export function decodeTree(bytes: Uint8Array): TreeNode[] {
  if (bytes.byteLength > DOCUMENT_LIMIT_BYTES) {
    throw new HoldfastError('repository-damaged', `a tree of ${bytes.byteLength} bytes is too large to be read`);
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let document: unknown;
  try {
    document = parseExactJson(text);
  } catch (cause) {
    throw new HoldfastError('repository-damaged', 'a tree is not JSON', { cause });
  }
  const nodes = asRecord(document, 'a tree')['nodes'] ?? [];
  if (!Array.isArray(nodes)) throw new HoldfastError('repository-damaged', 'a tree lists no nodes');
  const decoded = nodes.map((node) => decodeNode(asRecord(node, 'a node'))).sort(compareNames);
  const twice = decoded.find(({ name }, at) => name === decoded[at + 1]?.name);
  if (twice === undefined) return decoded;
  throw new HoldfastError(
    'repository-damaged',
    `a tree holds the name ${JSON.stringify(displayName(twice.name))} twice`,
  );
}

const TYPES: readonly string[] = [
  'file',
  'dir',
  'symlink',
  'dev',
  'chardev',
  'fifo',
  'socket',
  'irregular',
] satisfies NodeType[];
type Kind = 'text' | 'number' | 'attributes' | 'decoded';
/** A map, since a member of a hostile tree may be named as what every object has. */
const KNOWN = new Map<string, Kind>([
  ['name', 'decoded'],
  ['type', 'decoded'],
  ['content', 'decoded'],
  ['subtree', 'decoded'],
  ['linktarget', 'decoded'],
  ['linktarget_raw', 'decoded'],
  ['mode', 'number'],
  ['mtime', 'text'],
  ['atime', 'text'],
  ['ctime', 'text'],
  ['uid', 'number'],
  ['gid', 'number'],
  ['user', 'text'],
  ['group', 'text'],
  ['inode', 'number'],
  ['device_id', 'number'],
  ['size', 'number'],
  ['links', 'number'],
  ['extended_attributes', 'attributes'],
  ['device', 'number'],
]);

function decodeNode(record: Record<string, unknown>): TreeNode {
  const { name, type, content, subtree, linktarget, linktarget_raw: rawTarget } = record;
  const decodedName = typeof name === 'string' ? goUnquote(name) : '';
  if (!isSafeName(decodedName)) {
    throw new HoldfastError('repository-damaged', `a tree holds the impossible name ${JSON.stringify(decodedName)}`, {
      hint: 'Such a name would lead a restore out of its target. The repository was damaged or tampered with.',
    });
  }
  if (typeof type !== 'string' || !TYPES.includes(type)) {
    throw new HoldfastError(
      'repository-damaged',
      `a tree holds an entry of the unknown type ${stringifyExactJson(type)}`,
    );
  }
  // A mode that is left out is 0, as Go leaves out zeros: a file that nobody may read.
  const node: TreeNode = { name: decodedName, type: type as NodeType, mode: 0, content: decodeContent(content) };
  if (typeof subtree === 'string' && ID_PATTERN.test(subtree)) node.subtree = subtree;
  else if (type === 'dir') {
    throw new HoldfastError(
      'repository-damaged',
      `a tree holds the directory ${displayName(decodedName)} without a tree`,
    );
  }
  if (typeof rawTarget === 'string') node.linktarget = byteString(Buffer.from(rawTarget, 'base64'));
  else if (typeof linktarget === 'string') node.linktarget = byteStringOfText(linktarget);
  return decodeRest(node, record);
}

/** The members that are taken over as they are. */
function decodeRest(node: TreeNode, record: Record<string, unknown>): TreeNode {
  const unknown: [string, unknown][] = [];
  for (const key of Object.keys(record)) {
    const kind = KNOWN.get(key);
    if (kind === 'decoded') continue;
    const value = record[key];
    if (kind === undefined) unknown.push([key, value]);
    else if (matches(kind, value)) (node as unknown as Record<string, unknown>)[key] = value;
    else throw new HoldfastError('repository-damaged', `a tree holds an entry with a malformed ${key}`);
  }
  if (unknown.length > 0) node.unknown = Object.fromEntries(unknown);
  return node;
}

function matches(kind: Exclude<Kind, 'decoded'>, value: unknown): boolean {
  if (kind === 'text') return typeof value === 'string';
  if (kind === 'attributes') return Array.isArray(value) && value.every(isAttribute);
  return (typeof value === 'number' && value >= 0) || (typeof value === 'bigint' && value >= 0n);
}

function isAttribute(item: { name?: unknown; name_raw?: unknown; value?: unknown } | null): boolean {
  const isTextOr = (value: unknown, other: unknown): boolean => typeof value === 'string' || value === other;
  return typeof item?.name === 'string' && isTextOr(item.name_raw, undefined) && isTextOr(item.value ?? null, null);
}

function decodeContent(content: unknown): string[] | null {
  if (content === null || content === undefined) return null;
  if (!Array.isArray(content) || !content.every((id) => typeof id === 'string' && ID_PATTERN.test(id))) {
    throw new HoldfastError('repository-damaged', 'a tree holds a file with a malformed content');
  }
  return content;
}
