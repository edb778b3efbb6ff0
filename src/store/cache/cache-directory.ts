import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, rmSync, utimesSync } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../../foundation/directories.ts';
import { messageOf, systemCode } from '../../foundation/errors.ts';
import { readAt } from '../../foundation/read-at.ts';

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** So many files are kept open, each verified when it was opened. */
const OPEN_FILES = 64;
const HASHED_AT_ONCE_BYTES = 4 * 1024 * 1024;
const DAY_MS = 24 * 60 * 60 * 1000;
/** What nobody used for so long goes. */
const UNUSED_MS = 30 * DAY_MS;
/** A file that was begun so long ago belongs to a process that is dead. */
const ABANDONED_MS = DAY_MS;
/** How old a file's time of use may be: setting it each time would cost more than it tells. */
const USE_RESOLUTION_MS = 60 * 60 * 1000;
/** The share of the limit that may be written before all is counted again. */
const COUNTED_EVERY = 1 / 16;

export interface CacheDirectoryOptions {
  /** Absolute; it is made, for this user alone, when something is kept. */
  directory: string;
  limitBytes: number;
  /** Told once when nothing can be kept: a cache that fails is slow, and never a failure. */
  onProblem(message: string): void;
}

const PARTIAL = '.partial';
/** Tells programs that make backups to leave a directory out. Source: https://bford.info/cachedir/ */
const TAG = ['CACHEDIR.TAG', 'Signature: 8a477f597d28d172789f06886806bc55\n'] as const;

interface Kept {
  path: string;
  sizeBytes: number;
  usedMs: number;
}

/**
 * Files named by the SHA-256 of what is in them, for any number of processes at once: each is written beside its place and
 * renamed, and what does not match its name is removed and counts as not there.
 */
export class CacheDirectory {
  readonly #options: CacheDirectoryOptions;
  readonly #open = new Map<string, number>();
  readonly #made = new Set<string>();
  #canKeep = true;
  #uncountedBytes = Number.POSITIVE_INFINITY;
  #counting: Promise<void> | undefined;

  constructor(options: CacheDirectoryOptions) {
    this.#options = options;
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  /** All of a file, or `range` of it; undefined when it is not there whole. @param name a path whose last part is the hash */
  read(name: string, range?: { offset: number; length: number }): Buffer | undefined {
    try {
      if (range === undefined) return this.#readVerified(name);
      const descriptor = this.#open.get(name) ?? this.#openVerified(name);
      // A buffer of its own, which the caller may give away.
      const bytes = readAt(descriptor, Buffer.allocUnsafeSlow(range.length), range.offset);
      return bytes.length === range.length ? bytes : undefined;
    } catch (error) {
      this.#close(name);
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
  }

  /** Keeps bytes, or a copy of a file. Never fails. */
  async keep(name: string, content: Uint8Array | { file: string; sizeBytes: number }): Promise<void> {
    const sizeBytes = content instanceof Uint8Array ? content.byteLength : content.sizeBytes;
    if (!this.#canKeep || sizeBytes > this.#options.limitBytes / 8) return;
    const path = this.#path(name);
    const partial = `${path}.${randomBytes(8).toString('hex')}${PARTIAL}`;
    try {
      await this.#makeDirectory(dirname(path));
      if (content instanceof Uint8Array) await writeFile(partial, content, { flag: 'wx', mode: FILE_MODE });
      else await copyFile(content.file, partial, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      await rename(partial, path);
    } catch (error) {
      await removeQuietly(partial);
      this.#giveUp(error);
      return;
    }
    this.#uncountedBytes += sizeBytes;
    if (this.#uncountedBytes > this.#options.limitBytes * COUNTED_EVERY) await this.#makeRoom();
  }

  async remove(name: string): Promise<void> {
    this.#close(name);
    await removeQuietly(this.#path(name));
  }

  /** What is kept below a prefix. */
  async names(prefix: string): Promise<Set<string>> {
    const kept = await this.#kept(prefix);
    return new Set(kept.map(({ path }) => this.#nameOf(path)).filter((name) => !name.endsWith(PARTIAL)));
  }

  #nameOf(path: string): string {
    return path.slice(this.#options.directory.length + 1);
  }

  #path(name: string): string {
    return join(this.#options.directory, name);
  }

  #readVerified(name: string): Buffer | undefined {
    const path = this.#path(name);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size, mtimeMs } = fstatSync(descriptor);
      const bytes = readAt(descriptor, Buffer.allocUnsafeSlow(size), 0);
      if (createHash('sha256').update(bytes).digest('hex') !== hashNaming(name)) return removeDamaged(path);
      touch(path, mtimeMs);
      return bytes;
    } finally {
      closeSync(descriptor);
    }
  }

  #openVerified(name: string): number {
    const path = this.#path(name);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    this.#open.set(name, descriptor);
    if (hashOf(descriptor) !== hashNaming(name)) {
      removeDamaged(path);
      throw Object.assign(new Error(`${path} is damaged`), { code: 'EIO' });
    }
    touch(path, fstatSync(descriptor).mtimeMs);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_FILES) this.#close(oldest!);
    return descriptor;
  }

  #close(name: string): void {
    const descriptor = this.#open.get(name);
    if (descriptor === undefined) return;
    this.#open.delete(name);
    closeSync(descriptor);
  }

  async #makeDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    await makeDirectories(path, DIRECTORY_MODE);
    if (this.#made.size === 0) await tagAsCache(dirname(this.#options.directory));
    this.#made.add(path);
  }

  #giveUp(error: unknown): void {
    if (!this.#canKeep) return;
    this.#canKeep = false;
    this.#options.onProblem(
      `nothing can be kept in the cache ${this.#options.directory} (${messageOf(error)}): everything is read from the repository, which takes longer`,
    );
  }

  /** One at a time goes over the directory; what was kept meanwhile counts towards the next. */
  async #makeRoom(): Promise<void> {
    this.#counting ??= this.#removeOldest().finally(() => {
      this.#counting = undefined;
    });
    await this.#counting;
  }

  async #removeOldest(): Promise<void> {
    this.#uncountedBytes = 0;
    const kept = (await this.#kept('')).sort((a, b) => a.usedMs - b.usedMs);
    let sizeBytes = kept.reduce((sum, each) => sum + each.sizeBytes, 0);
    const nowMs = Date.now();
    for (const each of kept) {
      const longestMs = each.path.endsWith(PARTIAL) ? ABANDONED_MS : UNUSED_MS;
      if (sizeBytes <= this.#options.limitBytes * (1 - COUNTED_EVERY) && nowMs - each.usedMs < longestMs) continue;
      await this.remove(this.#nameOf(each.path));
      sizeBytes -= each.sizeBytes;
    }
  }

  async #kept(prefix: string): Promise<Kept[]> {
    const directory = this.#path(prefix);
    const entries = await unlessItFails(readdir(directory, { recursive: true, withFileTypes: true }), []);
    const kept: Kept[] = [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const info = await unlessItFails(stat(path), undefined);
      if (info !== undefined) kept.push({ path, sizeBytes: info.size, usedMs: info.mtimeMs });
    }
    return kept;
  }
}

function hashOf(descriptor: number): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(HASHED_AT_ONCE_BYTES, fstatSync(descriptor).size)));
  for (let at = 0; ; ) {
    const read = readAt(descriptor, buffer, at);
    hash.update(read);
    at += read.length;
    if (read.length < buffer.length) return hash.digest('hex');
  }
}

function hashNaming(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

function removeDamaged(path: string): undefined {
  rmSync(path, { force: true });
}

async function tagAsCache(directory: string): Promise<void> {
  const [name, content] = TAG;
  await writeFile(join(directory, name), content, { flag: 'wx', mode: FILE_MODE }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
  });
}

function touch(path: string, usedMs: number): void {
  const nowMs = Date.now();
  if (nowMs - usedMs < USE_RESOLUTION_MS) return;
  try {
    utimesSync(path, nowMs / 1000, nowMs / 1000);
  } catch (error) {
    // A cache that can only be read is read all the same.
    if (systemCode(error) === undefined) throw error;
  }
}

async function removeQuietly(path: string): Promise<void> {
  // What stays is verified before it is used, and removed another time.
  await unlessItFails(rm(path, { force: true }), undefined);
}

async function unlessItFails<T, Instead>(work: Promise<T>, instead: Instead): Promise<T | Instead> {
  try {
    return await work;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return instead;
  }
}
