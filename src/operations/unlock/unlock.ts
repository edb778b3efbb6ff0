import { describeHolder, removeLocks, type StandingLock } from '../../repository/index.ts';
import { requireApproval } from '../approvals/approvals.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import { takesTwoPersons } from '../revisions/revisions.ts';
import type { Workspace } from '../workspace.ts';

export interface UnlockedLock {
  /** The id of the lock's object. */
  id: string;
  holder: string;
  exclusive: boolean;
  /** RFC 3339; absent when the lock cannot be read. */
  since?: string;
}

export interface Unlocked {
  repository: string;
  removed: UnlockedLock[];
  /** Locks of who is at work. */
  left: UnlockedLock[];
}

/** Removes locks of repositories, all of the plan's or one: those that bind nobody, or with `all` every one. */
export async function unlock(
  workspace: Workspace,
  { repository: name, all, dryRun }: { repository?: string; all: boolean; dryRun: boolean },
): Promise<OfRepositories<Unlocked>> {
  const { clock } = workspace.environment;
  if (all && !dryRun && (await takesTwoPersons(workspace, 'unlock'))) {
    const subject = `locks of ${name ?? 'all repositories'}`;
    await requireApproval(workspace, { action: 'unlock', subject, why: 'locks of who seems to be at work' });
  }
  const names = name === undefined ? workspace.plan.repositories.keys() : [name];
  return eachRepository(workspace, names, async (repository) => {
    const opened = await workspace.open(repository);
    const { removed, left } = await removeLocks(opened.repository, { clock, all, dryRun });
    const locks = removed.map(shown);
    if (locks.length > 0 && !dryRun) {
      await opened.ledger.append('locks.removed', { repository, locks: locks.map(({ id }) => id), all });
    }
    return { repository, removed: locks, left: left.map(shown) };
  });
}

function shown(standing: StandingLock): UnlockedLock {
  const { key, lock } = standing;
  return {
    id: key.slice(key.lastIndexOf('/') + 1),
    holder: describeHolder(standing),
    exclusive: lock?.exclusive ?? true,
    ...(lock !== undefined && { since: lock.time }),
  };
}
