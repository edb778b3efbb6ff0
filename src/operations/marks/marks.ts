import { snapshotTimeMs } from '../../format/index.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import type { KnownState } from '../proofs.ts';

/** What somebody, or Holdfast, said of a snapshot. */
export interface Mark {
  snapshot: string;
  why: string;
  /** user@host. */
  by: string;
  /** RFC 3339. */
  since: string;
}

export interface Suspicion extends Mark {
  source: string;
  /** RFC 3339: the moment that the snapshot is of. */
  time: string;
}

/** By the trees of snapshots, so that it holds of their copies as well. */
export interface Marks {
  /** It stays, whatever the retention says. */
  held: ReadonlyMap<string, Mark>;
  /** Nobody should trust it unseen. */
  suspected: ReadonlyMap<string, Suspicion>;
}

/** What holds of snapshots now. Pure. @param events of one repository's ledger, oldest first */
export function marksOf(events: readonly LedgerEvent[]): Marks {
  const held = new Map<string, Mark>();
  const suspected = new Map<string, Suspicion>();
  for (const { kind, body, actor: by, time: since } of events) {
    if (kind === 'snapshot.held') held.set(body.tree, { snapshot: body.snapshot, why: body.why, by, since });
    else if (kind === 'snapshot.released') held.delete(body.tree);
    else if (kind === 'snapshot.suspected') {
      const { source, snapshot, tree, why, time } = body;
      suspected.set(tree, { source, snapshot, why, by, since, time });
    } else if (kind === 'snapshot.cleared') suspected.delete(body.tree);
  }
  return { held, suspected };
}

/**
 * The newest recovery point of a source to go back to where its data may have been tampered with: one from before all that is
 * suspected, since what is taken after it builds on the same, and no longer differs from what is usual. None that failed its
 * proof, or is partial. Pure.
 * @param points of the source, oldest first
 */
export function latestClean(
  points: readonly StoredSnapshot[],
  {
    source,
    suspected,
    states,
  }: { source: string; suspected: Marks['suspected']; states: ReadonlyMap<string, KnownState> },
): StoredSnapshot | undefined {
  const times = [...suspected.values()].flatMap((mark) => (mark.source === source ? [Date.parse(mark.time)] : []));
  const beforeMs = Math.min(...times);
  return points.findLast(
    (point) =>
      snapshotTimeMs(point) < beforeMs &&
      !suspected.has(point.tree) &&
      states.get(point.tree) !== 'failed' &&
      point.tags?.includes('partial') !== true,
  );
}
