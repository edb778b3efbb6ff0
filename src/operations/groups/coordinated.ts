import type { StoredSnapshot } from '../../repository/index.ts';
import { sourceOf } from '../snapshots-of.ts';

const TAG_PREFIX = 'group:';

/** What the backups of a group that were taken together have alike. */
export function coordinatedTag(group: string, run: string): string {
  return `${TAG_PREFIX}${group}:${run}`;
}

export interface DatedSnapshot {
  snapshot: StoredSnapshot;
  timeMs: number;
}

/**
 * The backups that were taken together, where the oldest of those that are nearest to a moment is one of them: the group is
 * no newer than its oldest part, so that nothing is lost by taking the rest from the same run. Pure.
 * @param candidates of each source that could be taken, oldest first
 * @returns by source; undefined where the nearest of each source are to be taken
 */
export function chooseCoordinated(
  group: string,
  candidates: readonly (readonly DatedSnapshot[])[],
): Map<string, StoredSnapshot> | undefined {
  const nearest = candidates.map((each) => each.at(-1));
  if (nearest.length === 0 || nearest.includes(undefined)) return undefined;
  const oldest = nearest.reduce((one, other) => (other!.timeMs < one!.timeMs ? other : one))!;
  const runs = (oldest.snapshot.tags ?? []).filter((tag) => tag.startsWith(coordinatedTag(group, '')));
  for (const run of runs) {
    const together = candidates.flatMap((each) => each.find(({ snapshot }) => snapshot.tags?.includes(run)) ?? []);
    if (together.length < candidates.length) continue;
    return new Map(together.map(({ snapshot }) => [sourceOf(snapshot)!, snapshot]));
  }
  return undefined;
}
