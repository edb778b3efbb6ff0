import { closeSync } from 'node:fs';
import { endianness } from 'node:os';
import { nativeErrno, nativeFunctionIfThere } from './native-library.ts';
import { cString, systemError } from './posix.ts';

/**
 * Linux's own notice of what changes in directories: inotify(7). Node's `fs.watch` tells nothing of what the system could not
 * keep up with, nor of names that are no text; here a queue that ran over is an event like any other.
 */

/** What happened, as the bits of an event's mask. */
export const INOTIFY = {
  modify: 0x2,
  attributes: 0x4,
  writtenAndClosed: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  remove: 0x200,
  removeSelf: 0x400,
  moveSelf: 0x800,
  unmount: 0x2000,
  /** The system could not keep all that happened: anything may have changed. Of no watch. */
  overflow: 0x4000,
  /** The watch is gone: it was taken off, or what it was on is. */
  ignored: 0x8000,
  onlyDirectory: 0x1000000,
  isDirectory: 0x40000000,
} as const;

export interface InotifyEvent {
  /** The number that `add` gave; -1 of none. */
  watch: number;
  mask: number;
  /** Of the entry in the directory that is watched, one byte each character; empty where it is about the directory itself. */
  name: string;
}

interface Calls {
  open(flags: number): number;
  add(descriptor: number, path: Uint8Array, mask: number): number;
  remove(descriptor: number, watch: number): number;
  read(descriptor: number, bytes: Uint8Array, length: number): number;
}
let loaded: Calls | undefined | 'none';

function calls(): Calls | undefined {
  loaded ??= load() ?? 'none';
  return loaded === 'none' ? undefined : loaded;
}

function load(): Calls | undefined {
  if (process.platform !== 'linux') return undefined;
  const open = nativeFunctionIfThere<Calls['open']>('int inotify_init1(int)');
  const add = nativeFunctionIfThere<Calls['add']>('int inotify_add_watch(int, const void *, unsigned int)');
  const remove = nativeFunctionIfThere<Calls['remove']>('int inotify_rm_watch(int, int)');
  const read = nativeFunctionIfThere<Calls['read']>('long read(int, void *, size_t)');
  return open && add && remove && read ? { open, add, remove, read } : undefined;
}

const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const HEADER_BYTES = 16;
const READ_BYTES = 64 * 1024;
const EAGAIN = 11;
const EINTR = 4;

/** Directories that are watched. `close` gives all of it back. */
export class Inotify {
  readonly #calls: Calls;
  readonly #descriptor: number;
  readonly #room = Buffer.allocUnsafeSlow(READ_BYTES);

  private constructor(system: Calls) {
    this.#calls = system;
    this.#descriptor = system.open(NONBLOCK_CLOEXEC);
    if (this.#descriptor < 0) throw systemError('inotify_init1', Buffer.of());
  }

  /** Undefined where the system has no such thing. @throws the system's error: EMFILE where a user may have no more of them */
  static open(): Inotify | undefined {
    const system = endianness() === 'LE' ? calls() : undefined;
    return system && new Inotify(system);
  }

  /**
   * Watches a directory, or whatever else the path names. What is watched already keeps its number.
   * @throws the system's error: ENOSPC where a user may have no more watches
   */
  add(path: Uint8Array, mask: number): number {
    const watch = this.#calls.add(this.#descriptor, cString(path), mask);
    if (watch < 0) throw systemError('inotify_add_watch', path);
    return watch;
  }

  /** One that is gone already is no error. */
  remove(watch: number): void {
    this.#calls.remove(this.#descriptor, watch);
  }

  /** What happened since the last call, in order. It waits for nothing. @throws the system's error */
  read(): InotifyEvent[] {
    const events: InotifyEvent[] = [];
    for (;;) {
      const length = this.#calls.read(this.#descriptor, this.#room, this.#room.length);
      if (length > 0) decode(this.#room.subarray(0, length), events);
      else if (length === 0 || nativeErrno() === EAGAIN) return events;
      else if (nativeErrno() !== EINTR) throw systemError('read', Buffer.from('inotify'));
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function decode(bytes: Buffer, events: InotifyEvent[]): void {
  for (let at = 0; at < bytes.length; ) {
    const nameBytes = bytes.readUInt32LE(at + 12);
    const name = bytes.toString('latin1', at + HEADER_BYTES, at + HEADER_BYTES + nameBytes);
    const end = name.indexOf('\0');
    events.push({
      watch: bytes.readInt32LE(at),
      mask: bytes.readUInt32LE(at + 4),
      name: end < 0 ? name : name.slice(0, end),
    });
    at += HEADER_BYTES + nameBytes;
  }
}
