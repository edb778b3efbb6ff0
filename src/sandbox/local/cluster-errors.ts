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

/** The same error, or disk-full where that is the reason: a server cannot log it when there is no space for a log. */
export async function explainFullDisk(path: string, error: unknown): Promise<unknown> {
  if (!isHoldfastError(error, 'sandbox-failed') && systemCode(error) !== 'ENOSPC') return error;
  const { bavail, bsize } = await statfs(path);
  const context = isHoldfastError(error) ? error.context : {};
  const said = /no space left|free disk space/i.test(`${context['said']}`) || systemCode(error) === 'ENOSPC';
  if (bavail * bsize >= FULL_DISK_BYTES && !said) return error;
  return new HoldfastError('disk-full', `no space left for a sandbox server at ${path}`, {
    hint: 'Free some space, or let TMPDIR name a directory on another disk.',
    context: { ...context, availableBytes: bavail * bsize },
    cause: error,
  });
}
