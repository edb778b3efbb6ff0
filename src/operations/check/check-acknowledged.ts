import { isHoldfastError } from '../../foundation/errors.ts';
import type { BackupFinished } from '../../ledger/index.ts';
import type { Finding } from '../../repository/index.ts';
import { namedAsRemoved } from '../mirrors/removals.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/**
 * Snapshots that the ledger says were taken, that are not there, and of which nobody recorded that they were to go. Other
 * programs may remove some, as stock `restic forget` does, which leaves the newest: a source of the plan whose newest is
 * gone has lost what was acknowledged.
 * @param notes takes what keeps this from being known
 */
export async function checkAcknowledged(
  workspace: Workspace,
  { name, repository, ledger }: OpenedRepository,
  notes: string[],
): Promise<Finding[]> {
  // A mirror's copy of the ledger may be ahead of what is copied, and another time lacks what came later.
  if (workspace.plan.mirrors.has(name) || workspace.environment.asOfMs !== undefined) return [];
  try {
    const taken = (await ledger.events({ kinds: ['backup.finished'] })).flatMap((event) =>
      event.kind === 'backup.finished' ? [event.body] : [],
    );
    // Listed after the ledger was read, so that all that it names was there; a removal is recorded before it is done.
    const there = new Set<string>();
    for await (const { key } of repository.store.list('snapshots/')) there.add(key);
    const absent = taken.map(keyOf).filter((key) => !there.has(key));
    if (absent.length === 0) return [];
    const removed = await namedAsRemoved(workspace, { repository, ledger }, absent);
    const newest = new Set([...newestBySource(taken).values()].map(keyOf));
    return taken.flatMap((backup): Finding[] => {
      const key = keyOf(backup);
      if (there.has(key) || removed.has(key)) return [];
      const message = `of ${backup.source} of ${backup.time} is gone, and nobody recorded that it was to be removed`;
      const isNewest = newest.has(key) && workspace.plan.sources.has(backup.source);
      return [
        {
          severity: isNewest ? 'error' : 'note',
          where: key,
          message: isNewest ? `the newest backup ${message}` : `the backup ${message}`,
        },
      ];
    });
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    notes.push(`which snapshots were acknowledged is not known: ${error.message}`);
    return [];
  }
}

function keyOf({ snapshot }: BackupFinished): string {
  return `snapshots/${snapshot}`;
}

/** The last that was recorded of each source, of all of it. */
function newestBySource(taken: readonly BackupFinished[]): Map<string, BackupFinished> {
  return new Map(taken.flatMap((each) => (each.only === undefined ? [[each.source, each] as const] : [])));
}
