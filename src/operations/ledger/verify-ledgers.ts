import type { LedgerFault } from '../../ledger/index.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import type { Workspace } from '../workspace.ts';
import { type CheckpointChoice, checkpointFor, hasCheckpoint } from './checkpoints.ts';
import { ledgerNames } from './ledger-log.ts';

export interface LedgerVerdict {
  repository: string;
  /** `untampered` up to the moment of a checkpoint; `consistent`: nothing contradicts itself, and nobody vouches for it. */
  state: 'consistent' | 'untampered' | 'tampered';
  events: number;
  writers: number;
  objects: number;
  from?: string;
  to?: string;
  untamperedUpTo?: string;
  /** Whether no checkpoint of it was ever made: nobody could tell whether its newest events were cut. */
  isUnsigned: boolean;
  /** Events that no checkpoint binds. */
  unbound: number;
  /** Of those, events that bear a time before the checkpoint's. */
  unboundBefore: number;
  faults: LedgerFault[];
  /** What a process that was stopped left. */
  left: string[];
  /** Events that wait on this machine. */
  waiting: number;
  durationMs: number;
}

/**
 * Reads every object of the ledgers, with no cache between, and holds them against a signed checkpoint: the one that is
 * given, or the newest that the repository holds.
 * @param choice.repository all of the plan, when left out
 * @throws repository-damaged when the checkpoint cannot be believed; what keeps all from being read,
 *   where that is of one kind
 */
export async function verifyLedgers(
  workspace: Workspace,
  { repository, ...choice }: CheckpointChoice & { repository?: string },
): Promise<OfRepositories<LedgerVerdict>> {
  const { clock } = workspace.environment;
  return eachRepository(workspace, ledgerNames(workspace, repository), async (name) => {
    const startedMs = clock.monotonicMs();
    const opened = await workspace.openToRead(name, { uncached: true });
    const checkpoint = await checkpointFor(workspace, opened, choice);
    const { heads: _heads, digest: _digest, ...verified } = await opened.ledger.verify(checkpoint);
    const isBound = verified.untamperedUpTo !== undefined;
    const recorder = workspace.plan.mirrors.has(name) ? undefined : workspace.recorder(name);
    return {
      repository: name,
      state: verified.faults.length > 0 ? 'tampered' : isBound ? 'untampered' : 'consistent',
      ...verified,
      isUnsigned: checkpoint === undefined && !(await hasCheckpoint(opened)),
      waiting: (await recorder?.waiting())?.length ?? 0,
      durationMs: clock.monotonicMs() - startedMs,
    };
  });
}
