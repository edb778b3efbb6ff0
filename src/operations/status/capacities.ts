import { isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { StorePlan } from '../../plan/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type RepositoryCapacity, repositoryCapacity, usedBytes } from './capacity.ts';

/**
 * How full a repository or archive is, and its mirrors, of those that the plan names a capacity of. A mirror that cannot be
 * had is told of as such, and left out here. It lists all of each store.
 * @param events of the repository's ledger, oldest first
 */
export async function capacitiesOf(
  workspace: Workspace,
  { name, repository }: OpenedRepository,
  events: LedgerEvent[],
): Promise<RepositoryCapacity[]> {
  const { plan, environment } = workspace;
  const { archive } = plan.repositories.get(name) ?? {};
  const own = [...plan.sources.values()].filter((source) => source.repository === name);
  const sources = archive?.sources.map((source) => ({ name: source, retention: archive.retention })) ?? own;
  const capacityOf = async (planned: StorePlan | undefined, store: ObjectStore): Promise<RepositoryCapacity[]> => {
    if (planned?.capacity === undefined) return [];
    const kept = { used: await usedBytes(store), sources, events, nowMs: environment.clock.nowMs() };
    return [repositoryCapacity({ name: planned.name, capacity: planned.capacity }, kept)];
  };
  const ofMirrors = workspace.mirrorsOf(name).map(async (mirror) => {
    try {
      return await capacityOf(plan.mirrors.get(mirror), (await workspace.storeOf(mirror)).store);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return [];
    }
  });
  return (await Promise.all([capacityOf(plan.repositories.get(name), repository.store), ...ofMirrors])).flat();
}
