import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { findSnapshot, type StoredSnapshot } from '../../repository/index.ts';
import { eachRepository, type RepositoryFailure } from '../attempt-each.ts';
import { latestClean, type Mark, marksOf } from '../marks/marks.ts';
import { statesOf } from '../proofs.ts';
import { allSnapshotsOf, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface ListedSnapshot extends StoredSnapshot {
  repository: string;
  /** It stays, whatever the retention says. */
  held?: Mark;
  /** It differs so much from what is usual that nobody should trust it unseen. */
  suspected?: Mark;
}

export interface SnapshotList {
  snapshots: ListedSnapshot[];
  /** Why snapshots that there are could not be read. */
  damaged: HoldfastError[];
  /** Repositories that could not be read: what they hold is not listed. */
  failures: RepositoryFailure[];
  /** Of one source: its newest recovery point from before all that is suspected. */
  latestClean?: string;
}

/**
 * The snapshots of a source of the plan, or all that the plan's repositories hold but its archives, oldest first.
 * @throws what keeps all repositories from being read, where that is of one kind
 */
export async function listAll(workspace: Workspace, source?: string, repository?: string): Promise<SnapshotList> {
  const { planned, names } = asked(workspace, source, repository);
  const { repositories: lists, failures } = await eachRepository(
    workspace,
    names,
    async (name) => {
      const list = await listIn(workspace, name, planned);
      const { events, damage } = await eventsOf(await workspace.openToRead(name));
      const { held, suspected } = marksOf(events);
      const snapshots = list.snapshots.map((snapshot): ListedSnapshot => {
        const [hold, suspicion] = [held.get(snapshot.tree), suspected.get(snapshot.tree)];
        return { ...snapshot, ...(hold && { held: hold }), ...(suspicion && { suspected: suspicion }) };
      });
      const damaged = [...list.damaged, ...damage];
      if (planned === undefined || damage.length > 0) return { snapshots, damaged };
      const points = snapshotsOf(snapshots, workspace.plan.name, planned.name);
      const known = { source: planned.name, suspected, states: statesOf(planned.name, events) };
      return { snapshots, damaged, clean: latestClean(points, known)?.id };
    },
    { sideBySide: true },
  );
  const clean = lists.find((list) => list.clean !== undefined)?.clean;
  return {
    snapshots: lists.flatMap(({ snapshots }) => snapshots),
    damaged: lists.flatMap(({ damaged }) => damaged),
    failures,
    ...(clean !== undefined && { latestClean: clean }),
  };
}

function asked(
  workspace: Workspace,
  source: string | undefined,
  repository: string | undefined,
): { planned: PlanSource | undefined; names: string[] } {
  const planned = source === undefined ? undefined : workspace.sources([source])[0]!;
  if (repository !== undefined) return { planned, names: [repository] };
  return { planned, names: planned === undefined ? workspace.homeNames : [planned.repository] };
}

async function listIn(
  workspace: Workspace,
  name: string,
  planned: PlanSource | undefined,
): Promise<Pick<SnapshotList, 'snapshots' | 'damaged'>> {
  const { snapshots, damaged } = await readableSnapshots((await workspace.openToRead(name)).repository);
  const wanted = planned === undefined ? snapshots : allSnapshotsOf(snapshots, workspace.plan.name, planned.name);
  return { snapshots: wanted.map((snapshot) => ({ ...snapshot, repository: name })), damaged };
}

/** What there is can be listed although the ledger is damaged: what is held or suspected is not known then. */
async function eventsOf({ ledger }: OpenedRepository): Promise<{ events: LedgerEvent[]; damage: HoldfastError[] }> {
  try {
    return { events: await ledger.read(), damage: [] };
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return { events: [], damage: [error] };
  }
}

/**
 * A snapshot of the plan's repositories, or of one. A repository that cannot be read is in the way of no id that another one has.
 * @param id may be shortened; `latest` is the newest of all
 * @throws unknown-snapshot; what keeps repositories from being read, where it may be there
 */
export async function locate(
  workspace: Workspace,
  id: string,
  name?: string,
): Promise<{ repository: string; snapshot: StoredSnapshot }> {
  const { names } = asked(workspace, undefined, name);
  const { repositories: lists, failures } = await eachRepository(
    workspace,
    names,
    (each) => listIn(workspace, each, undefined),
    { sideBySide: true },
  );
  const all = lists.flatMap(({ snapshots }) => snapshots);
  const [unread] = failures;
  const isThere = id !== 'latest' && all.some((each) => each.id.startsWith(id));
  if (unread !== undefined && !isThere) throw notTold(id, unread);
  const newest = all.toSorted((one, other) => snapshotTimeMs(one) - snapshotTimeMs(other)).at(-1);
  const found = id === 'latest' && newest !== undefined ? newest : findSnapshot(all, id);
  return { repository: (found as ListedSnapshot).repository, snapshot: found };
}

/** Where a snapshot may be in a repository that cannot be read. */
function notTold(id: string, { repository, error }: RepositoryFailure): HoldfastError {
  const what =
    id === 'latest'
      ? `which snapshot is the newest cannot be told without ${repository}`
      : `no snapshot ${JSON.stringify(id)} is in the repositories that can be read, and ${repository} cannot be`;
  return new HoldfastError(error.code, `${what}: ${error.message}`, {
    hint: `Name another repository, or a mirror, with \`--repository\`. Of ${repository}: ${error.hint ?? 'see `holdfast doctor`'}`,
    context: error.context,
    cause: error,
  });
}
