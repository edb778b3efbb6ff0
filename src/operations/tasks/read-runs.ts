import { messageOf } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Workspace } from '../workspace.ts';
import { KnownRuns } from './known-runs.ts';

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
  const ledgers = [await workspace.recorder().waiting()];
  for (const name of workspace.plan.repositories.keys()) {
    try {
      ledgers.push(await (await workspace.open(name)).ledger.read());
    } catch (error) {
      if (name === home) throw error;
      unread(name, messageOf(error));
    }
  }
  return new KnownRuns(inOrder(ledgers));
}

/** The events of each in its own order, which may not be that of their times, and those of several by their times. */
function* inOrder(ledgers: readonly (readonly LedgerEvent[])[]): Generator<LedgerEvent> {
  const rests = ledgers.map((events) => ({ events, at: 0 }));
  for (;;) {
    let next: (typeof rests)[number] | undefined;
    for (const rest of rests) {
      const head = rest.events[rest.at];
      if (head !== undefined && (next === undefined || head.time < next.events[next.at]!.time)) next = rest;
    }
    if (next === undefined) return;
    yield next.events[next.at++]!;
  }
}
