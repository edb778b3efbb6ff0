import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError, messageOf, systemCode } from './errors.ts';
import { settled } from './promises.ts';

/**
 * Writes a file that is not there yet; it is durable then.
 * @returns whether it was written: what is there stays
 * @throws target-failed
 */
export async function writeNewFile(path: string, text: string, mode: number): Promise<boolean> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false;
    throw unwritable(path, cause);
  }
}

/** Puts a file in the place of another, whole, at once and durably. @throws target-failed */
export async function replaceFile(path: string, by: string): Promise<void> {
  try {
    await rename(by, path);
    const directory = await open(dirname(path));
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Writes a file, whether there is one or not: at every instant the one before is there, or the new one. @throws target-failed */
export async function writeFileAnew(path: string, text: string, mode: number): Promise<void> {
  const part = `${path}.part`;
  await settled(unlink(part));
  if (!(await writeNewFile(part, text, mode))) throw unwritable(path, new Error(`${part} is in the way`));
  await replaceFile(path, part);
}

function unwritable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('target-failed', `${path} cannot be written: ${messageOf(cause)}`, {
    hint: 'Name a place that may be written to.',
    cause,
  });
}
