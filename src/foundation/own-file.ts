import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const LARGEST_BYTES = 64 * 1024;

/** The text of a regular file that is this user's, and that nobody else may read or write; undefined where it is anything else. */
export function readOwnFile(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(file);
    const isOwn = stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0;
    return stats.isFile() && isOwn && stats.size <= LARGEST_BYTES ? readFileSync(file, 'utf8') : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Writes a file that may be had again, all of it or nothing, for nobody else to read.
 * @param mostFiles where the directory has so many, all others go
 * @returns whether it is there
 */
export function writeOwnFile(
  directory: string,
  name: string,
  { text, mostFiles }: { text: string; mostFiles: number },
): boolean {
  const path = join(directory, name);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (readdirSync(directory).length >= mostFiles) rmSync(directory, { recursive: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, path);
    return true;
  } catch {
    return false;
  }
}
