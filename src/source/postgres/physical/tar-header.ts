import { displayName } from '../../../format/index.ts';
import { HoldfastError } from '../../../foundation/errors.ts';

export const BLOCK_BYTES = 512;

/** What a tar archive says of an entry before its content. */
export interface TarEntry {
  type: 'file' | 'directory' | 'symlink';
  /** Relative, without `.` and `..`, a byte string. */
  path: string;
  sizeBytes: number;
  /** The permissions: 0o7777 at most. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  modifiedSeconds: number;
  /** Of a symbolic link, a byte string. */
  linkTarget: string;
}

/** A relation's segment has 1 GB by default; no file of a cluster has more than this. */
const MAX_FILE_BYTES = 2 ** 50;
const CHECKSUM_FIELD = { start: 148, end: 156 };
const TYPES: Record<string, TarEntry['type']> = { '0': 'file', '\0': 'file', '5': 'directory', '2': 'symlink' };

/**
 * Reads a header, and believes none of it before it has been checked: it comes from a server that may be somebody else's.
 * @param block of 512 bytes
 * @returns undefined for a block of zeros, which ends an archive
 * @throws archive-damaged
 * Source: POSIX, pax, "ustar Interchange Format"; PostgreSQL's src/port/tar.c, which writes numbers that are too large for
 * octal digits in base 256, as GNU tar does.
 */
export function readTarHeader(block: Buffer): TarEntry | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (octal(block.subarray(CHECKSUM_FIELD.start, CHECKSUM_FIELD.end)) !== checksumOf(block)) {
    throw damaged('a header has a wrong checksum');
  }
  if (text(block.subarray(257, 262)) !== 'ustar') throw damaged('a header is not of the format ustar');
  const type = TYPES[String.fromCharCode(block[156]!)];
  const prefix = text(block.subarray(345, 500));
  const name = text(block.subarray(0, 100));
  const path = checkedPath(prefix === '' ? name : `${prefix}/${name}`);
  if (type === undefined) throw damaged('an entry is neither file, directory nor symbolic link', path);
  const sizeBytes = number(block.subarray(124, 136), path);
  if (sizeBytes > MAX_FILE_BYTES) throw damaged(`an entry has the size ${sizeBytes}`, path);
  if (type !== 'file' && sizeBytes !== 0) throw damaged('an entry without content has a size', path);
  return {
    type,
    path,
    sizeBytes,
    mode: number(block.subarray(100, 108), path) % 0o10000,
    uid: number(block.subarray(108, 116), path),
    gid: number(block.subarray(116, 124), path),
    modifiedSeconds: number(block.subarray(136, 148), path),
    linkTarget: type === 'symlink' ? text(block.subarray(157, 257)) : '',
  };
}

/** What a header of this path and size would be at fault for, said as an error. */
export function damaged(reason: string, path?: string): HoldfastError {
  return new HoldfastError('archive-damaged', `the server sent an archive that cannot be right: ${reason}`, {
    hint: 'Run the backup again. If this comes back, see what stands between Holdfast and the server.',
    context: path === undefined ? {} : { path: displayName(path) },
  });
}

/** The path without a `./` before it and a `/` behind it. */
function checkedPath(path: string): string {
  const parts = path.replace(/^\.\//, '').replace(/\/$/, '').split('/');
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..')) return parts.join('/');
  throw damaged('a path leads out of the data directory, or nowhere', path);
}

/** The sum of all bytes, where those of the checksum itself count as spaces. */
function checksumOf(block: Buffer): number {
  let sum = 0x20 * (CHECKSUM_FIELD.end - CHECKSUM_FIELD.start);
  for (let at = 0; at < BLOCK_BYTES; at++) {
    if (at < CHECKSUM_FIELD.start || at >= CHECKSUM_FIELD.end) sum += block[at]!;
  }
  return sum;
}

function number(field: Buffer, path: string): number {
  const value = field[0] === 0x80 ? base256(field) : octal(field);
  if (Number.isSafeInteger(value)) return value;
  throw damaged('a header holds something that is no number', path);
}

function octal(field: Buffer): number {
  const digits = text(field).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

function base256(field: Buffer): number {
  let value = 0;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

/** Up to the first NUL, as a byte string. */
function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? field.length : end);
}
