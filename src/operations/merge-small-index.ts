import { mergeIndex } from '../repository/index.ts';
import type { OpenedRepository, Workspace } from './workspace.ts';

/**
 * Makes few index files of many small ones, as backups that follow one another leave them and each further one reads, and
 * records which go. Credentials that may not delete leave it to others.
 * @throws repository-locked, repository-damaged
 */
export async function mergeSmallIndex(
  { environment: { clock } }: Workspace,
  { name, repository, ledger }: OpenedRepository,
): Promise<void> {
  const { deletes = true } = await repository.store.capabilities();
  if (!deletes) return;
  await mergeIndex(repository, {
    clock,
    announce: (indexes) => ledger.append('prune.removing', { repository: name, packs: [], indexes }),
  });
}
