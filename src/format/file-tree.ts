import { groupName, userName } from '../foundation/account-names.ts';
import { deviceOf, STATUS_PLACES, STATUS_WORDS, timeAt, unsignedAt } from '../foundation/file-status.ts';
import { ByteText } from './byte-text.ts';
import { goJsonString } from './exact-json.ts';
import { goMode } from './file-mode.ts';
import { goQuote } from './go-quote.ts';
import { ID_BYTES } from './index-columns.ts';
import { formatTime } from './time.ts';
import { byteString } from './tree-node.ts';

/**
 * The tree of a directory that has nothing but files without attributes, straight from what the system said of each: the bytes
 * that `encodeTree` makes of their nodes, without an object and a dozen texts for each.
 */

/** What was read of files, in the order of their names. */
export interface FileColumns {
  count: number;
  /** Each ended by a NUL. */
  paths: Uint8Array;
  /** A record of `STATUS_WORDS` for each. */
  status: Uint32Array;
  sizesBytes: Float64Array;
  /** The ids of their blobs, `ID_BYTES` each, and how many of them each file has. */
  ids: Uint8Array;
  blobCounts: Uint32Array;
}

/** The tree's bytes, valid until the next call. */
export function encodeFileTree({ count, paths, status, sizesBytes, ids, blobCounts }: FileColumns): Uint8Array {
  out.clear();
  out.add(OPENING);
  let begin = 0;
  let blob = 0;
  for (let index = 0; index < count; index++) {
    const end = paths.indexOf(0, begin);
    out.add(index === 0 ? FIRST_NAME : NEXT_NAME);
    addName(paths, paths.lastIndexOf(SLASH, end) + 1, end);
    addStatus(status, index * STATUS_WORDS, sizesBytes[index]!);
    addContent(ids, blob, blob + blobCounts[index]!);
    begin = end + 1;
    blob += blobCounts[index]!;
  }
  out.add(CLOSING);
  return out.taken;
}

const piece = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const [OPENING, CLOSING] = [piece('{"nodes":['), piece(']}\n')];
const [FIRST_NAME, NEXT_NAME, QUOTE] = [piece('{"name":'), piece(',{"name":'), piece('"')];
const [ATIME, CTIME, ZONE] = [piece('","atime":"'), piece('","ctime":"'), piece('Z')];
const [INODE, SIZE, LINKS] = [piece(',"inode":'), piece(',"size":'), piece(',"links":')];
const [NO_CONTENT, CONTENT, NEXT_ID, END_OF_CONTENT] = [
  piece(',"content":[]}'),
  piece(',"content":["'),
  piece('","'),
  piece('"]}'),
];
const out = new ByteText();

const SLASH = 0x2f;
/** For each byte, whether it stands in a tree as it does in a name: neither Go's quoting nor JSON escapes it. */
const PLAIN = Array.from({ length: 256 }, (_, byte) => goJsonString(goQuote(String.fromCharCode(byte))).length === 3);

function isPlain(bytes: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin; at < end; at++) if (!PLAIN[bytes[at]!]) return false;
  return true;
}

function addName(paths: Uint8Array, begin: number, end: number): void {
  if (isPlain(paths, begin, end)) {
    out.add(QUOTE);
    out.addPart(paths, begin, end);
    out.add(QUOTE);
  } else out.addText(goJsonString(goQuote(byteString(paths.subarray(begin, end)))));
}

/** What files in the same directory mostly have in common is made once. */
const typeAndMode = lastPiece((mode) => `,"type":"file"${numberOf('mode', goMode(mode))},"mtime":"`);
const owners = lastPiece((uid, gid) => {
  const [user, group] = [userName(uid), groupName(gid)];
  const names = `${user && `,"user":${goJsonString(user)}`}${group && `,"group":${goJsonString(group)}`}`;
  return `","uid":${uid},"gid":${gid}${names}`;
});
const devices = lastPiece((major, minor) => numberOf('device_id', deviceOf(major, minor)));

/** All that is between the name and the content. @param at which of the words is the first that was said of the file */
function addStatus(words: Uint32Array, at: number, sizeBytes: number): void {
  const { mode, mtime, ctime, uid, gid, inode, deviceMajor, deviceMinor, nlink } = STATUS_PLACES;
  out.add(typeAndMode(words[at + mode]! & 0xffff, 0));
  const begin = out.length;
  addTime(words, at + mtime);
  const end = out.length;
  out.add(ATIME);
  out.addAgain(begin, end);
  out.add(CTIME);
  addTime(words, at + ctime);
  out.add(owners(words[at + uid]!, words[at + gid]!));
  addNumber(INODE, 'inode', unsignedAt(words, at + inode));
  out.add(devices(words[at + deviceMajor]!, words[at + deviceMinor]!));
  addNumber(SIZE, 'size', sizeBytes);
  addNumber(LINKS, 'links', words[at + nlink]!);
}

function addNumber(member: Uint8Array, key: string, value: number | bigint): void {
  if (typeof value === 'bigint') out.addText(numberOf(key, value));
  else if (value > 0) {
    out.add(member);
    out.addDigits(value);
  }
}

/** Zeros are left out. */
function numberOf(key: string, value: number | bigint): string {
  return value ? `,"${key}":${value}` : '';
}

/** What files have in common with the one before them is made once. */
function lastPiece(make: (first: number, second: number) => string): (first: number, second: number) => Uint8Array {
  let known = { first: -1, second: -1, made: piece('') };
  return (first, second) => {
    if (known.first !== first || known.second !== second) known = { first, second, made: piece(make(first, second)) };
    return known.made;
  };
}

const wholeSeconds = lastPiece((seconds) => formatTime(BigInt(seconds) * 1_000_000_000n).slice(0, -1));

/** @param at which of the words is the time's first */
function addTime(words: Uint32Array, at: number): void {
  const [seconds, upper, nanoseconds] = [words[at]!, words[at + 1]!, words[at + 2]!];
  // The others are before 1970, or from 2106 on.
  if (upper === 0) {
    out.add(wholeSeconds(seconds, 0));
    if (nanoseconds > 0) out.addFraction(nanoseconds);
    out.add(ZONE);
  } else out.addText(formatTime(timeAt(words, at)));
}

function addContent(ids: Uint8Array, begin: number, end: number): void {
  for (let id = begin; id < end; id++) {
    out.add(id === begin ? CONTENT : NEXT_ID);
    out.addHex(ids, id * ID_BYTES, (id + 1) * ID_BYTES);
  }
  out.add(begin === end ? NO_CONTENT : END_OF_CONTENT);
}
