import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import type { Workspace } from '../../operations/index.ts';
import { EpochLease, type LeaseHolder } from '../../repository/index.ts';
import type { RunRecord } from '../engine/run-record.ts';
import { statesIn } from './list.ts';

const LOOK_EVERY_MS = 1000;

export interface OpeningOnce {
  workspace: Workspace;
  record: RunRecord;
  runbook: string;
  pause: Pause;
  /** Is told whom it waits for. */
  tell?: ((line: string) => void) | undefined;
}

/**
 * Opens an incident of a runbook where none is under way, and no other process opens one meanwhile: a lease on the runbook is
 * held from the look into the ledger until the opening is recorded. Who is about to open one is waited for.
 * @param open returns the id once it is recorded
 * @throws incident-exists where one is under way; store-unreachable where it took so long that another process may have opened
 *   one: then this one is ended. Where no store decides a race, whoever runs the steps has to know that nobody else does.
 */
export async function openOnce(options: OpeningOnce, open: () => Promise<string>): Promise<string> {
  const { record, runbook } = options;
  const lease = await leaseOn(options);
  try {
    await assertNoneUnderWay(record, runbook);
    const incident = await open();
    if (lease === undefined || lease.isHeld) return incident;
    const why = 'it took so long to be recorded that another process may have opened one';
    await record.append('incident.closed', { incident, outcome: 'aborted', why });
    throw new HoldfastError('store-unreachable', `${incident} of ${runbook} was ended at once: ${why}`, {
      hint: 'See `holdfast incident list`, and start it again where none is open.',
      context: { run: incident },
    });
  } finally {
    // One that is not given back runs out by itself, and says of nobody that an incident is under way.
    if (lease !== undefined) await settled(lease.release());
  }
}

async function leaseOn({ workspace, record, runbook, pause, tell }: OpeningOnce): Promise<EpochLease | undefined> {
  const options = { clock: workspace.environment.clock, pause, name: `opening-${runbook}` };
  for (let isTold = false; ; isTold = true) {
    await assertNoneUnderWay(record, runbook);
    const { repository } = await record.firstInReach();
    try {
      const taken = await EpochLease.take(repository, options, false);
      if ('lease' in taken) return taken.lease;
      if (!isTold) tell?.(waitingText(runbook, taken.holder));
    } catch (error) {
      if (isHoldfastError(error, 'store-unsuitable')) return undefined;
      throw error;
    }
    await pause(LOOK_EVERY_MS);
  }
}

function waitingText(runbook: string, holder: LeaseHolder | undefined): string {
  const who =
    holder === undefined ? 'another process' : `${holder.username}@${holder.hostname} (process ${holder.pid})`;
  return `${who} is starting ${runbook} just now: waits until that is recorded, or its process is known to be gone, which takes four minutes at most; \`--another\` waits for nobody`;
}

/** @throws incident-exists */
async function assertNoneUnderWay(record: RunRecord, name: string): Promise<void> {
  const open = statesIn(await record.read()).find(
    ({ kind, runbook, ended }) => kind === 'incident' && runbook === name && ended === undefined,
  );
  if (open === undefined) return;
  const startedAt = new Date(open.startedMs).toISOString();
  throw new HoldfastError(
    'incident-exists',
    `${name} is under way already, since ${startedAt}, started by ${open.by}: ${open.id}`,
    {
      hint: `See \`holdfast incident show ${open.id}\`, and go on with it by \`holdfast incident resume ${open.id}\` where its process is gone. \`--another\` opens one more.`,
      context: { incident: open.id, by: open.by },
    },
  );
}
