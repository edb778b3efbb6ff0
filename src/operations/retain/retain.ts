import { lockRepository, removeSnapshot, type StoredSnapshot, snapshotKey } from '../../repository/index.ts';
import { eachRepository, type RepositoryFailure } from '../attempt-each.ts';
import { refuseWhileResting } from '../incidents/resting.ts';
import { mergeSmallIndex } from '../merge-small-index.ts';
import { holdsOf } from '../object-lock/lock-scope.ts';
import { refuseUnappliedRetention } from '../revisions/revisions.ts';
import { freeingSpace } from '../unwritable.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { DecidedSnapshot } from './decide.ts';
import { decideAll, type HeldSnapshot, type RetainedSource, type RetentionOfSource, retainedIn } from './decide-all.ts';

export interface Retained {
  sources: RetentionOfSource[];
  /** Repositories where nothing was decided; what was removed there before it failed is in their ledger. */
  failures: RepositoryFailure[];
}

/**
 * Removes the snapshots of these sources, or all, that the plan's retention does not keep: in the repository that a source is
 * kept in its own retention, in an archive that of the archive. What only they referred to goes
 * with the next prune. A snapshot that another plan or program made is never touched.
 *
 * The lock is exclusive towards others, as that of restic's `forget` is; our own backups and restores go on beside it:
 * they need no other snapshot's document, and nothing that it refers to goes yet.
 * @throws what keeps it from all repositories, where that is of one kind: repository-locked, repository-damaged, incident-open
 */
export async function retain(
  workspace: Workspace,
  names: readonly string[],
  { dryRun }: { dryRun: boolean },
): Promise<Retained> {
  const { plan } = workspace;
  const chosen = new Set(workspace.sources(names).map(({ name }) => name));
  const ownOf = (repository: string) => retainedIn(plan, repository).filter(({ name }) => chosen.has(name));
  const holding = [...plan.repositories.keys()].filter((repository) => ownOf(repository).length > 0);
  const { repositories, failures } = await eachRepository(workspace, holding, async (repository) =>
    freeingSpace(async () => retainIn(workspace, await workspace.open(repository), ownOf(repository), dryRun)),
  );
  const order = [...chosen];
  const placeOf = ({ source, isArchive }: RetentionOfSource) => order.indexOf(source) + (isArchive ? order.length : 0);
  return { sources: repositories.flat().toSorted((one, other) => placeOf(one) - placeOf(other)), failures };
}

/**
 * The same of all sources that one repository keeps; and what lists the content of many backups becomes few files again.
 * @throws unknown-repository, repository-locked, repository-damaged
 */
export async function retainRepository(workspace: Workspace, repository: string): Promise<RetentionOfSource[]> {
  const opened = await workspace.open(repository);
  const retained = await retainIn(workspace, opened, retainedIn(workspace.plan, repository), false);
  await mergeSmallIndex(workspace, opened);
  return retained;
}

/**
 * The same of one source, in the repository that it is kept in.
 * @throws repository-locked, repository-damaged
 */
export async function retainSource(
  workspace: Workspace,
  opened: OpenedRepository,
  source: RetainedSource,
): Promise<RetentionOfSource[]> {
  return retainIn(workspace, opened, [source], false);
}

async function retainIn(
  workspace: Workspace,
  opened: OpenedRepository,
  sources: readonly RetainedSource[],
  dryRun: boolean,
): Promise<RetentionOfSource[]> {
  if (dryRun) {
    const decided = await decideAll(workspace, opened, sources);
    return Promise.all(
      decided.map(async (each) => ({ ...each, held: await heldOf(workspace, opened, each.snapshots) })),
    );
  }
  await refuseWhileResting(workspace, 'retention');
  await refuseUnappliedRetention(workspace);
  const { clock, signal } = workspace.environment;
  const lock = await lockRepository(opened.repository, { exclusive: true, besideOurs: [], clock });
  try {
    const results: RetentionOfSource[] = [];
    for (const decided of await decideAll(workspace, opened, sources)) {
      const result = { ...decided, held: await heldOf(workspace, opened, decided.snapshots), removed: true };
      await remove(opened, result, () => {
        signal.throwIfAborted();
        lock.assertHeld();
      });
      results.push(result);
    }
    return results;
  } finally {
    await lock.release();
  }
}

/** When a run dies, the next one decides the same of those that are left. */
async function remove(
  { repository, ledger }: OpenedRepository,
  { source, repository: name, snapshots, held }: RetentionOfSource,
  mayGoOn: () => void,
): Promise<void> {
  const isHeld = new Set(held.map(({ snapshot }) => snapshot));
  const going = goingOf(snapshots).filter(({ id }) => !isHeld.has(id));
  if (going.length === 0) return;
  mayGoOn();
  await ledger.append('retention.decided', {
    source,
    repository: name,
    kept: snapshots.length - going.length,
    removed: going.map(({ id, tree, time }) => ({ snapshot: id, tree, time })),
  });
  for (const { id } of going) {
    mayGoOn();
    await removeSnapshot(repository, id);
  }
}

/** Those that nothing keeps but their lock: to remove them would only hide them, or be refused. */
async function heldOf(
  workspace: Workspace,
  { name, repository }: OpenedRepository,
  snapshots: readonly DecidedSnapshot[],
): Promise<HeldSnapshot[]> {
  const heldUntil = holdsOf(workspace, name, repository.store);
  if (heldUntil === undefined) return [];
  const looked = await Promise.all(
    goingOf(snapshots).map(async ({ id }) => {
      const untilMs = await heldUntil(snapshotKey(id));
      return untilMs === undefined ? [] : { snapshot: id, until: new Date(untilMs).toISOString() };
    }),
  );
  return looked.flat();
}

/** The snapshots that nothing keeps, oldest first. */
function goingOf(snapshots: readonly DecidedSnapshot[]): StoredSnapshot[] {
  return snapshots.flatMap(({ snapshot, reasons }) => (reasons.length === 0 ? [snapshot] : [])).reverse();
}
