import { type BigIntStats, constants } from 'node:fs';

/**
 * What a system says of a file, as a record of words: to put it down, compare it and send it to another thread takes no
 * object. Laid out as Linux's `struct statx` (include/uapi/linux/stat.h), which is the same on every processor; other
 * systems' answers are put into the same places.
 */

/** What the system says of an entry. Times are nanoseconds since 1970; what may be larger than 2^53 is exact. */
export interface FileStatus {
  dev: number | bigint;
  ino: number | bigint;
  /** Type and permissions, as the system has them. */
  mode: number | bigint;
  nlink: number | bigint;
  uid: number | bigint;
  gid: number | bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

/** As long as the system's own is. */
const STRUCT_BYTES = 256;
/** What of it says anything here, in words of four bytes. */
export const STATUS_WORDS = 36;

/** At which of these words something lies: the lower one, of two. */
export const STATUS_PLACES = {
  nlink: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  size: 10,
  ctime: 24,
  mtime: 28,
  deviceMajor: 34,
  deviceMinor: 35,
} as const;
const {
  nlink: NLINK,
  uid: UID,
  gid: GID,
  mode: MODE,
  inode: INO,
  size: SIZE,
  ctime: CTIME,
  mtime: MTIME,
  deviceMajor: DEVICE_MAJOR,
  deviceMinor: DEVICE_MINOR,
} = STATUS_PLACES;
/** Of a time: behind the seconds, which are two words. */
const NANOSECONDS = 2;
/** Two bytes follow it that say nothing. */
const MODE_BITS = 0xffff;

const NS_PER_SECOND = 1_000_000_000n;
const WORD = 2 ** 32;
/** A number of 64 bits is exact as long as its upper word is less. */
const EXACT_UPPER = 2 ** 21;

/** One record, and what is asked of it again and again. Words are little-endian, as the processors are that Node runs on. */
export class StatusRecord {
  readonly bytes = new Uint8Array(new ArrayBuffer(STRUCT_BYTES));
  readonly words = new Uint32Array(this.bytes.buffer, 0, STATUS_WORDS);

  get isFile(): boolean {
    return (this.words[MODE]! & constants.S_IFMT) === constants.S_IFREG;
  }

  /** Exact up to 2^53. */
  get sizeBytes(): number {
    return this.words[SIZE]! + this.words[SIZE + 1]! * WORD;
  }

  /** Whether size and time of the last change are the same. */
  tellsSameContent({ words }: StatusRecord): boolean {
    const own = this.words;
    return (
      own[SIZE] === words[SIZE] &&
      own[SIZE + 1] === words[SIZE + 1] &&
      own[MTIME] === words[MTIME] &&
      own[MTIME + 1] === words[MTIME + 1] &&
      own[MTIME + NANOSECONDS] === words[MTIME + NANOSECONDS]
    );
  }
}

/** What a record says. @param at which of the words is its first */
export function statusAt(words: Uint32Array, at = 0): FileStatus {
  return {
    dev: deviceOf(words[at + DEVICE_MAJOR]!, words[at + DEVICE_MINOR]!),
    ino: unsignedAt(words, at + INO),
    mode: words[at + MODE]! & MODE_BITS,
    nlink: words[at + NLINK]!,
    uid: words[at + UID]!,
    gid: words[at + GID]!,
    size: BigInt(unsignedAt(words, at + SIZE)),
    mtimeNs: timeAt(words, at + MTIME),
    ctimeNs: timeAt(words, at + CTIME),
  };
}

/** Puts down what Node says of a file. */
export function putStats({ words }: StatusRecord, stats: BigIntStats): void {
  words[NLINK] = Number(stats.nlink);
  words[UID] = Number(stats.uid);
  words[GID] = Number(stats.gid);
  words[MODE] = Number(stats.mode);
  putWords(words, INO, stats.ino);
  putWords(words, SIZE, stats.size);
  putTime(words, CTIME, stats.ctimeNs);
  putTime(words, MTIME, stats.mtimeNs);
  words[DEVICE_MAJOR] = Number(((stats.dev >> 32n) & 0xfffff000n) | ((stats.dev >> 8n) & 0xfffn));
  words[DEVICE_MINOR] = Number(((stats.dev >> 12n) & 0xffffff00n) | (stats.dev & 0xffn));
}

/** The device's number as stat(2) has it: glibc's `gnu_dev_makedev`. A number where it is exact. */
export function deviceOf(major: number, minor: number): number | bigint {
  if (major < 2 ** 12 && minor < 2 ** 8) return (major << 8) | minor;
  const [high, low] = [BigInt(major), BigInt(minor)];
  return unsigned(
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn),
  );
}

/** A number where it is exact. */
export function unsignedAt(words: Uint32Array, at: number): number | bigint {
  const [lower, upper] = [words[at]!, words[at + 1]!];
  return upper < EXACT_UPPER ? upper * WORD + lower : (BigInt(upper) << 32n) | BigInt(lower);
}

function unsigned(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Nanoseconds since 1970. */
export function timeAt(words: Uint32Array, at: number): bigint {
  const [lower, upper, nanoseconds] = [words[at]!, words[at + 1]! | 0, words[at + NANOSECONDS]!];
  const isExact = Math.abs(upper) < EXACT_UPPER;
  const seconds = isExact ? BigInt(upper * WORD + lower) : (BigInt(upper) << 32n) | BigInt(lower);
  return seconds * NS_PER_SECOND + BigInt(nanoseconds);
}

function putTime(words: Uint32Array, at: number, timeNs: bigint): void {
  const fraction = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  putWords(words, at, (timeNs - fraction) / NS_PER_SECOND);
  words[at + NANOSECONDS] = Number(fraction);
}

function putWords(words: Uint32Array, at: number, value: bigint): void {
  words[at] = Number(value & 0xffffffffn);
  words[at + 1] = Number((value >> 32n) & 0xffffffffn);
}
