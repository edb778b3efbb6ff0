import type { BackupFinished, LedgerEvent } from '../ledger/index.ts';
import { type StoredSnapshot, snapshotKey } from '../repository/index.ts';
import { namedAsRemoved } from './mirrors/removals.ts';
import type { OpenedRepository, Workspace } from './workspace.ts';

/** A backup whose snapshot is gone. */
export interface LostBackup {
  snapshot: string;
  /** RFC 3339: the moment the data is of. */
  time: string;
}

/** The key of the snapshot that a backup was acknowledged with. */
export function acknowledgedKey({ snapshot }: Pick<BackupFinished, 'snapshot'>): string {
  return snapshotKey(snapshot);
}

/**
 * Of backups whose snapshots are gone, those whose data no other snapshot has: stock restic removes a snapshot whose tags it
 * changes, and stores another one of the same tree.
 * @param snapshots those that are there
 */
export function withoutTheirTrees(
  gone: readonly BackupFinished[],
  snapshots: readonly Pick<StoredSnapshot, 'tree'>[],
): BackupFinished[] {
  const trees = new Set(snapshots.map(({ tree }) => tree));
  return gone.filter(({ tree }) => !trees.has(tree));
}

/**
 * The newest backup of a source, where it is lost. Older ones may go unrecorded, as by stock `restic forget`; this one is
 * what a recovery begins with.
 * @param events of the source, oldest first
 * @param snapshots those that were listed, perhaps before the events were read
 * @throws repository-damaged when the ledger cannot be believed; the store's errors
 */
export async function lostNewest(
  workspace: Workspace,
  opened: OpenedRepository,
  source: string,
  { events, snapshots }: { events: readonly LedgerEvent[]; snapshots: readonly StoredSnapshot[] },
): Promise<LostBackup | undefined> {
  const newest = events.findLast(
    (event) => event.kind === 'backup.finished' && event.body.source === source && event.body.only === undefined,
  );
  if (newest?.kind !== 'backup.finished') return undefined;
  const { body } = newest;
  if (snapshots.some(({ id }) => id === body.snapshot)) return undefined;
  // It may have come after the listing, which may lag as well, or be there and damaged, which is told by itself.
  if ((await opened.repository.store.stat(acknowledgedKey(body))) !== undefined) return undefined;
  const [lost] = withoutTheirTrees([body], snapshots);
  if (lost === undefined) return undefined;
  const removed = await namedAsRemoved(workspace, opened, [acknowledgedKey(lost)]);
  return removed.size > 0 ? undefined : { snapshot: lost.snapshot, time: lost.time };
}
