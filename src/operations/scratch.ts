import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError, systemCode } from '../foundation/errors.ts';
import { isProcessAlive } from '../foundation/process-alive.ts';

const NAME = /^holdfast-scratch-(\d+)-/;

/**
 * Runs `work` with a directory of its own, mode 0700, that is removed afterwards whatever happens. What a process that was
 * killed left there, which may be a part of a database, is removed by the next one.
 */
export async function withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  await removeAbandoned();
  const directory = await makeScratch();
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeScratch(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), `holdfast-scratch-${process.pid}-`));
  } catch (error) {
    const code = systemCode(error) === 'ENOSPC' ? 'disk-full' : 'permission-denied';
    throw new HoldfastError(code, `no directory can be made in ${tmpdir()}, where temporary files belong`, {
      hint: 'Set TMPDIR to a directory that you may write to, with space for the largest part of what is backed up.',
      cause: error,
    });
  }
}

async function removeAbandoned(): Promise<void> {
  for (const name of await temporaryNames()) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isProcessAlive(Number(pid)) && (await isOwn(join(tmpdir(), name)))) {
      await rm(join(tmpdir(), name), { recursive: true, force: true });
    }
  }
}

/** A temporary directory that may be written to but not listed is none of ours to tidy. */
async function temporaryNames(): Promise<string[]> {
  try {
    return await readdir(tmpdir());
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

/** The temporary directory is everybody's: what belongs to another user is left alone. */
async function isOwn(path: string): Promise<boolean> {
  try {
    return (await stat(path)).uid === process.getuid?.();
  } catch (error) {
    // Another process was quicker to remove it.
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
