import { digestOf, digestSummary } from '../alerts/facts/digest.ts';
import { type Status, status } from '../status/status.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { countsSummary, type LedgerFigures, ledgerFigures } from './ledger-figures.ts';

/** What is measured of a plan at one moment. */
export interface Figures extends LedgerFigures {
  status: Status;
}

/** Of the ledgers only what came to them since the last time is read. @throws what keeps the plan's repositories from being read */
export async function gatherFigures(workspace: Workspace): Promise<Figures> {
  const [now, ledgers] = await Promise.all([
    status(workspace, newestEvents),
    Promise.all(
      workspace.homeNames.map(async (name) => (await workspace.open(name)).ledger.view(countsSummary).read()),
    ),
  ]);
  return { status: now, ...ledgerFigures(ledgers.map(({ state }) => state)) };
}

/** Of what is frequent the newest, which tell how things are now. */
async function newestEvents({ ledger }: OpenedRepository) {
  const { bySource, own } = digestOf((await ledger.view(digestSummary).read()).state);
  return [...own, ...[...bySource.values()].flat()];
}
