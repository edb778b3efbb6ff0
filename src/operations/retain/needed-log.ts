import { snapshotTimeMs } from '../../format/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { foldedRangeOf } from '../log/wal-snapshots.ts';

/** Where a base backup begins in its cluster's log: a recovery from it needs nothing before that. */
export interface LogStart {
  system: string;
  timeline: number;
  lsn: bigint;
}

/**
 * Whether a base backup that stays may need what a snapshot of the log holds. Pure.
 *
 * What is older than the oldest backup of its cluster that stays is needed by none, and nor is what a cluster wrote that has
 * no backup any more. While it is not known where one of them begins, all of the log is needed; so is what came after the
 * newest one, since a backup may be on its way.
 * @param bases those that stay
 */
export function isLogNeeded(
  log: StoredSnapshot,
  bases: readonly StoredSnapshot[],
  startOf: (base: StoredSnapshot) => LogStart | undefined,
): boolean {
  const part = foldedRangeOf(log);
  if (part === undefined || bases.length === 0) return true;
  const starts = bases.map(startOf);
  const known = starts.filter((start) => start !== undefined);
  if (known.length < starts.length) return true;
  const own = known.filter(({ system }) => system === part.system);
  if (own.length > 0) return own.some(({ timeline, lsn }) => timeline <= part.timeline && lsn < part.end);
  return snapshotTimeMs(log) >= Math.max(...bases.map(snapshotTimeMs));
}
