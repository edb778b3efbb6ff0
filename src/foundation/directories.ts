import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './errors.ts';

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
