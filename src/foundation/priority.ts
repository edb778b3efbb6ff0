import { readFileSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

const { PRIORITY_BELOW_NORMAL: BELOW_NORMAL } = constants.priority;

/**
 * Lets others on this machine go first where the processors do not suffice for all: a backup has time, and who works with
 * what is backed up has not. Threads and processes that are started from then on go by it, too.
 */
export function letOthersGoFirst(): void {
  if (getPriority() < BELOW_NORMAL) setPriority(BELOW_NORMAL);
  letOtherSessionsGoFirst();
}

const SESSION = '/proc/self/autogroup';

/**
 * Where Linux weighs sessions against each other, a niceness of one's own counts among the processes of the session alone, and
 * a database server has one of its own (sched(7), "The autogroup feature"). The session gets its weight back at the end.
 */
function letOtherSessionsGoFirst(): void {
  const before = sessionNiceness();
  if (before === undefined || before >= BELOW_NORMAL || !setSessionNiceness(BELOW_NORMAL)) return;
  process.once('exit', () => setSessionNiceness(before));
}

/** Undefined where the kernel has nothing of the kind. */
function sessionNiceness(): number | undefined {
  try {
    const [, niceness] = / nice (-?\d+)$/.exec(readFileSync(SESSION, 'utf8').trim()) ?? [];
    return niceness === undefined ? undefined : Number(niceness);
  } catch {
    return undefined;
  }
}

/** @returns whether the kernel took it: it may refuse, or want to be asked again later, and nothing but speed hangs on it */
function setSessionNiceness(niceness: number): boolean {
  try {
    writeFileSync(SESSION, `${niceness}`);
    return true;
  } catch {
    return false;
  }
}
