import type { OpenedRepository, Workspace } from '../workspace.ts';

/**
 * Puts the events of days that are over together, in the ledger of one repository: see `Ledger.fold`.
 * @returns how many objects went
 * @throws repository-damaged when an event cannot be read; what keeps the repository from being opened
 */
export async function foldLedger(workspace: Workspace, name: string): Promise<number> {
  return foldOpened(await workspace.open(name));
}

/** Credentials that may not delete leave it to others. */
export async function foldOpened({ repository, ledger }: OpenedRepository): Promise<number> {
  const { deletes = true } = await repository.store.capabilities();
  return deletes ? (await ledger.fold()).removed : 0;
}
