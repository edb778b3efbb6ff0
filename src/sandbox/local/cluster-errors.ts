import { existsSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import { lastLines } from '../../foundation/process.ts';
import type { ClusterPlace } from './cluster-place.ts';
import type { ProgramEnd } from './supervised-program.ts';

const FULL_DISK_BYTES = 1 << 20;
const LOG_TAIL_BYTES = 16_384;

/** The last lines of a server's log, short enough for a message; nothing when there is none. */
export async function readLogTail(logPath: string): Promise<string> {
  return lastLines(await readLogEnd(logPath));
}

/** The last 16 KiB of a server's log. */
export async function readLogEnd(logPath: string): Promise<string> {
  if (!existsSync(logPath)) return '';
  const file = await open(logPath);
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - LOG_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The error for a server that did something it should not: `did not accept connections`, `died`. */
export async function serverFailed(
  place: ClusterPlace,
  what: string,
  end: ProgramEnd | undefined,
  cause?: unknown,
): Promise<HoldfastError> {
  const log = await readLogTail(place.logPath);
  return clusterFailed(place, `the sandbox server ${what}`, `${log}\n${end?.said ?? ''}`, cause);
}

/** The error for any program of the cluster, with what it said last. */
export function clusterFailed(place: ClusterPlace, message: string, said: string, cause?: unknown): HoldfastError {
  const { programs, user, directory } = place;
  const shutOut = user !== undefined && /permission denied|can't cd/i.test(said);
  return new HoldfastError('sandbox-failed', message, {
    hint: shutOut
      ? `Holdfast runs as root and its sandbox server as ${user.name}: let TMPDIR, PostgreSQL's programs and the target lie where that user may go.`
      : 'What the server said last tells why.',
    context: { version: programs.version, directory: directory.path, said: lastLines(said) },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a server says when it could not write; the rest of it is in a hint, which its log leaves out. */
const SAID_FULL = /no space left|free disk space|wrote only \d+ of \d+ bytes/i;

/** The same error, or disk-full where that is the reason: a server cannot log it when there is no space for a log. */
export async function explainFullDisk(place: ClusterPlace, error: unknown): Promise<unknown> {
  if (!isHoldfastError(error, 'sandbox-failed') && systemCode(error) !== 'ENOSPC') return error;
  const { directory, dataDirectory, options } = place;
  // One that is there to stay may lie on another disk.
  const isToStay = options.throwaway === false;
  const paths = isToStay ? [dataDirectory, directory.path] : [directory.path];
  const available = await Promise.all(paths.map(availableBytes));
  const full = available.findIndex((bytes) => bytes < FULL_DISK_BYTES);
  const context = isHoldfastError(error) ? error.context : {};
  const isSaid = SAID_FULL.test(`${context['said']}`) || systemCode(error) === 'ENOSPC';
  if (full === -1 && !isSaid) return error;
  const at = Math.max(0, full);
  const isTarget = isToStay && at === 0;
  return new HoldfastError(
    'disk-full',
    isTarget ? `no space left to recover ${dataDirectory}` : `no space left for a sandbox server at ${directory.path}`,
    {
      hint: isTarget
        ? 'What is there did not come to its end: do not use it. Free some space, and restore again with `--replace`; the log needs room as well as what it makes grow.'
        : 'Free some space, or let TMPDIR name a directory on another disk.',
      context: { ...context, availableBytes: available[at] },
      cause: error,
    },
  );
}

async function availableBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
