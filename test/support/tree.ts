/** Directories with everything that a Unix tree may hold, and what is to be compared of them. */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { byteString, byteStringOfText, bytesOf } from '../../src/format/index.ts';
import { systemCode } from '../../src/foundation/errors.ts';
import { readAttributes, setAttribute } from '../../src/foundation/extended-attributes.ts';
import { makeSpecialFile, setTimes } from '../../src/foundation/posix.ts';
import { noise } from './repository.ts';

/** What is compared of an entry. */
export interface TreeEntry {
  type: number;
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  /** Of a link, a byte string. */
  target?: string;
  /** Of a file. */
  digest?: string;
  sizeBytes?: bigint;
  /** The first path that is the same file, where there are several. */
  sameAs?: string;
  device?: bigint;
  /** Extended attributes, access control lists among them: values (base64) by name (byte strings), where there are any. */
  attributes?: Record<string, string>;
}

const isRoot = process.getuid?.() === 0;

/** A path below `directory`, given as a byte string, as bytes. */
export function pathIn(directory: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), bytesOf(path)]);
}

/** Names that are hard on somebody. */
export const HARD_NAMES = [
  'with space',
  'new\nline',
  'quote"s and \'s',
  'back\\slash',
  'dollar$and`tick',
  '-dash',
  ' ',
  '...',
  '.holdfast',
  '*',
  '\x01\x1b[31m',
  'tab\t',
  '\\x41',
  byteStringOfText('Grüße, 世界 🌍'),
  byteStringOfText('e\u0301'),
  'caf\xe9',
  '\xff\xfe',
  '\xed\xa0\x80',
  'x'.repeat(255),
];

/** Fills a directory, which must exist, with one of everything. As root, with owners and devices too. */
export function plantTree(directory: string): void {
  const at = (path: string): Buffer => pathIn(directory, path);
  const file = (path: string, content: string | Uint8Array = path, mode = 0o644): void => {
    writeFileSync(at(path), content);
    chmodSync(at(path), mode);
  };
  for (const path of ['names', 'modes', 'links', 'special', 'empty', 'deep', 'sizes', '.holdfast']) mkdirSync(at(path));
  for (const name of HARD_NAMES) {
    file(`names/${name}`);
    mkdirSync(at(`names/${name.slice(0, 250)}.dir`));
    file(`names/${name.slice(0, 250)}.dir/inside`);
  }
  file('.holdfast/manifest.json', 'of the user');
  for (const mode of [0o000, 0o400, 0o644, 0o777, 0o4755, 0o2755, 0o1644, 0o6711])
    file(`modes/${mode.toString(8)}`, 'x', mode);
  mkdirSync(at('modes/sticky'));
  chmodSync(at('modes/sticky'), 0o1777);
  mkdirSync(at('modes/closed'));
  file('modes/closed/inside');
  chmodSync(at('modes/closed'), 0o500);
  plantLinks(at, file);
  plantAttributes(at, file);
  plantSizes(at, file);
  mkdirSync(at(`deep/${Array.from({ length: 40 }, (_, level) => `level${level}`).join('/')}`), { recursive: true });
  makeSpecialFile(at('special/fifo'), 0o010640, 0n);
  if (isRoot) {
    makeSpecialFile(at('special/null'), 0o020666, 0x103n);
    makeSpecialFile(at('special/block'), 0o060600, 0x700n);
    // As an overlay marks what was deleted in it.
    makeSpecialFile(at('special/whiteout'), 0o020000, 0n);
    makeSpecialFile(at('special/socket'), 0o140755, 0n);
    for (const [path, uid, gid] of [
      ['sizes/1', 1234, 5678],
      ['links/dangling', 65534, 0],
      ['special/fifo', 1, 2],
      ['empty', 4_000_000_000, 3],
    ] as const)
      lchownSync(at(path), uid, gid);
    lchownSync(at('modes/6711'), 33, 33);
    chmodSync(at('modes/6711'), 0o6711);
  }
  plantTimes(directory);
}

type PlantFile = (path: string, content?: string | Uint8Array, mode?: number) => void;

function plantLinks(at: (path: string) => Buffer, file: PlantFile): void {
  file('links/one', 'one file');
  linkSync(at('links/one'), at('links/two'));
  linkSync(at('links/one'), at('links/.three'));
  linkSync(at('links/one'), at('empty.link'));
  for (const [name, target] of [
    ['relative', 'one'],
    ['dangling', 'no/such/thing'],
    ['to-directory', '../names'],
    ['to-itself', 'to-itself'],
    ['absolute', '/etc/passwd'],
    ['not-utf8', 'caf\xe9/\xff'],
    ['with-newline', 'a\nb<>&'],
  ] as const)
    symlinkSync(bytesOf(target), at(`links/${name}`));
}

/** An access control list as the kernel has it: the owner, user 1234, the group, a mask, the others. */
export const ACCESS_LIST = Buffer.from('AgAAAAEABgD/////AgAEANIEAAAEAAQA/////xAABgD/////IAAEAP////8=', 'base64');

function plantAttributes(at: (path: string) => Buffer, file: PlantFile): void {
  const set = (path: string, name: string, value: Uint8Array): void => setAttribute(at(path), Buffer.from(name), value);
  mkdirSync(at('attributes'));
  mkdirSync(at('attributes/directory'));
  file('attributes/file');
  file('attributes/read-only', 'x');
  try {
    set('attributes/file', 'user.text', Buffer.from('some text'));
    set('attributes/file', 'user.Grüße', noise(2000));
    set('attributes/file', 'user.empty', Buffer.alloc(0));
    set('attributes/file', 'system.posix_acl_access', ACCESS_LIST);
    set('attributes/read-only', 'user.of', Buffer.from('a file that nobody may write to'));
    set('attributes/directory', 'user.of', Buffer.from('a directory'));
    set('attributes/directory', 'system.posix_acl_default', ACCESS_LIST);
    if (isRoot) set('attributes/file', 'trusted.root', Buffer.from('only'));
  } catch (error) {
    // There are file systems that keep none: then there is nothing to be compared.
    if (systemCode(error) !== 'ENOTSUP') throw error;
  }
  chmodSync(at('attributes/read-only'), 0o444);
}

function plantSizes(at: (path: string) => Buffer, file: PlantFile): void {
  for (const size of [0, 1, 511, 4096, 65_537]) file(`sizes/${size}`, noise(size, size));
  file('sizes/large', noise(5_000_000));
  file('sizes/text', 'the same line over and over\n'.repeat(50_000));
  // As an empty directory's tree has it.
  file('sizes/like-a-tree', '{"nodes":[]}\n');
  const sparse = openSync(at('sizes/sparse'), 'w');
  writeSync(sparse, noise(1000), 0, 1000, 0);
  writeSync(sparse, noise(1000, 2), 0, 1000, 20_000_000);
  closeSync(sparse);
}

/** Times with nanoseconds, before 1970, and far away; children before their directories. */
function plantTimes(directory: string): void {
  const times = [1_700_000_000_123_456_789n, -1_000_000_001n, 1n, 4_000_000_000_999_999_999n, 946_684_800_000_000_000n];
  let index = 0;
  for (const path of [...pathsIn(directory)].reverse()) {
    const time = times[index++ % times.length]!;
    setTimes(pathIn(directory, path), time, time);
  }
}

/** Every path below a directory as a byte string, parents first. */
export function* pathsIn(directory: string, prefix = ''): Iterable<string> {
  const parent = prefix === '' ? Buffer.from(directory) : pathIn(directory, prefix);
  for (const name of readdirSync(parent, { encoding: 'buffer' }).map(byteString).sort()) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    yield path;
    if (lstatSync(pathIn(directory, path)).isDirectory()) yield* pathsIn(directory, path);
  }
}

/** Everything that is below a directory, by path (a byte string). Reading it as another user than its owner may fail. */
export function describeTree(directory: string): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  const firstNames = new Map<bigint, string>();
  for (const path of pathsIn(directory)) entries.set(path, describeEntry(pathIn(directory, path), path, firstNames));
  return entries;
}

function describeEntry(path: Buffer, name: string, firstNames: Map<bigint, string>): TreeEntry {
  const stats = lstatSync(path, { bigint: true });
  const entry: TreeEntry = {
    type: Number(stats.mode) & 0o170000,
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeNs: stats.mtimeNs,
  };
  const attributes = readAttributes(path).map(({ name: key, value }) => [byteString(key), value.toString('base64')]);
  if (attributes.length > 0) entry.attributes = Object.fromEntries(attributes);
  if (stats.isSymbolicLink()) return { ...entry, target: byteString(readlinkSync(path, { encoding: 'buffer' })) };
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return { ...entry, device: stats.rdev };
  if (!stats.isFile()) return entry;
  const first = firstNames.get(stats.ino);
  firstNames.set(stats.ino, first ?? name);
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { ...entry, digest, sizeBytes: stats.size, ...(first !== undefined && { sameAs: first }) };
}

/** The part of a restored tree that came from `directory`: snapshots of files hold whole paths. */
export function restoredAt(target: string, directory: string): string {
  return `${target}${directory}`;
}

/** Directories that lead to `directory` within a target, which are made again too. */
export function parentsOf(directory: string): string[] {
  const parent = dirname(directory);
  return parent === directory ? [] : [...parentsOf(parent), directory];
}
