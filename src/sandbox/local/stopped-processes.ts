/** Servers that are cut off: their processes stop where they are, and what comes to them waits for good. */
import { readdir, readFile } from 'node:fs/promises';
import { systemCode } from '../../foundation/errors.ts';

const stopped = new Map<number, number[]>();

/** @param pid of a process, and with it all that it has started */
export async function cutOff(pid: number): Promise<void> {
  // It first: it starts no more of them then.
  signal(pid, 'SIGSTOP');
  const children = await childrenOf(pid);
  for (const each of children) signal(each, 'SIGSTOP');
  stopped.set(pid, [pid, ...children]);
}

/** Lets them go on, where they were cut off. */
export function goOn(pid: number): void {
  for (const each of stopped.get(pid) ?? []) signal(each, 'SIGCONT');
  stopped.delete(pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended meanwhile.
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

async function childrenOf(pid: number): Promise<number[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(names.map(parentOf));
  return names.flatMap((name, index) => (parents[index] === pid ? [Number(name)] : []));
}

async function parentOf(name: string): Promise<number | undefined> {
  try {
    // Behind the program's name, which may hold anything.
    const [, state] = /^.*\) (.*)$/s.exec(await readFile(`/proc/${name}/stat`, 'latin1')) ?? [];
    return Number(state?.split(' ')[1]);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}
