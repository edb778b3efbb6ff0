import { systemCode } from './errors.ts';
import { nativeFunctionIfThere } from './native-library.ts';
import { cString, systemError } from './posix.ts';

/**
 * Extended attributes of files, directories, links and whatever else there is, with access control lists among them: Linux's
 * calls that follow no link. Elsewhere nothing has any. A failure is thrown as Node throws its own.
 */

interface Calls {
  list(path: Uint8Array, names: Uint8Array, length: number): number;
  get(path: Uint8Array, name: Uint8Array, value: Uint8Array, length: number): number;
  listOpen(descriptor: number, names: Uint8Array, length: number): number;
  getOpen(descriptor: number, name: Uint8Array, value: Uint8Array, length: number): number;
  set(path: Uint8Array, name: Uint8Array, value: Uint8Array, length: number, flags: number): number;
  remove(path: Uint8Array, name: Uint8Array): number;
}
let loaded: Calls | undefined | 'none';

function calls(): Calls | undefined {
  loaded ??= load() ?? 'none';
  return loaded === 'none' ? undefined : loaded;
}

function load(): Calls | undefined {
  if (process.platform !== 'linux') return undefined;
  const list = nativeFunctionIfThere<Calls['list']>('long llistxattr(const void *, void *, size_t)');
  const get = nativeFunctionIfThere<Calls['get']>('long lgetxattr(const void *, const void *, void *, size_t)');
  const listOpen = nativeFunctionIfThere<Calls['listOpen']>('long flistxattr(int, void *, size_t)');
  const getOpen = nativeFunctionIfThere<Calls['getOpen']>('long fgetxattr(int, const void *, void *, size_t)');
  const set = nativeFunctionIfThere<Calls['set']>(
    'int lsetxattr(const void *, const void *, const void *, size_t, int)',
  );
  const remove = nativeFunctionIfThere<Calls['remove']>('int lremovexattr(const void *, const void *)');
  const isComplete = list && get && listOpen && getOpen && set && remove;
  return isComplete ? { list, get, listOpen, getOpen, set, remove } : undefined;
}

/** Linux allows no longer lists of names, and no longer values: xattr(7). One for all calls: most entries have none. */
const room = Buffer.allocUnsafeSlow(64 * 1024);
const NONE: readonly never[] = [];

export interface ExtendedAttribute {
  name: Buffer;
  value: Buffer;
}

/** The attributes of an entry, in the system's order. Buffers are the caller's. */
export function readAttributes(path: Uint8Array): readonly ExtendedAttribute[] {
  const system = calls();
  if (system === undefined) return NONE;
  const terminated = cString(path);
  const length = system.list(terminated, room, room.length);
  if (length === 0) return NONE;
  if (length < 0) return orNone(systemError('llistxattr', path), 'ENOTSUP');
  const get = (name: Buffer): number => system.get(terminated, cString(name), room, room.length);
  return valuesOf(room.subarray(0, length), get, () => systemError('lgetxattr', path));
}

/** The same of an open file. @param path as errors name it */
export function readOpenFileAttributes(descriptor: number, path: Uint8Array): readonly ExtendedAttribute[] {
  const system = calls();
  if (system === undefined) return NONE;
  const length = system.listOpen(descriptor, room, room.length);
  if (length === 0) return NONE;
  if (length < 0) return orNone(systemError('flistxattr', path), 'ENOTSUP');
  const get = (name: Buffer): number => system.getOpen(descriptor, cString(name), room, room.length);
  return valuesOf(room.subarray(0, length), get, () => systemError('fgetxattr', path));
}

/** @param get puts a value into `room` */
function valuesOf(list: Buffer, get: (name: Buffer) => number, failure: () => Error): readonly ExtendedAttribute[] {
  return namesOf(list).flatMap((name) => {
    const valueBytes = get(name);
    // One that was removed since is not there.
    if (valueBytes < 0) return orNone(failure(), 'ENODATA');
    return { name, value: Buffer.from(room.subarray(0, valueBytes)) };
  });
}

/** Sets one attribute. */
export function setAttribute(path: Uint8Array, name: Uint8Array, value: Uint8Array): void {
  const result = calls()?.set(cString(path), cString(name), value, value.length, 0);
  if (result === undefined) throw new Error('this system has no extended attributes');
  if (result < 0) throw systemError('lsetxattr', path);
}

/** Removes one attribute; one that is not there is no error. */
export function removeAttribute(path: Uint8Array, name: Uint8Array): void {
  const result = calls()?.remove(cString(path), cString(name)) ?? 0;
  if (result < 0) orNone(systemError('lremovexattr', path), 'ENODATA');
}

function orNone(error: Error, expected: string): readonly never[] {
  if (systemCode(error) === expected) return NONE;
  throw error;
}

/** A list of names, each ended by a NUL. */
function namesOf(list: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start);
    names.push(Buffer.from(list.subarray(start, end)));
    start = end + 1;
  }
  return names;
}
