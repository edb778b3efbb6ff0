import { readFileSync } from 'node:fs';
import { systemCode } from './errors.ts';

/**
 * Whether a process of this number runs on this machine, whoever's it is. One that has ended does nothing any more, though its
 * number is kept until its parent asks how: in a container nobody may.
 */
export function isProcessAlive(pid: number): boolean {
  return isProcessThere(pid) && !hasEnded(pid);
}

/** Whether the number is taken on this machine: also by a process that has ended, whose children may still be at work. */
export function isProcessThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** In the text behind the program's name. */
const STATE = 0;
const THREADS = 17;

/**
 * Whether none of its threads runs any more; false where nobody can tell. That of the process's own number may end before others.
 * Source: proc_pid_stat(5), whose fields follow the program's name, which may hold anything.
 */
function hasEnded(pid: number): boolean {
  try {
    const said = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = said.slice(said.lastIndexOf(')') + 2).split(' ');
    return /^[ZX]$/.test(fields[STATE]!) && Number(fields[THREADS]) <= 1;
  } catch {
    return false;
  }
}
