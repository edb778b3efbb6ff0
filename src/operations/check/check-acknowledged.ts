import { isHoldfastError } from '../../foundation/errors.ts';
import type { BackupFinished, Summary } from '../../ledger/index.ts';
import { type Finding, SNAPSHOTS_PREFIX } from '../../repository/index.ts';
import { acknowledgedKey, withoutTheirTrees } from '../acknowledged.ts';
import { removedBy } from '../mirrors/removals.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/** What the ledger says is to be in a repository. */
interface Acknowledged {
  /** By key: snapshots that were taken, and of which nobody recorded that they were to go. */
  standing: Map<string, BackupFinished>;
  /** Of each source the key of the snapshot of all of it that was taken last. */
  newest: Map<string, string>;
}

const acknowledgedSummary: Summary<Acknowledged> = {
  name: 'acknowledged-1',
  initial: () => ({ standing: new Map(), newest: new Map() }),
  add({ standing, newest }, event) {
    if (event.kind === 'backup.finished') {
      const { source, only } = event.body;
      const key = acknowledgedKey(event.body);
      standing.set(key, event.body);
      if (only === undefined) newest.set(source, key);
    } else for (const key of removedBy(event)) standing.delete(key);
  },
  copy: ({ standing, newest }) => ({ standing: new Map(standing), newest: new Map(newest) }),
  // What this machine keeps of a ledger says nothing of what somebody may have done to it.
  isOfThisProcess: true,
};

/**
 * Snapshots that the ledger says were taken, that are not there, and of which nobody recorded that they were to go. Other
 * programs may remove some, as stock `restic forget` does, which leaves the newest: a source of the plan whose newest is
 * gone has lost what was acknowledged.
 * @param notes takes what keeps this from being known
 */
export async function checkAcknowledged(
  workspace: Workspace,
  opened: OpenedRepository,
  notes: string[],
): Promise<Finding[]> {
  const { name, repository, ledger } = opened;
  // A mirror's copy of the ledger may be ahead of what is copied, and another time lacks what came later.
  if (workspace.plan.mirrors.has(name) || workspace.environment.asOfMs !== undefined) return [];
  try {
    const before = acknowledgedSummary.copy((await ledger.view(acknowledgedSummary).read()).state);
    // Listed after the ledger was read, so that all that it names was there.
    const there = new Set<string>();
    for await (const { key } of repository.store.list(SNAPSHOTS_PREFIX)) there.add(key);
    if ([...before.standing.keys()].every((key) => there.has(key))) return [];
    // A removal is recorded before it is done: what went in the meantime is named by now.
    const { standing } = (await ledger.view(acknowledgedSummary).read()).state;
    const absent = [...before.standing].flatMap(([key, each]) => (!there.has(key) && standing.has(key) ? [each] : []));
    if (absent.length === 0) return [];
    const { snapshots } = await readableSnapshots(repository);
    return withoutTheirTrees(absent, snapshots).map((backup): Finding => {
      const { source, time } = backup;
      const key = acknowledgedKey(backup);
      const message = `of ${source} of ${time} is gone, and nobody recorded that it was to be removed`;
      const isNewest = before.newest.get(source) === key && workspace.plan.sources.has(source);
      return {
        severity: isNewest ? 'error' : 'note',
        where: key,
        message: isNewest ? `the newest backup ${message}` : `the backup ${message}`,
      };
    });
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    notes.push(`which snapshots were acknowledged is not known: ${error.message}`);
    return [];
  }
}
