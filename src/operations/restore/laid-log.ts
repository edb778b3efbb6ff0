import { chmod, chown, copyFile, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '../../foundation/directories.ts';
import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { isMarked } from '../../repository/index.ts';
import type { StoredLogFiles } from '../log/log-files.ts';

const SCRIPT = 'fetch-laid-log.sh';
/** Made last: without it, what is missing may only not have come yet. */
const COMPLETE = 'complete';

/** Where the log of a cluster goes that is restored to a directory, where no server of this machine can replay it. */
export function laidLogDirectory(directory: string): string {
  return `${directory}.wal`;
}

/** The `restore_command` of a server that is to replay it, whatever its working directory is. */
export function laidLogCommand(directory: string): string {
  const script = shellWord(join(laidLogDirectory(directory), SCRIPT)).replaceAll('%', '%%');
  return `/bin/sh ${script} "%f" "%p"`;
}

/**
 * Before anything is written: a log of another restore is not mixed with this one's, nor anything else overwritten.
 * @throws target-not-empty
 */
export async function refuseTakenLog(directory: string): Promise<void> {
  const log = laidLogDirectory(directory);
  const names = await readdir(log).catch((error: unknown): string[] => {
    if (systemCode(error) === 'ENOENT') return [];
    throw failed(log, error);
  });
  // Beside a restore that was interrupted, it is of that one.
  const isUnfinished = names.includes(SCRIPT) && (!names.includes(COMPLETE) || isMarked(directory));
  if (names.length === 0 || isUnfinished) return;
  throw new HoldfastError('target-not-empty', `${log}, which takes the log, is not empty`, {
    hint: 'Remove it, if it is of an earlier restore, or name another directory.',
    context: { target: log },
  });
}

/**
 * Writes a log beside the data directory that it is to be replayed on, with the script that gives it to the server, for the
 * owner of that directory. Cut off, it is written anew by the next restore, and ends no recovery.
 * @param from nothing before the segment of this position is needed
 * @throws target-failed, disk-full, and what keeps the log from being read
 */
export async function layLog(
  files: StoredLogFiles,
  { directory, from, progress, signal }: { directory: string; from: bigint; progress: Progress; signal: AbortSignal },
): Promise<void> {
  const log = laidLogDirectory(directory);
  const names = files.names(from);
  progress.phase('writing the log', { items: names.length });
  try {
    const { uid, gid } = await stat(directory);
    const give = async (path: string): Promise<void> => {
      if (process.getuid?.() === 0) await chown(path, uid, gid);
    };
    // What is there is of a restore that was cut off, perhaps of another cluster.
    await rm(log, { recursive: true, force: true });
    await mkdir(log, { mode: 0o700 });
    await give(log);
    await copyFile(new URL(`./${SCRIPT}`, import.meta.url), join(log, SCRIPT));
    await chmod(join(log, SCRIPT), 0o700);
    await give(join(log, SCRIPT));
    for (const name of names) {
      signal.throwIfAborted();
      const bytes = await files.read(name);
      if (bytes === undefined) continue;
      await putFile(join(log, name), bytes, give);
      progress.advance({ items: 1, bytes: bytes.length });
    }
    await syncDirectory(log);
    await putFile(join(log, COMPLETE), new Uint8Array(), give);
    await syncDirectory(log);
  } catch (error) {
    signal.throwIfAborted();
    throw isHoldfastError(error) ? error : failed(log, error);
  }
}

/** A file is there whole, or not at all. */
async function putFile(path: string, bytes: Uint8Array, give: (path: string) => Promise<void>): Promise<void> {
  const making = `${path}.making`;
  await rm(making, { force: true });
  await writeFile(making, bytes, { mode: 0o600, flag: 'wx' });
  await give(making);
  await rename(making, path);
}

function failed(log: string, error: unknown): HoldfastError {
  const isFull = systemCode(error) === 'ENOSPC' || systemCode(error) === 'EDQUOT';
  return new HoldfastError(
    isFull ? 'disk-full' : 'target-failed',
    `cannot write the log to ${log}: ${messageOf(error)}`,
    {
      hint: 'No server recovers from what is there. Once that is mended, remove the target, or add `--replace`, and restore again.',
      context: { target: log },
      cause: error,
    },
  );
}
