import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { checkCoverage, type Finding, findHidden, findingOfHidden } from '../../repository/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { lockPolicyOf, lockScope } from './lock-scope.ts';

export interface CheckedLock {
  findings: Finding[];
  /** Where the store was asked for each lock: objects that are needed, and those whose lock is as it should be. */
  asked?: { needed: number; covered: number };
}

/**
 * What somebody hid in a repository or mirror whose objects are locked; with `lock` also what is not locked as the plan says.
 * Undefined where the plan locks nothing there, or it is looked at as of another time.
 */
export async function checkLock(
  workspace: Workspace,
  opened: OpenedRepository,
  { lock, progress }: { lock: boolean; progress: Progress },
): Promise<CheckedLock | undefined> {
  const { repository } = opened;
  const { store } = repository;
  const policy = lockPolicyOf(workspace, opened.name);
  if (policy === undefined || workspace.environment.asOfMs !== undefined) return undefined;
  const scope = lockScope(workspace, opened, { store, policy, progress });
  try {
    if (lock) {
      const { findings, needed, covered } = await checkCoverage(repository, scope);
      return { findings, asked: { needed, covered } };
    }
    progress.phase('looking for what is hidden');
    const hidden = await findHidden(repository, { store, namedAsRemoved: scope.namedAsRemoved });
    return { findings: hidden.map(findingOfHidden) };
  } catch (error) {
    const isRefused = isHoldfastError(error, 'permission-denied');
    if (!isRefused && !isHoldfastError(error, 'repository-damaged')) throw error;
    const message = `what is hidden${lock ? ' or not locked' : ''} could not be told: ${error.message}`;
    // Who asks for locks must not take it that all is well; without that, a reader's credentials are enough.
    return { findings: [{ severity: isRefused && !lock ? 'note' : 'error', where: store.location, message }] };
  }
}
