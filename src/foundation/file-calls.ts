import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { constants as system } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { systemCode } from './errors.ts';
import { putStats, StatusRecord, statusAt } from './file-status.ts';
import { nativeErrno, nativeFunctionIfThere } from './native-library.ts';
import { systemError } from './posix.ts';

/**
 * What it takes to read many small files one after the other. Node makes objects and numbers of 64 bits of each answer, which
 * takes as long as the system does; Linux's own calls, where they are to be had, put it where it is wanted. A failure is
 * thrown as Node throws its own.
 */
export interface FileCalls {
  /**
   * Opens a regular file for reading. Another entry may have taken its place: a link is not followed, and what waits for a
   * writer is not waited for.
   * @param path a part of larger memory, in which a NUL follows it
   */
  open(path: Uint8Array): number;
  /** Puts down what the system says of an open file. */
  examine(descriptor: number, record: StatusRecord): void;
  /** Reads on from where the last call ended, into `room` and never beyond. @returns how many bytes: none at the end */
  read(descriptor: number, room: Uint8Array, mostBytes: number): number;
  close(descriptor: number): void;
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** By Node alone. */
export const portableFileCalls: FileCalls = {
  open: (path) => openSync(Buffer.from(path.buffer, path.byteOffset, path.byteLength), FLAGS),
  examine: (descriptor, record) => putStats(record, fstatSync(descriptor, { bigint: true })),
  read: (descriptor, room, mostBytes) => readSync(descriptor, room, 0, Math.min(mostBytes, room.length), null),
  close: closeSync,
};

let found: FileCalls | undefined;

/** The cheapest that this system has. */
export function fileCalls(): FileCalls {
  found ??= linuxFileCalls() ?? portableFileCalls;
  return found;
}

const { EINTR } = system.errno;
/** Not among Node's constants; the same on x64 and arm64. */
const O_CLOEXEC = 0o2000000;
/** statx(2): of the open file itself, and all that stat(2) would say. */
const AT_EMPTY_PATH = 0x1000;
const BASIC_STATUS = 0x7ff;
const EMPTY_PATH = Buffer.alloc(1);

interface NativeCalls {
  open(path: Uint8Array, flags: number): number;
  statx(descriptor: number, path: Uint8Array, flags: number, mask: number, record: Uint8Array): number;
  read(descriptor: number, room: Uint8Array, mostBytes: number): number;
  close(descriptor: number): number;
}

/** Undefined where the system has other calls, or lets nobody make these: sandboxes that know no statx refuse it. */
export function linuxFileCalls(): FileCalls | undefined {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
  const open = nativeFunctionIfThere<NativeCalls['open']>('int open(const void *, int)');
  const statx = nativeFunctionIfThere<NativeCalls['statx']>('int statx(int, const void *, int, unsigned int, void *)');
  const read = nativeFunctionIfThere<NativeCalls['read']>('long read(int, void *, size_t)');
  const close = nativeFunctionIfThere<NativeCalls['close']>('int close(int)');
  if (open === undefined || statx === undefined || read === undefined || close === undefined) return undefined;
  const calls = callsOf({ open, statx, read, close });
  return saysWhatNodeSays(calls) ? calls : undefined;
}

function callsOf({ open, statx, read, close }: NativeCalls): FileCalls {
  return {
    open(path) {
      for (;;) {
        const descriptor = open(path, FLAGS | O_CLOEXEC);
        if (descriptor >= 0) return descriptor;
        if (nativeErrno() !== EINTR) throw systemError('open', path);
      }
    },
    examine(descriptor, { bytes }) {
      if (statx(descriptor, EMPTY_PATH, AT_EMPTY_PATH, BASIC_STATUS, bytes) < 0) throw failure('fstat', descriptor);
    },
    read(descriptor, room, mostBytes) {
      for (;;) {
        const bytes = read(descriptor, room, Math.min(mostBytes, room.length));
        if (bytes >= 0) return bytes;
        if (nativeErrno() !== EINTR) throw failure('read', descriptor);
      }
    },
    close(descriptor) {
      // Linux has closed it whatever it says, and nothing was written: close(2).
      close(descriptor);
    },
  };
}

/** Of the directory that all others are in. */
function saysWhatNodeSays(calls: FileCalls): boolean {
  try {
    const [said, known] = [new StatusRecord(), new StatusRecord()];
    const descriptor = calls.open(Buffer.from('/\0').subarray(0, 1));
    try {
      calls.examine(descriptor, said);
      portableFileCalls.examine(descriptor, known);
    } finally {
      calls.close(descriptor);
    }
    return isDeepStrictEqual(statusAt(said.words), statusAt(known.words));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return false;
  }
}

function failure(syscall: string, descriptor: number): Error {
  return systemError(syscall, Buffer.from(`descriptor ${descriptor}`));
}
