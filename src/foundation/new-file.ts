import { randomBytes } from 'node:crypto';
import { link, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncOne } from './directories.ts';
import { HoldfastError, systemCode, systemReason } from './errors.ts';
import { settled } from './promises.ts';

/** What is being written ends so. */
const PART = '.part';
/** What a file system says that knows no second name of a file, as those of memory sticks. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Writes a file that is not there yet: whole and durable, or not at all, whenever it is cut off.
 * @returns whether it was written: what is there stays
 * @throws target-failed
 */
export function writeNewFile(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
  return besides(path, async (part) => {
    await writeDurably(part, content, mode);
    try {
      await link(part, path);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      if (!NO_LINKS.has(systemCode(error))) throw error;
      return writeHere(path, content, mode);
    }
    await syncOne(dirname(path));
    return true;
  });
}

/** Puts a file in the place of another, whole, at once and durably. @throws target-failed */
export async function replaceFile(path: string, by: string): Promise<void> {
  try {
    await rename(by, path);
    await syncOne(dirname(path));
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

/** Writes a file, whether there is one or not: at every instant the one before is there, or the new one. @throws target-failed */
export function writeFileAnew(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  return besides(path, async (part) => {
    await writeDurably(part, content, mode);
    await replaceFile(path, part);
  });
}

/** Removes what a process that was killed had begun to write in the place of a file, which nobody writes to now. */
export async function removeParts(path: string): Promise<void> {
  const [directory, start] = [dirname(path), `${basename(path)}.`];
  const names = await readdir(directory);
  for (const name of names.filter((each) => each.startsWith(start) && each.endsWith(PART)))
    await rm(join(directory, name), { force: true });
}

/** Works with a file beside another one, which nobody else writes to and which is gone afterwards. @throws target-failed */
async function besides<T>(path: string, work: (part: string) => Promise<T>): Promise<T> {
  const part = `${path}.${randomBytes(8).toString('hex')}${PART}`;
  try {
    return await work(part);
  } catch (cause) {
    throw cause instanceof HoldfastError ? cause : unwritable(path, cause);
  } finally {
    await settled(rm(part, { force: true }));
  }
}

async function writeHere(path: string, content: string | Uint8Array, mode: number): Promise<boolean> {
  try {
    await writeDurably(path, content, mode);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function writeDurably(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

function unwritable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('target-failed', `${path} cannot be written: ${systemReason(cause)}`, {
    hint: 'Name a place that may be written to.',
    context: { path },
    cause,
  });
}
