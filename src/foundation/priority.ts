/** How much of the processors this process gets where they do not suffice for all. */
import { readFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { lowerSession } from './session-weight.ts';

const { PRIORITY_BELOW_NORMAL: BELOW_NORMAL } = constants.priority;

/** What this process goes by, and all its threads with it. */
const own = {
  /** It has time, but for work that has not. */
  isLow: false,
  /** How much work is under way that has no time. */
  urgent: 0,
  /** Its niceness from before, where it was lowered. */
  before: undefined as number | undefined,
  raiseSession: undefined as (() => void) | undefined,
};

/**
 * Lets others on this machine go first: a backup has time, and who works with what is backed up has not. Threads and processes
 * that are started from then on go by it, too.
 * @param hasUrgentWork `atFullWeight` is to be possible: where a process may not raise its niceness again, only the session of
 *   its own is lowered
 */
export async function letOthersGoFirst({ hasUrgentWork = false }: { hasUrgentWork?: boolean } = {}): Promise<void> {
  own.isLow = true;
  if (own.urgent === 0) await lower(!hasUrgentWork || mayRaise());
}

/** Does what has no time, with the weight that this process had before it let others go first. */
export async function atFullWeight<Result>(work: () => Promise<Result>): Promise<Result> {
  own.urgent++;
  raise();
  try {
    return await work();
  } finally {
    own.urgent--;
    if (own.urgent === 0 && own.isLow) await lower(mayRaise());
  }
}

async function lower(isOwnLowered: boolean): Promise<void> {
  const before = getPriority();
  if (isOwnLowered && before < BELOW_NORMAL) {
    setPriority(BELOW_NORMAL);
    own.before = before;
  }
  if (own.raiseSession !== undefined) return;
  const raiseSession = await lowerSession(BELOW_NORMAL);
  if (own.urgent > 0 || own.raiseSession !== undefined) raiseSession?.();
  else own.raiseSession = raiseSession;
}

function raise(): void {
  own.raiseSession?.();
  own.raiseSession = undefined;
  if (own.before === undefined || !mayRaise()) return;
  setPriority(own.before);
  own.before = undefined;
}

const CAP_SYS_NICE = 23n;
/** Of the limit that counts the other way: 20 stands for the niceness that processes begin with. */
const NORMAL_LIMIT = 20;

/** Source: setpriority(2), "CAP_SYS_NICE", and getrlimit(2), RLIMIT_NICE. */
function mayRaise(): boolean {
  try {
    const [, capabilities = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    const [, limit = '0'] = /^Max nice priority\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    const isCapable = ((BigInt(`0x${capabilities}`) >> CAP_SYS_NICE) & 1n) === 1n;
    return isCapable || limit === 'unlimited' || Number(limit) >= NORMAL_LIMIT;
  } catch {
    // Systems without such files have no such rights either, but for their administrator.
    return process.getuid?.() === 0;
  }
}
