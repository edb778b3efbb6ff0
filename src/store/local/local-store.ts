import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  open as openWithCallback,
  readdirSync,
  readSync,
  read as readWithCallback,
} from 'node:fs';
import { type FileHandle, link, open, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import { type Content, isObjectKey, type ObjectStore, type StoredObject } from '../index.ts';
import { Place, statHere, statIfThere } from './place.ts';

/** Objects as files below one directory. Half-written ones lie in `.staging`, which no listing shows. */
const STAGING = '.staging';
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/**
 * To look a file up on this thread takes a tenth of the processor time that it takes through another one, and a daemon lists
 * thousands with each run. After so many others have their turn: a directory may be on another machine.
 */
const LOOKED_UP_AT_ONCE = 32;
/**
 * What is so small is read on this thread as well: the way to another thread and back takes longer than the reading. To open
 * the file may take as long as its disk is away, so that one of so many parts is opened through another thread, and every
 * whole object.
 */
const READ_HERE_BYTES = 64 * 1024;
/**
 * Directories of more parts were made for one writer, say, and go with the last object in them: each listing would look into
 * them for ever. Other programs know those of fewer, and find them as they were.
 */
const KEPT_DEPTH = 3;
/** Who finds that others removed the directory so often has another reason to fail. */
const MOST_MOVES = 20;
/** A staged file that nobody wrote to for so long belongs to a writer that is dead, on whichever machine. */
const ABANDONED_AFTER_MS = 7 * 24 * 60 * 60 * 1000;

/** What the system says of a bad sector, and of what a file system's own check sums show to be damaged. */
const BAD_SECTOR: ReadonlySet<string | undefined> = new Set(['EIO', 'EUCLEAN', 'EBADMSG']);

/** By their numbers: closing a `FileHandle` takes another thread each time. */
const openDescriptor = promisify(openWithCallback);
const readDescriptor = promisify(readWithCallback);

/**
 * @param directory an absolute path; it is made when something is put
 */
export function createLocalStore(directory: string): ObjectStore {
  return new LocalStore(directory);
}

class LocalStore implements ObjectStore {
  readonly location: string;
  readonly stagingDirectory: string;
  /** Directories that exist, so that a put need not make them again. */
  readonly #made = new Map<string, Promise<void>>();
  readonly #place: Place;
  #smallReads = 0;

  constructor(directory: string) {
    this.location = directory;
    this.#place = new Place(directory);
    this.stagingDirectory = join(directory, STAGING);
  }

  async capabilities() {
    return { conditionalPut: true, consistentListing: true };
  }

  async put(key: string, content: Content, options: { ifAbsent?: boolean } = {}): Promise<void> {
    const path = this.#path(key);
    await this.#guard('write', key, async () => {
      await this.#place.assertThere();
      await this.#makeDirectory(dirname(path));
      const staged = content instanceof Uint8Array ? await this.#stage(content) : content.file;
      try {
        if (!(content instanceof Uint8Array)) await syncFile(staged);
        await this.#move(staged, path, options.ifAbsent ?? false);
      } catch (error) {
        if (systemCode(error) !== 'EXDEV' || content instanceof Uint8Array) throw error;
        await this.#copyAcross(staged, path, options.ifAbsent ?? false);
      } finally {
        await removeIfThere(staged);
      }
      await syncDirectory(dirname(path));
    });
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array> {
    const path = this.#path(key);
    return this.#guard('read', key, async () => {
      const isOpenedHere =
        range !== undefined && range.length <= READ_HERE_BYTES && this.#smallReads++ % LOOKED_UP_AT_ONCE !== 0;
      const descriptor = isOpenedHere ? openSync(path, 'r') : await openDescriptor(path, constants.O_RDONLY);
      try {
        const { offset, length } = range ?? { offset: 0, length: fstatSync(descriptor).size };
        const bytes = await readExactly(descriptor, offset, length, `${key} in ${this.location}`);
        await this.#place.noteRead(path);
        return bytes;
      } finally {
        // What was only read has nothing to be written when it is closed.
        closeSync(descriptor);
      }
    });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const found = await this.#found(prefix);
    for (let at = 0; at < found.length; at += LOOKED_UP_AT_ONCE) {
      if (at > 0) await setImmediate();
      yield* await this.#guard('list', prefix, async () =>
        found.slice(at, at + LOOKED_UP_AT_ONCE).flatMap(({ path, key }): StoredObject[] => {
          const info = statHere(path);
          if (!info?.isFile() || !isObjectKey(key)) return [];
          return [{ key, sizeBytes: info.size, modifiedMs: info.mtimeMs }];
        }),
      );
    }
  }

  async names(prefix: string): Promise<string[]> {
    const found = await this.#found(prefix);
    return this.#guard('list', prefix, async () =>
      // A link may lead to one.
      found.flatMap(({ path, key, isFile }) => ((isFile || statHere(path)?.isFile()) && isObjectKey(key) ? [key] : [])),
    );
  }

  async stat(key: string): Promise<StoredObject | undefined> {
    const path = this.#path(key);
    const info = await this.#guard('look up', key, async () => {
      const found = await statIfThere(path);
      if (found === undefined) await this.#place.assertThere();
      return found;
    });
    return info?.isFile() ? { key, sizeBytes: info.size, modifiedMs: info.mtimeMs } : undefined;
  }

  async delete(key: string): Promise<void> {
    const path = this.#path(key);
    await this.#guard('delete', key, async () => {
      await this.#place.assertThere();
      await removeIfThere(path);
      await syncDirectory(dirname(path)).catch((error: unknown) => {
        // Where there is no directory, there was nothing to remove.
        if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error;
      });
      // What stays there costs time alone.
      if (key.split('/').length > KEPT_DEPTH) await settled(rmdir(dirname(path)));
    });
  }

  fileOf(key: string): string {
    return this.#path(key);
  }

  #path(key: string): string {
    if (!isObjectKey(key)) throw new HoldfastError('internal', `${JSON.stringify(key)} is no object key`);
    return join(this.location, key);
  }

  #found(prefix: string): Promise<Found[]> {
    const start = prefix === '' ? this.location : this.#path(prefix.replace(/\/$/, ''));
    return this.#guard('list', prefix, async () => {
      await this.#place.assertThere();
      const walked = await this.#walk(start, prefix);
      // It may have gone meanwhile.
      await this.#place.assertStillThere();
      return walked;
    });
  }

  /** What lies below a directory, and the directories in it. The first is read through another thread, which waits as long as its disk is away. */
  async #walk(directory: string, keyPrefix: string): Promise<Found[]> {
    const found: Found[] = [];
    const waiting: { path: string; keyPrefix: string }[] = [];
    const sort = (entries: readonly Dirent[], within: { path: string; keyPrefix: string }): void => {
      for (const entry of entries) {
        if (entry.name.startsWith('.')) continue;
        const inside = { path: `${within.path}/${entry.name}`, key: `${within.keyPrefix}${entry.name}` };
        if (entry.isDirectory()) waiting.push({ path: inside.path, keyPrefix: `${inside.key}/` });
        else found.push({ ...inside, isFile: entry.isFile() });
      }
    };
    sort(await entriesIfThere(directory), { path: directory, keyPrefix });
    for (let at = 0; at < waiting.length; at++) {
      if (at > 0 && at % LOOKED_UP_AT_ONCE === 0) await setImmediate();
      sort(entriesHere(waiting[at]!.path), waiting[at]!);
    }
    return found;
  }

  async #stage(bytes: Uint8Array): Promise<string> {
    await this.#makeDirectory(this.stagingDirectory);
    const path = join(this.stagingDirectory, `${process.pid}-${randomBytes(8).toString('hex')}`);
    await writeDurably(path, async (file) => writeAll(file, bytes));
    return path;
  }

  /** The directory may go with the last object in it, which another process removes meanwhile: see `delete`. */
  async #move(from: string, to: string, ifAbsent: boolean): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await (ifAbsent ? link(from, to) : rename(from, to));
        return;
      } catch (error) {
        if (systemCode(error) !== 'ENOENT' || attempt === MOST_MOVES) throw error;
        await this.#place.assertThere();
        this.#made.delete(dirname(to));
        await this.#makeDirectory(dirname(to));
      }
    }
  }

  async #copyAcross(from: string, to: string, ifAbsent: boolean): Promise<void> {
    await this.#makeDirectory(this.stagingDirectory);
    const path = join(this.stagingDirectory, `${process.pid}-${randomBytes(8).toString('hex')}`);
    const source = await open(from, 'r');
    try {
      await writeDurably(path, async (file) => {
        for await (const chunk of source.createReadStream({ autoClose: false })) await writeAll(file, chunk as Buffer);
      });
      await (ifAbsent ? link(path, to) : rename(path, to));
    } finally {
      await source.close();
      await removeIfThere(path);
    }
  }

  /** Makes a directory and whatever leads to it, durably. */
  #makeDirectory(path: string): Promise<void> {
    let made = this.#made.get(path);
    if (made === undefined) {
      made = this.#makeDirectoryNow(path);
      this.#made.set(path, made);
      made.catch(() => this.#made.delete(path));
    }
    return made;
  }

  async #makeDirectoryNow(path: string): Promise<void> {
    const first = await makeDirectories(path, DIRECTORY_MODE);
    if (path === this.stagingDirectory) await this.#removeAbandoned();
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
  }

  async #removeAbandoned(): Promise<void> {
    for (const entry of await entriesIfThere(this.stagingDirectory)) {
      const path = join(this.stagingDirectory, entry.name);
      const info = await statIfThere(path);
      if (info !== undefined && Date.now() - info.mtimeMs > ABANDONED_AFTER_MS) await removeIfThere(path);
    }
  }

  async #guard<T>(verb: string, key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') {
        // A directory that was made may be gone: the next put is to make it again.
        this.#made.clear();
        await this.#place.assertThere();
      }
      const isBad = verb === 'read' && BAD_SECTOR.has(systemCode(error));
      if (isBad && (await this.#place.canStillRead())) throw unreadable(error, key, this.location);
      throw storeError(error, verb, key, this.location);
    }
  }
}

/** What lies in a directory, and is none. */
interface Found {
  path: string;
  key: string;
  isFile: boolean;
}

function storeError(error: unknown, verb: string, key: string, location: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const context = { key, store: location };
  const what = `cannot ${verb} ${key} in ${location}`;
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
      if (verb === 'write') break;
      return new HoldfastError('object-missing', `${key} is not in ${location}`, { context, cause: error });
    case 'EEXIST':
      return new HoldfastError('object-exists', `${key} is in ${location} already`, { context, cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new HoldfastError('disk-full', `${what}: no space is left`, {
        hint: 'Free some space on the disk of the repository, then run the same command again.',
        context,
        cause: error,
      });
    case 'EACCES':
    case 'EPERM':
      return new HoldfastError('permission-denied', `${what}: ${messageOf(error)}`, {
        hint: 'Give the user that runs Holdfast the right to do so.',
        context,
        cause: error,
      });
    case 'EROFS':
      return new HoldfastError('permission-denied', `${what}: the file system is read-only`, {
        hint: 'Mount it so that it can be written to. A system mounts a disk with errors read-only by itself: see `dmesg`. What is stored can be read meanwhile.',
        context,
        cause: error,
      });
    default:
  }
  return new HoldfastError('store-failed', `${what}: ${messageOf(error)}`, { context, cause: error });
}

/** What it held may be gone, and all else is there: where the whole disk, or its server, is away, the system says the same. */
function unreadable(error: unknown, key: string, location: string): HoldfastError {
  return new HoldfastError('object-unreadable', `cannot read ${key} in ${location}: ${messageOf(error)}`, {
    hint: 'The disk, or its file system, may be failing: see `dmesg`, and copy the repository to another disk. A restore brings back what can be read, and `holdfast check --repair` puts back what a mirror has.',
    context: { key, store: location },
    cause: error,
  });
}

async function readExactly(descriptor: number, offset: number, length: number, what: string): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; ) {
    const bytesRead =
      length <= READ_HERE_BYTES
        ? readSync(descriptor, buffer, done, length - done, offset + done)
        : (await readDescriptor(descriptor, buffer, done, length - done, offset + done)).bytesRead;
    if (bytesRead === 0) {
      throw new HoldfastError('repository-damaged', `${what} is damaged: it ends before byte ${offset + length}`);
    }
    done += bytesRead;
  }
  return buffer;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await file.write(bytes, done, bytes.byteLength - done)).bytesWritten;
  }
}

/** Writes a new file and syncs it; a file that could not be written whole is removed. */
async function writeDurably(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    await write(file);
    await file.sync();
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await file.close();
  }
}

/** What is no file is none that is there. `rm` looks before it removes, which takes twice as long. */
async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
  }
}

function syncDirectory(path: string): Promise<void> {
  return syncFile(path, constants.O_DIRECTORY);
}

async function syncFile(path: string, flags = 0): Promise<void> {
  const file = await open(path, constants.O_RDONLY | flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function entriesIfThere(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** As `entriesIfThere`, on this thread. */
function entriesHere(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
