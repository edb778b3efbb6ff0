import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Those that write to a data directory, or to a copy of it beside it. */
const PROGRAMS: readonly string[] = ['pg_rewind', 'pg_basebackup', 'postgres'];
const PAUSE_MS = 500;

/**
 * Waits until no program works on a directory any more that a reseed has left there which was killed: it would write to what
 * takes the place of the directory. Where the system does not list its processes as files, nobody can tell.
 */
export async function untilAlone(
  directory: string,
  { signal, tell }: { signal: AbortSignal; tell(line: string): void },
): Promise<void> {
  for (let isTold = false; ; isTold = true) {
    const program = await programOn(directory);
    if (program === undefined) return;
    if (!isTold) tell(`waits for ${program}, which an attempt before this one left at work on ${directory}`);
    await pause(PAUSE_MS, undefined, { signal });
  }
}

/** @returns its name and its process id */
async function programOn(directory: string): Promise<string | undefined> {
  for (const pid of await processes()) {
    // It may have ended by now, or be somebody's whose words nobody else may read.
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const [path = '', ...words] = line.split('\0');
    const name = basename(path);
    const isThere = words.some((word) => word === directory || word.startsWith(`${directory}.copy`));
    if (PROGRAMS.includes(name) && isThere) return `${name} (process ${pid})`;
  }
  return undefined;
}

async function processes(): Promise<string[]> {
  const names = await readdir('/proc').catch(() => []);
  return names.filter((name) => /^\d+$/.test(name));
}
