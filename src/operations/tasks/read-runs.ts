import { messageOf } from '../../foundation/errors.ts';
import type { Workspace } from '../workspace.ts';
import type { KnownRuns } from './known-runs.ts';
import { knownRunsOf, type TaskHistories, taskSummary } from './task-history.ts';

/**
 * What is known of runs: from the ledgers of all the plan's repositories, and what waits on this machine to go there.
 * @param unread told of a ledger that cannot be read beside the first: what was done by hand there is not known
 * @throws what keeps the first repository that sources are kept in from being read
 */
export async function readRuns(
  workspace: Workspace,
  unread: (repository: string, why: string) => void,
): Promise<KnownRuns> {
  const [home] = workspace.homeNames;
  const waiting: TaskHistories = taskSummary.initial();
  const ledgers = [waiting];
  for (const event of await workspace.recorder().waiting()) taskSummary.add(waiting, event);
  for (const name of workspace.plan.repositories.keys()) {
    try {
      const { state } = await (await workspace.open(name)).ledger.view(taskSummary).read();
      ledgers.push(state);
    } catch (error) {
      if (name === home) throw error;
      unread(name, messageOf(error));
    }
  }
  return knownRunsOf(ledgers);
}
