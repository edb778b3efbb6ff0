import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { makeDirectories } from './directories.ts';
import { nativeErrno, nativeFunction } from './native-library.ts';

const LOCK_EXCLUSIVE = 2;
const LOCK_AT_ONCE = 4;

/** Held on to: a handle that nobody refers to is closed, and its lock with it. */
const held = new Set<FileHandle>();

/** A file that one process at a time has locked; the system takes the lock back when the process ends, however it does. */
export class FileLock {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
    held.add(file);
  }

  /**
   * Locks a file, which is made where it is not there, and writes `content` into it.
   * @returns the lock, or what its holder wrote
   * @throws the system's error
   */
  static async take(path: string, content: string): Promise<{ lock: FileLock } | { heldBy: string }> {
    await makeDirectories(dirname(path), 0o700);
    const file = await open(path, 'a+', 0o600);
    try {
      if (!lockFile(file.fd)) {
        const { buffer, bytesRead } = await file.read({ position: 0 });
        await file.close();
        return { heldBy: buffer.toString('utf8', 0, bytesRead) };
      }
      await file.truncate(0);
      await file.write(content);
      return { lock: new FileLock(file) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Gives it back. @throws the system's error */
  async release(): Promise<void> {
    held.delete(this.#file);
    await this.#file.close();
  }
}

let flock: ((descriptor: number, operation: number) => number) | undefined;

/**
 * Locks an open file, for as long as it is open here.
 * @returns whether nobody else has it locked. @throws the system's error
 */
export function lockFile(descriptor: number): boolean {
  flock ??= nativeFunction<NonNullable<typeof flock>>('int flock(int, int)');
  if (flock(descriptor, LOCK_EXCLUSIVE | LOCK_AT_ONCE) === 0) return true;
  const code = nativeErrno();
  if (code === constants.errno.EWOULDBLOCK) return false;
  throw Object.assign(new Error(`flock failed with error ${code}`), { errno: -code, syscall: 'flock' });
}
