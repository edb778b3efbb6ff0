import type { HoldfastError } from '../../foundation/errors.ts';
import { findSnapshot, type StoredSnapshot } from '../../repository/index.ts';
import { allSnapshotsOf, readableSnapshots } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';

export interface ListedSnapshot extends StoredSnapshot {
  repository: string;
}

export interface SnapshotList {
  snapshots: ListedSnapshot[];
  /** Why snapshots that there are could not be read. */
  damaged: HoldfastError[];
}

/** The snapshots of a source of the plan, or all that the plan's repositories hold but its archives, oldest first. */
export async function listAll(workspace: Workspace, source?: string, repository?: string): Promise<SnapshotList> {
  const planned = source === undefined ? undefined : workspace.sources([source])[0]!;
  const names =
    repository !== undefined ? [repository] : planned !== undefined ? [planned.repository] : workspace.homeNames;
  const lists = await Promise.all(
    names.map(async (name) => {
      const { snapshots, damaged } = await readableSnapshots((await workspace.openToRead(name)).repository);
      const wanted = planned === undefined ? snapshots : allSnapshotsOf(snapshots, workspace.plan.name, planned.name);
      return { snapshots: wanted.map((snapshot) => ({ ...snapshot, repository: name })), damaged };
    }),
  );
  return {
    snapshots: lists.flatMap(({ snapshots }) => snapshots),
    damaged: lists.flatMap(({ damaged }) => damaged),
  };
}

/**
 * A snapshot of the plan's repositories, or of one.
 * @param id may be shortened; `latest` is the newest of all
 * @throws unknown-snapshot
 */
export async function locate(
  workspace: Workspace,
  id: string,
  name?: string,
): Promise<{ repository: string; snapshot: StoredSnapshot }> {
  const { snapshots: all } = await listAll(workspace, undefined, name);
  const found = id === 'latest' && all.length > 0 ? all.at(-1)! : findSnapshot(all, id);
  return { repository: (found as ListedSnapshot).repository, snapshot: found };
}
