import { type PruneReport, pruneRepository } from '../../repository/index.ts';
import { isOffline } from '../archives/recall.ts';
import type { Workspace } from '../workspace.ts';

export interface PruneOfRepository extends PruneReport {
  repository: string;
  durationMs: number;
}

/**
 * Frees the space of what no snapshot needs in these repositories, or in all. What is removed is named in the ledger before
 * the first of it goes.
 * @throws repository-locked, repository-damaged
 */
export async function prune(
  workspace: Workspace,
  names: readonly string[],
  { dryRun }: { dryRun: boolean },
): Promise<PruneOfRepository[]> {
  const results: PruneOfRepository[] = [];
  for (const name of names.length > 0 ? new Set(names) : workspace.plan.repositories.keys()) {
    results.push(await pruneOne(workspace, name, dryRun));
  }
  return results;
}

async function pruneOne(workspace: Workspace, name: string, dryRun: boolean): Promise<PruneOfRepository> {
  const { clock, signal } = workspace.environment;
  const started = clock.monotonicMs();
  const { repository, ledger } = await workspace.open(name);
  const progress = workspace.environment.progress(name);
  try {
    const report = await pruneRepository(repository, {
      clock,
      signal,
      progress,
      dryRun,
      isOffline: isOffline(workspace, name),
      announce: (removal) => ledger.append('prune.removing', { repository: name, ...removal }),
    });
    const durationMs = clock.monotonicMs() - started;
    if (!dryRun) {
      await ledger.append('prune.finished', {
        repository: name,
        markedPacks: report.marked.packs,
        removedPacks: report.swept.packs,
        removedBytes: report.swept.bytes,
        waiting: report.waitingFor !== undefined,
        durationMs,
      });
    }
    return { repository: name, ...report, durationMs };
  } finally {
    progress.finish();
  }
}
