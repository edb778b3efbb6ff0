import { isHoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import { clearVersions, type PruneReport, pruneRepository } from '../../repository/index.ts';
import { isOffline } from '../archives/recall.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import { refuseWhileResting } from '../incidents/resting.ts';
import { foldOpened } from '../ledger/fold-ledger.ts';
import { holdsOf, lockPolicyOf, lockScope } from '../object-lock/lock-scope.ts';
import { freeingSpace } from '../unwritable.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface PruneOfRepository extends PruneReport {
  repository: string;
  /** Objects of the ledger that went, since what they had lies together with all of its day. */
  foldedObjects: number;
  /** Versions of objects that were removed since nobody needs them, where objects are locked. */
  clearedVersions: number;
  durationMs: number;
}

/**
 * Frees the space of what no snapshot needs in these repositories, or in all, and puts the ledger's events of days that are
 * over together. What is removed is named in the ledger before the first of it goes.
 * @throws what keeps it from all of them, where that is of one kind: incident-open, repository-locked, repository-damaged
 */
export async function prune(
  workspace: Workspace,
  names: readonly string[],
  { dryRun }: { dryRun: boolean },
): Promise<OfRepositories<PruneOfRepository>> {
  for (const name of names) workspace.assertNoMirror(workspace.repositoryName(name));
  const wanted = names.length > 0 ? new Set(names) : workspace.plan.repositories.keys();
  return eachRepository(workspace, wanted, (name) => freeingSpace(() => pruneOne(workspace, name, dryRun)));
}

async function pruneOne(workspace: Workspace, name: string, dryRun: boolean): Promise<PruneOfRepository> {
  const { clock, signal } = workspace.environment;
  const started = clock.monotonicMs();
  const opened = await workspace.open(name);
  if (!dryRun) await refuseWhileResting(workspace, 'prune');
  const { repository, ledger } = opened;
  const heldUntil = holdsOf(workspace, name, repository.store);
  const progress = workspace.environment.progress(name);
  try {
    const report = await pruneRepository(repository, {
      clock,
      signal,
      progress,
      dryRun,
      ...(heldUntil && { heldUntil }),
      isOffline: isOffline(workspace, name),
      announce: (removal) => ledger.append('prune.removing', { repository: name, ...removal }),
    });
    const foldedObjects = dryRun ? 0 : await foldOpened(opened);
    const clearedVersions = dryRun ? 0 : await clearOld(workspace, opened);
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
    return { repository: name, ...report, foldedObjects, clearedVersions, durationMs };
  } finally {
    progress.finish();
  }
}

/** Credentials that may not list versions leave them to others. */
async function clearOld(workspace: Workspace, opened: OpenedRepository): Promise<number> {
  const { name, repository } = opened;
  const { store } = repository;
  const policy = lockPolicyOf(workspace, name);
  if (policy === undefined) return 0;
  try {
    return await clearVersions(store, lockScope(workspace, opened, { store, policy, progress: noProgress }));
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    return 0;
  }
}
