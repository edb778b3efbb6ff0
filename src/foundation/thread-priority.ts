import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

const { PRIORITY_LOW: LOWEST, PRIORITY_NORMAL: NORMAL } = constants.priority;
/** A third of the weight. Beside other sessions that of the whole one counts. Source: sched(7), "The autogroup feature". */
const BEHIND = 5;

/**
 * Where the processors do not suffice for all threads of this process, the main thread goes before the one that calls this: it
 * finds the work that the others do, and they come to a stop when it is late. Nothing but speed hangs on it, and of a process
 * that does not let others go first no thread does, either.
 *
 * Of Linux alone: there a thread has a niceness of its own, and is known to setpriority(2) by its id.
 *
 * @returns whether it does: not on another system, nor in a sandbox that does not allow it
 */
export function goBehindMainThread(): boolean {
  try {
    const own = getPriority();
    if (own <= NORMAL) return false;
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, Math.min(LOWEST, own + BEHIND));
    return true;
  } catch {
    return false;
  }
}
