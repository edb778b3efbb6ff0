/** Replaces what is in a file that others read: they see the old text or the new one, and never a part. */
import { constants } from 'node:fs';
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncOne } from '../../../foundation/directories.ts';
import { HoldfastError, messageOf, systemCode } from '../../../foundation/errors.ts';
import { setLine } from './lines.ts';

/** Nobody else reads a connection string unless somebody lets them. */
const NEW_MODE = 0o600;

export interface Replaced {
  /** Where the file is, links resolved. */
  path: string;
  isNew: boolean;
  isChanged: boolean;
  mode: number;
}

/**
 * Makes a file, or one line of it, say something else. Mode and owner stay; a link goes on leading to it; what is there
 * already is not written again.
 * @param key of a file with lines such as NAME=value; the whole file, when left out
 * @throws target-failed, bad-usage
 */
export async function replaceInFile(given: string, value: string, key: string | undefined): Promise<Replaced> {
  try {
    const path = await realPath(given);
    const stats = await stat(path).catch(ignoringAbsence);
    if (stats !== undefined && !stats.isFile()) throw failed(path, 'it is no regular file');
    const before = stats === undefined ? undefined : await readFile(path, 'utf8');
    const after = key === undefined ? `${value}\n` : setLine(before ?? '', key, value);
    const about = { path, isNew: before === undefined, mode: (stats?.mode ?? NEW_MODE) & 0o7777 };
    if (before === after || (key === undefined && before === value)) return { ...about, isChanged: false };
    await putInPlace(path, after, stats);
    if ((await readFile(path, 'utf8')) !== after) throw failed(path, 'it says something else than what was written');
    return { ...about, isChanged: true };
  } catch (error) {
    if (error instanceof HoldfastError || systemCode(error) === undefined) throw error;
    throw failed(given, messageOf(error), error);
  }
}

/** The new text is durable under another name before it takes the place of the old one. */
async function putInPlace(
  path: string,
  text: string,
  stats: { mode: number; uid: number; gid: number } | undefined,
): Promise<void> {
  // A run that was killed here left its own, which nobody needs.
  await rm(besideOf(path), { force: true });
  const beside = besideOf(path);
  const file = await open(
    beside,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    NEW_MODE,
  );
  try {
    try {
      await file.writeFile(text);
      if (stats !== undefined) {
        const own = await file.stat();
        if (own.uid !== stats.uid || own.gid !== stats.gid) await file.chown(stats.uid, stats.gid);
        await file.chmod(stats.mode & 0o7777);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
    await syncOne(dirname(path));
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** Always the same name, so that what a killed run left is found. */
function besideOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.holdfast`);
}

/** Where a link leads to is replaced, and not the link. */
async function realPath(path: string): Promise<string> {
  return (await realpath(path).catch(ignoringAbsence)) ?? path;
}

function ignoringAbsence(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
}

function failed(path: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('target-failed', `${path} could not be replaced: ${why}`, {
    hint: 'See whether its directory is there and may be written to; the file is as it was.',
    ...(cause !== undefined && { cause }),
  });
}
