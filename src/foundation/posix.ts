import { getSystemErrorName } from 'node:util';
import { nativeErrno, nativeFunction, nativeFunctionIfThere } from './native-library.ts';

/**
 * The few system calls that Node does not offer: times to the nanosecond, and special files.
 * Paths are bytes; a failure is thrown as Node throws its own, with `code` (`EPERM` …), `errno` and `syscall`.
 */

const AT_FDCWD = process.platform === 'darwin' ? -2 : -100;
const AT_SYMLINK_NOFOLLOW = process.platform === 'darwin' ? 0x20 : 0x100;

interface Calls {
  utimensat(directory: number, path: Uint8Array, times: BigInt64Array, flags: number): number;
  futimens(descriptor: number, times: BigInt64Array): number;
  mknod(path: Uint8Array, mode: number, device: bigint): number;
  /** glibc's alone. */
  mallocTrim: ((keptBytes: number) => number) | undefined;
  /** glibc's alone. */
  mallopt: ((parameter: number, value: number) => number) | undefined;
}
let loaded: Calls | undefined;

function calls(): Calls {
  loaded ??= {
    utimensat: nativeFunction('int utimensat(int, const void *, const void *, int)'),
    futimens: nativeFunction('int futimens(int, const void *)'),
    mknod: nativeFunction(
      `int mknod(const void *, unsigned int, ${process.platform === 'darwin' ? 'int' : 'uint64_t'})`,
    ),
    mallocTrim: nativeFunctionIfThere('int malloc_trim(size_t)'),
    mallopt: nativeFunctionIfThere('int mallopt(int, int)'),
  };
  return loaded;
}

/** Sets when a file, or a link itself, was read and changed last: nanoseconds since 1970. */
export function setTimes(path: Uint8Array, accessedNs: bigint, modifiedNs: bigint): void {
  const second = 1_000_000_000n;
  const parts = [accessedNs, modifiedNs].flatMap((time) => {
    const fraction = ((time % second) + second) % second;
    return [(time - fraction) / second, fraction];
  });
  const { utimensat } = calls();
  check(utimensat(AT_FDCWD, cString(path), BigInt64Array.from(parts), AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/** The same of an open file. @param times seconds and nanoseconds since 1970 of the last access, then of the last change */
export function setOpenFileTimes(descriptor: number, times: BigInt64Array): void {
  check(calls().futimens(descriptor, times), 'futimens', Buffer.from(`descriptor ${descriptor}`));
}

/** Makes a device, FIFO or socket. @param systemMode `st_mode`: type and permissions */
export function makeSpecialFile(path: Uint8Array, systemMode: number, device: bigint): void {
  check(calls().mknod(cString(path), systemMode, device), 'mknod', path);
}

/**
 * Gives memory that was freed back to the system, where the system's allocator keeps it: after many buffers came and went,
 * that is tens of MiB. Elsewhere nothing happens.
 */
export function trimMemory(): void {
  calls().mallocTrim?.(0);
}

const MMAP_THRESHOLD = -3;
/** Below, memory that is had from the system anew each time costs more than it saves. */
const LARGE_BYTES = 2 * 1024 * 1024;

/**
 * Has the system's allocator give large buffers back to the system as they are freed, from here on. Left to itself it keeps
 * them once it has seen some come and go, for each thread its own, up to 32 MiB a piece ("mallopt(3)", M_MMAP_THRESHOLD).
 * Elsewhere than with glibc nothing happens.
 */
export function giveBackLargeBuffers(): void {
  calls().mallopt?.(MMAP_THRESHOLD, LARGE_BYTES);
}

/** Bytes as C takes text. */
export function cString(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, NUL]);
}

const NUL = Buffer.of(0);

function check(result: number, syscall: string, path: Uint8Array): void {
  if (result !== 0) throw systemError(syscall, path);
}

/** The error of the last native call of this thread, as Node throws its own. */
export function systemError(syscall: string, path: Uint8Array): Error {
  const errno = nativeErrno();
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${syscall} '${Buffer.from(path).toString('utf8')}'`), {
    code,
    errno,
    syscall,
  });
}
