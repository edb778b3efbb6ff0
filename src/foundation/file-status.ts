import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';

/**
 * What a system says of a file, as a record of bytes: to put it down, send it to another thread and compare it takes no
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
export const STATUS_BYTES = 256;

/** Where in it something lies. */
const NLINK = 16;
const UID = 20;
const GID = 24;
const MODE = 28;
const INO = 32;
const SIZE = 40;
const CTIME = 96;
const MTIME = 112;
const DEVICE_MAJOR = 136;
const DEVICE_MINOR = 140;
/** Of a time: seconds come first, in eight bytes. */
const NANOSECONDS = 8;

const NS_PER_SECOND = 1_000_000_000n;

/** One record, and what is asked of it again and again. */
export class StatusRecord {
  readonly bytes = new Uint8Array(new ArrayBuffer(STATUS_BYTES));
  readonly #view = new DataView(this.bytes.buffer);

  get isFile(): boolean {
    return (this.#view.getUint16(MODE, true) & constants.S_IFMT) === constants.S_IFREG;
  }

  /** Exact up to 2^53. */
  get sizeBytes(): number {
    return this.#view.getUint32(SIZE, true) + this.#view.getUint32(SIZE + 4, true) * 2 ** 32;
  }

  /** Whether size and time of the last change are the same. */
  tellsSameContent(other: StatusRecord): boolean {
    for (const at of [SIZE, SIZE + 4, MTIME, MTIME + 4, MTIME + NANOSECONDS]) {
      if (this.#view.getUint32(at, true) !== other.#view.getUint32(at, true)) return false;
    }
    return true;
  }
}

/** What a record says. @param at where in the bytes it begins */
export function statusAt(records: Uint8Array, at: number): FileStatus {
  const view = new DataView(records.buffer, records.byteOffset + at, STATUS_BYTES);
  return {
    dev: unsigned(deviceOf(view.getUint32(DEVICE_MAJOR, true), view.getUint32(DEVICE_MINOR, true))),
    ino: unsigned(view.getBigUint64(INO, true)),
    mode: view.getUint16(MODE, true),
    nlink: view.getUint32(NLINK, true),
    uid: view.getUint32(UID, true),
    gid: view.getUint32(GID, true),
    size: view.getBigUint64(SIZE, true),
    mtimeNs: timeAt(view, MTIME),
    ctimeNs: timeAt(view, CTIME),
  };
}

/** Puts down what Node says of a file. */
export function putStats(record: Uint8Array, stats: BigIntStats): void {
  const view = new DataView(record.buffer, record.byteOffset, STATUS_BYTES);
  view.setUint32(NLINK, Number(stats.nlink), true);
  view.setUint32(UID, Number(stats.uid), true);
  view.setUint32(GID, Number(stats.gid), true);
  view.setUint16(MODE, Number(stats.mode), true);
  view.setBigUint64(INO, stats.ino, true);
  view.setBigUint64(SIZE, stats.size, true);
  putTime(view, CTIME, stats.ctimeNs);
  putTime(view, MTIME, stats.mtimeNs);
  view.setUint32(DEVICE_MAJOR, Number(((stats.dev >> 32n) & 0xfffff000n) | ((stats.dev >> 8n) & 0xfffn)), true);
  view.setUint32(DEVICE_MINOR, Number(((stats.dev >> 12n) & 0xffffff00n) | (stats.dev & 0xffn)), true);
}

/** The device's number as stat(2) has it: glibc's `gnu_dev_makedev`. */
function deviceOf(major: number, minor: number): bigint {
  if (major < 2 ** 12 && minor < 2 ** 8) return BigInt((major << 8) | minor);
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

function timeAt(view: DataView, at: number): bigint {
  return view.getBigInt64(at, true) * NS_PER_SECOND + BigInt(view.getUint32(at + NANOSECONDS, true));
}

function putTime(view: DataView, at: number, timeNs: bigint): void {
  const fraction = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  view.setBigInt64(at, (timeNs - fraction) / NS_PER_SECOND, true);
  view.setUint32(at + NANOSECONDS, Number(fraction), true);
}

/** A number where it is exact. */
function unsigned(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
