import { closeSync, constants, fchmodSync, fchownSync, ftruncateSync, openSync } from 'node:fs';
import { messageOf } from '../../foundation/errors.ts';
import { setOpenFileTimes } from '../../foundation/posix.ts';
import { writeAt } from '../../foundation/write-at.ts';
import { type Attempt, addAttributes, applyAttributes } from './attributes.ts';
import type { FileTable } from './file-table.ts';
import type { SyncTeller } from './sync-along.ts';

/** Something that could not be set on a file whose content is right. */
export interface FileProblem {
  file: number;
  message: string;
}

/** As many files are kept open by a thread, so that one spread over many ranges is not opened anew for each. */
const KEPT_OPEN = 128;

/** One thread's hands on the files that a restore makes. */
export class FileWriter {
  readonly problems: FileProblem[] = [];
  readonly #files: FileTable;
  /** Descriptors by file; the one opened last is last in the map's order. */
  readonly #open = new Map<number, number>();
  readonly #toSync: SyncTeller | undefined;
  readonly #isRoot = process.getuid?.() === 0;

  /** @param toSync is told what is written, where the system is to begin at once to write it to the disk */
  constructor(files: FileTable, toSync?: SyncTeller) {
    this.#files = files;
    this.#toSync = toSync;
  }

  /** Makes a file of its full length, which must not exist: whatever leads elsewhere (a link) is refused by the system. */
  create(file: number): void {
    this.#stand(file, this.#make(file));
  }

  /**
   * Writes pieces that follow each other from a position of a file on. Where they are zeros, a new file has them already, and no
   * space is taken.
   */
  write(file: number, position: number, pieces: readonly Buffer[], isZero: boolean): void {
    const stands = this.#files.stands(file);
    const descriptor = this.#open.get(file) ?? (stands ? this.#reopen(file) : this.#make(file));
    if (isZero && !this.#files.hadContent(file)) {
      if (!stands) ftruncateSync(descriptor, this.#files.sizeBytes(file));
      return;
    }
    const sizeBytes = writeAt(descriptor, pieces, position);
    this.#toSync?.written(file, sizeBytes);
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
    this.#toSync?.finished(file);
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
