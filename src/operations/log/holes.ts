import { compareRanges, earlier, type LogPosition, type LogRange, later, mergeRanges } from '../../repository/index.ts';

/**
 * The parts that are missing in a log between what is stored of it, by timeline and position. Pure.
 *
 * A timeline that was left for another one is needed up to where the next one begins: the first segment of a timeline
 * begins with what the one before had of it.
 * @param stored of one cluster
 * @param known parts that are known to be missing: of these nothing is said
 * @param end as far as the log is known to have been stored once
 */
export function findHoles(
  stored: readonly LogRange[],
  known: readonly LogRange[],
  end: LogPosition | undefined,
): LogRange[] {
  const [first, ...others] = mergeRanges(stored);
  if (first === undefined) return [];
  const ends = end === undefined ? [] : [{ timeline: end.timeline, start: end.lsn, end: end.lsn }];
  let reached = first;
  const holes: LogRange[] = [];
  for (const next of [...others, ...ends].sort(compareRanges)) {
    if (next.timeline < reached.timeline || (next.timeline === reached.timeline && next.end <= reached.end)) continue;
    const hole = { timeline: reached.timeline, start: reached.end, end: next.start };
    if (hole.start < hole.end) {
      const within = known.filter(({ timeline }) => timeline === reached.timeline || timeline === next.timeline);
      holes.push(...without(hole, within));
    }
    reached = next;
  }
  return holes;
}

/** What of a part is in none of these, whatever timelines they are of. */
export function without(part: LogRange, ranges: readonly LogRange[]): LogRange[] {
  const left: LogRange[] = [];
  let start = part.start;
  for (const range of mergeRanges(ranges.map((each) => ({ ...each, timeline: part.timeline })))) {
    if (range.end <= start || range.start >= part.end) continue;
    if (start < range.start) left.push({ ...part, start, end: range.start });
    start = later(start, earlier(range.end, part.end));
  }
  return start < part.end ? [...left, { ...part, start }] : left;
}
