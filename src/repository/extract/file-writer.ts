import { closeSync, constants, fchmodSync, fchownSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { messageOf } from '../../foundation/errors.ts';
import { beginWriteback, setOpenFileTimes } from '../../foundation/posix.ts';
import { type Attempt, addAttributes, applyAttributes } from './attributes.ts';
import type { FileTable } from './file-table.ts';

/** Something that could not be set on a file whose content is right. */
export interface FileProblem {
  file: number;
  message: string;
}

/** So much of a file is worth asking the system to write it. */
const WRITEBACK_BYTES = 8 << 20;

/** As many files are kept open by a thread, so that one spread over many ranges is not opened anew for each. */
const KEPT_OPEN = 128;

/** One thread's hands on the files that a restore makes. */
export class FileWriter {
  readonly problems: FileProblem[] = [];
  readonly #files: FileTable;
  /** Descriptors by file; the one opened last is last in the map's order. */
  readonly #open = new Map<number, number>();
  readonly #isSyncedAfterwards: boolean;
  /** Bytes by file that the system has not been asked to write to the disk, where it is asked. */
  readonly #unasked = new Map<number, number>();
  readonly #isRoot = process.getuid?.() === 0;

  /** @param isSyncedAfterwards whether the system is to begin at once to write to the disk */
  constructor(files: FileTable, isSyncedAfterwards = false) {
    this.#files = files;
    this.#isSyncedAfterwards = isSyncedAfterwards;
  }

  /** Makes a file of its full length, which must not exist: whatever leads elsewhere (a link) is refused by the system. */
  create(file: number): void {
    this.#stand(file, this.#make(file));
  }

  /** Writes bytes that belong at a position of a file. Where they are zeros, a new file has them already, and no space is taken. */
  write(file: number, position: number, bytes: Buffer, isZero: boolean): void {
    const stands = this.#files.stands(file);
    const descriptor = this.#open.get(file) ?? (stands ? this.#reopen(file) : this.#make(file));
    if (isZero && !this.#files.hadContent(file)) {
      if (!stands) ftruncateSync(descriptor, this.#files.sizeBytes(file));
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
    }
    if (this.#isSyncedAfterwards) this.#askForWriteback(file, descriptor, bytes.length);
  }

  /** Sets a file's owner, permissions and times, which nothing may touch from then on, and closes it. */
  finish(file: number): void {
    const descriptor = this.#open.get(file) ?? this.#reopen(file);
    const { mode, owner, times, attributes } = this.#files.metadata(file);
    // In this order: changing the owner clears setuid and capabilities, an own file that may not be written to takes no
    // attributes, and changing anything touches times.
    if (this.#isRoot && owner !== undefined) {
      this.#attempt(file, 'its owner', () => fchownSync(descriptor, owner.user, owner.group));
    }
    const attempt: Attempt = (what, work) => this.#attempt(file, what, work);
    if (this.#files.mayHaveAttributes(file)) applyAttributes(this.#files.path(file), attributes, attempt);
    else if (attributes.length > 0) addAttributes(this.#files.path(file), attributes, attempt);
    this.#attempt(file, 'its permissions', () => fchmodSync(descriptor, mode));
    if (this.#isSyncedAfterwards) this.#askForWriteback(file, descriptor, WRITEBACK_BYTES);
    if (times !== undefined) this.#attempt(file, 'its times', () => setOpenFileTimes(descriptor, times));
    this.#open.delete(file);
    closeSync(descriptor);
  }

  /** Lets others go on with what was begun here. */
  standAll(): void {
    for (const [file, descriptor] of this.#open) if (!this.#files.stands(file)) this.#stand(file, descriptor);
  }

  closeAll(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #askForWriteback(file: number, descriptor: number, sizeBytes: number): void {
    const unaskedBytes = (this.#unasked.get(file) ?? 0) + sizeBytes;
    if (unaskedBytes < WRITEBACK_BYTES) {
      this.#unasked.set(file, unaskedBytes);
      return;
    }
    this.#unasked.delete(file);
    beginWriteback(descriptor);
  }

  #attempt(file: number, what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.problems.push({ file, message: `cannot set ${what}: ${messageOf(error)}` });
    }
  }

  #make(file: number): number {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    const descriptor = openSync(this.#files.path(file), flags, 0o600);
    // An access control list that it was given may have taken permissions from its owner.
    if (this.#files.mayHaveAttributes(file)) fchmodSync(descriptor, 0o600);
    return this.#keep(file, descriptor);
  }

  #reopen(file: number): number {
    return this.#keep(file, openSync(this.#files.path(file), constants.O_WRONLY | constants.O_NOFOLLOW));
  }

  #keep(file: number, descriptor: number): number {
    this.#open.set(file, descriptor);
    if (this.#open.size > KEPT_OPEN) {
      const [oldest, idle] = this.#open.entries().next().value!;
      this.#open.delete(oldest);
      // It will be opened again, and must not be made again.
      if (!this.#files.stands(oldest)) this.#stand(oldest, idle);
      closeSync(idle);
    }
    return descriptor;
  }

  /** Gives a file that was made its full length, and says so: whoever opens it next neither makes nor lengthens it. */
  #stand(file: number, descriptor: number): void {
    ftruncateSync(descriptor, this.#files.sizeBytes(file));
    this.#files.setStanding(file, { hadContent: false });
  }
}
