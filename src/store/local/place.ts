import { type Stats, statSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { HoldfastError, systemCode } from '../../foundation/errors.ts';

/**
 * The directory that a store is, as it was first seen. What takes its place, as the empty mount point of a disk that was taken
 * away does, is not it: what would be put there would be hidden once the disk is back, and a listing of it says nothing.
 */
export class Place {
  readonly #directory: string;
  /** Device and inode. */
  #seen: string | undefined;
  /** The path of an object that was read in it. */
  #witness: string | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** An object was read at this path. */
  async noteRead(path: string): Promise<void> {
    if (this.#witness !== undefined) return;
    await this.assertThere();
    this.#witness = path;
  }

  /** @throws store-unreachable where it was there and is not, or is another directory without what was read in it */
  async assertThere(): Promise<void> {
    await this.#assertSame(await statIfThere(this.#directory));
  }

  /** Whether what was read once can be read still: then the disk is there. */
  async canStillRead(): Promise<boolean> {
    if (this.#witness === undefined) return false;
    // Opened anew: a file system of the network asks its server then, whatever it remembers.
    try {
      await using file = await open(this.#witness, 'r');
      return (await file.read(Buffer.alloc(1), 0, 1, 0)).bytesRead === 1;
    } catch {
      // Whoever asks has the error that matters.
      return false;
    }
  }

  /** The same on this thread: for who was just told something else of it. @throws as `assertThere` */
  async assertStillThere(): Promise<void> {
    await this.#assertSame(statHere(this.#directory));
  }

  async #assertSame(found: Stats | undefined): Promise<void> {
    if (found === undefined) {
      if (this.#seen !== undefined) throw away(this.#directory, 'is not there any more');
      return;
    }
    const identity = `${found.dev} ${found.ino}`;
    if (this.#seen === identity) return;
    // Somebody may have moved all of it to another disk.
    const isOther = this.#seen !== undefined && this.#witness !== undefined;
    if (isOther && (await statIfThere(this.#witness!)) === undefined) {
      throw away(this.#directory, 'is another directory than before, without what was in it');
    }
    this.#seen = identity;
  }
}

function away(directory: string, what: string): HoldfastError {
  return new HoldfastError('store-unreachable', `${directory} ${what}`, {
    hint: 'See whether its disk is mounted.',
    retryable: true,
    context: { store: directory },
  });
}

/** Undefined where there is no such file. */
export async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** As `statIfThere`, on this thread. */
export function statHere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
