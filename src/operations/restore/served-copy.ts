import { cp, lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemCode } from '../../foundation/errors.ts';
import { isProcessThere } from '../../foundation/process-alive.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { Target } from '../../foundation/target.ts';
import type { SandboxNeed } from '../../sandbox/index.ts';
import type { Workspace } from '../workspace.ts';

/**
 * Works on the database of a data directory that no server runs on: one of a sandbox does, on a copy, so that the directory is
 * only read. The copy is gone afterwards.
 * @throws target-unsuitable where a server runs on it, or where it leads elsewhere by links; not-provable where this machine
 *   has no such server; target-failed where it does not start
 */
export async function onServedCopy<T>(
  { environment }: Workspace,
  { path, need }: { path: string; need: Extract<SandboxNeed, { kind: 'postgres-data' }> },
  progress: Progress,
  work: (served: Extract<Target, { kind: 'database' }>) => Promise<T>,
): Promise<T> {
  const { clock, signal, adapters } = environment;
  await refuseServed(path);
  const sandbox = await adapters.createSandbox({ clock, signal });
  const place = await sandbox.open(need, progress);
  try {
    if (place.target.kind !== 'directory' || place.serve === undefined)
      throw new HoldfastError('internal', 'the sandbox takes no data directory');
    progress.phase('copying the data directory');
    await copyDirectory(path, place.target.path, signal);
    const { target } = await place.serve();
    return await work(target);
  } finally {
    await place.close();
  }
}

async function copyDirectory(path: string, copy: string, signal: AbortSignal): Promise<void> {
  const filter = async (from: string): Promise<boolean> => {
    signal.throwIfAborted();
    // What writes to the copy would write behind the link.
    if ((await lstat(from)).isSymbolicLink()) throw unsuitable(path, `leads elsewhere by the link ${from}`);
    return true;
  };
  try {
    await cp(path, copy, { recursive: true, preserveTimestamps: true, filter });
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw unsuitable(path, 'is not there, or is being changed');
  }
}

async function refuseServed(path: string): Promise<void> {
  const file = await readFile(join(path, 'postmaster.pid'), 'latin1').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  });
  const pid = Number.parseInt(file, 10);
  if (pid > 0 && isProcessThere(pid)) throw unsuitable(path, `has a server that runs, with the process id ${pid}`);
}

function unsuitable(path: string, what: string): HoldfastError {
  return new HoldfastError('target-unsuitable', `${path} ${what}, so that no copy of it can be looked at`, {
    hint: 'Start its server, where it does not run yet, and give the URL of the database.',
    context: { target: path },
  });
}
