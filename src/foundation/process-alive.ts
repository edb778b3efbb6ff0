import { readFileSync } from 'node:fs';
import { systemCode } from './errors.ts';

/**
 * Whether there is a process of this number on this machine, whoever's it is. One that has ended does nothing any more, though
 * its number is kept until its parent asks how: in a container nobody may.
 */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  return !hasEnded(pid);
}

/** Source: proc_pid_stat(5). The state follows the program's name, which may hold anything. False where nobody can tell. */
function hasEnded(pid: number): boolean {
  try {
    const said = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[ZX]/.test(said.slice(said.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
