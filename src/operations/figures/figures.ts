import { type Status, status } from '../status/status.ts';
import type { Workspace } from '../workspace.ts';
import { type LedgerFigures, ledgerFigures } from './ledger-figures.ts';

/** What is measured of a plan at one moment. */
export interface Figures extends LedgerFigures {
  status: Status;
}

/** @throws what keeps the plan's repositories from being read */
export async function gatherFigures(workspace: Workspace): Promise<Figures> {
  const [now, ledgers] = await Promise.all([
    status(workspace),
    Promise.all(workspace.homeNames.map(async (name) => (await workspace.open(name)).ledger.read())),
  ]);
  return { status: now, ...ledgerFigures(ledgers) };
}
