import { closeSync, constants, existsSync, openSync, readdirSync } from 'node:fs';

/** Where Linux shows what a process has open: a name below one of these leads through no link that came up meanwhile. */
const OPEN_FILES = '/proc/self/fd';
let hasOpenFiles: boolean | undefined;

/**
 * A directory that is held open: what is in it is reached through itself, whatever its path leads to by now, so that whoever
 * may write there cannot have something outside of it changed. Where the system does not offer that, the path is used.
 */
export class OpenDirectory {
  readonly #descriptor: number;
  readonly #path: Buffer;

  private constructor(descriptor: number, path: Buffer) {
    this.#descriptor = descriptor;
    hasOpenFiles ??= process.platform === 'linux' && existsSync(OPEN_FILES);
    this.#path = hasOpenFiles ? Buffer.from(`${OPEN_FILES}/${descriptor}`) : path;
  }

  /** @param path may be a link to a directory @throws the system's error */
  static open(path: Uint8Array): OpenDirectory {
    return OpenDirectory.#open(Buffer.from(path), 0);
  }

  /** A directory in this one. @param name one byte each character @throws the system's error, also where it is a link */
  openChild(name: string): OpenDirectory {
    return OpenDirectory.#open(this.pathOf(name), constants.O_NOFOLLOW);
  }

  /** The names of what is in it, sorted, one byte each character. */
  names(): string[] {
    return readdirSync(this.#path, { encoding: 'latin1' }).sort();
  }

  /** A path of an entry, good as long as this is open. */
  pathOf(name: string): Buffer {
    return Buffer.concat([this.#path, Buffer.from(`/${name}`, 'latin1')]);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  static #open(path: Buffer, flags: number): OpenDirectory {
    return new OpenDirectory(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | flags), path);
  }
}
