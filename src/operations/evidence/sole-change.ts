import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import { EpochLease, type LeaseHolder } from '../../repository/index.ts';
import { homeLedgers } from '../home-ledgers.ts';
import { withLock } from '../locked.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

const LONGEST_PAUSE_MS = 1_000;

/** Sees that nobody else has begun to change the keys meanwhile. @throws lock-lost */
type Confirm = () => Promise<void>;

/**
 * Work on the list of the keys that sign, which nobody else changes meanwhile, on whichever machine: two lists of one revision
 * would each leave out what the other has. A lease in the plan's first repository decides, or a lock of it where its store cannot
 * decide which of two was first.
 * @param options `attempts`: how often it is tried, about once a second, while others are at it
 * @throws repository-locked where somebody else is at it
 */
export async function changeKeysAlone<T>(
  workspace: Workspace,
  work: (confirm: Confirm) => Promise<T>,
  { attempts = 1 }: { attempts?: number } = {},
): Promise<T> {
  const pause = pauseUntilAborted(workspace.environment.signal);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await changeAlone(workspace, work);
    } catch (error) {
      if (!isHoldfastError(error, 'repository-locked') || attempt >= attempts) throw error;
      // By chance: two that wait equally long would take their locks together again, and give way to each other again.
      await pause(Math.random() * LONGEST_PAUSE_MS);
    }
  }
}

async function changeAlone<T>(workspace: Workspace, work: (confirm: Confirm) => Promise<T>): Promise<T> {
  const [home] = (await homeLedgers(workspace)).ledgers as [OpenedRepository];
  if (!(await home.repository.store.capabilities()).conditionalPut) {
    return withLock(workspace, home, { exclusive: true }, (lock) => work(() => lock.confirm()));
  }
  const { clock, signal } = workspace.environment;
  const options = { clock, pause: pauseUntilAborted(signal), name: 'signing-keys', plan: workspace.plan.name };
  const taken = await EpochLease.take(home.repository, options, false);
  if (!('lease' in taken)) throw changing(home.name, taken.holder);
  try {
    return await work(() => taken.lease.renew());
  } finally {
    // What cannot be given back runs out, and what was done is done.
    await settled(taken.lease.release());
  }
}

function changing(repository: string, holder: LeaseHolder | undefined): HoldfastError {
  const who =
    holder === undefined ? 'another process' : `process ${holder.pid} of ${holder.username} on ${holder.hostname}`;
  return new HoldfastError('repository-locked', `${who} is changing the signing keys just now`, {
    hint: 'Look at `holdfast evidence keys` once it has ended, then say the same again if that is still wanted. One that died on another machine lets go after four minutes.',
    context: { repository, ...(holder && { pid: holder.pid, hostname: holder.hostname }) },
  });
}
