import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { systemCode } from '../../foundation/errors.ts';
import { isProcessThere } from '../../foundation/process-alive.ts';
import type { DemoServer } from '../workspace.ts';

/** Looks, from outside, for processes that know of the server's directory and for the directory itself. */
export async function findLeftovers({
  pid,
  socketDirectory,
}: DemoServer): Promise<{ processes: number[]; sockets: string[] }> {
  const processes = processesNaming(socketDirectory);
  if (isProcessThere(pid)) processes.push(pid);
  return { processes: [...new Set(processes)], sockets: existsSync(socketDirectory) ? [socketDirectory] : [] };
}

/** Other processes whose command line names a path; none where the system does not show them. */
function processesNaming(path: string): number[] {
  if (!existsSync('/proc/self/cmdline')) return [];
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return others.filter((name) => commandLine(name).includes(path)).map(Number);
}

function commandLine(process: string): string {
  try {
    return readFileSync(`/proc/${process}/cmdline`, 'latin1');
  } catch (error) {
    // It ended in between.
    if (['ENOENT', 'ESRCH'].includes(systemCode(error) ?? '')) return '';
    throw error;
  }
}
