import { closeSync, fsync, openSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { systemCode } from './errors.ts';
import { sideBySide } from './promises.ts';

/**
 * Makes a directory and all that lead to it. Node's own `recursive` never ends where a parent exists and refuses children
 * as if it did not, as /proc does.
 * @returns the first directory that was made, or undefined when all were there
 * @throws the system's error
 */
export async function makeDirectories(path: string, mode: number): Promise<string | undefined> {
  try {
    return await makeOne(path, mode);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const firstParent = await makeDirectories(dirname(path), mode);
  return firstParent === undefined ? makeOne(path, mode) : makeOne(path, mode).then(() => firstParent);
}

/** The directory when it was made, undefined when it was there. */
async function makeOne(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return undefined;
    throw error;
  }
}

/** So many files are synced at the same time: the disk takes them together. */
const SYNCED_AT_ONCE = 8;

/** Makes a directory durable, with all that is in it. Links are not followed. @throws the system's error */
export async function syncDirectory(path: string): Promise<void> {
  const entries = await readdir(path, { withFileTypes: true });
  await sideBySide(entries, SYNCED_AT_ONCE, async (entry) => {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) await syncDirectory(inside);
    else if (entry.isFile()) await syncOne(inside);
  });
  await syncOne(path);
}

/** Makes one file durable, or the list of what is in a directory. @throws the system's error */
export async function syncOne(path: string): Promise<void> {
  // Only the disk is waited for: a file handle would take as long again, where there are thousands of files.
  const descriptor = openSync(path, 'r');
  try {
    await promisify(fsync)(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
