import type { LogRange } from '../../repository/index.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The list of a snapshot's files is read whole. */
const LARGEST_BYTES = 16n * 1024n * 1024n * 1024n;

/** A part of a cluster's log that is in a snapshot, and the moment up to which it is all that there was. */
export interface FoldablePart extends LogRange {
  system: string;
  timeMs: number;
}

/**
 * Which snapshots of a log are to become one: those that follow one another without a gap, of one hour once all of it is
 * older than an hour, of one day once all of it is older than a day, and never more than 16 GiB of log. Hours and days are
 * those of UTC. Applied again to what comes of it, there is nothing to do. Pure.
 * @returns groups of two or more, each in the order of the log
 */
export function foldGroups<Part extends FoldablePart>(parts: readonly Part[], nowMs: number): Part[][] {
  const superseded = supersededParts(parts);
  const groups: Part[][] = [];
  for (const part of parts.filter((each) => !superseded.has(each)).sort(compareParts)) {
    const group = groups.at(-1);
    if (group !== undefined && belongs(part, group, nowMs)) group.push(part);
    else groups.push([part]);
  }
  return groups.filter(({ length }) => length > 1);
}

/** The parts that another one has all of, each with that one, which nothing has all of. Of two that are the same, the first stays. */
export function supersededParts<Part extends FoldablePart>(parts: readonly Part[]): Map<Part, Part> {
  const superseded = new Map<Part, Part>();
  let widest: Part | undefined;
  for (const part of parts.toSorted(compareParts)) {
    if (widest !== undefined && isSameLog(part, widest) && part.end <= widest.end) superseded.set(part, widest);
    else widest = part;
  }
  return superseded;
}

function belongs(part: FoldablePart, group: readonly FoldablePart[], nowMs: number): boolean {
  const [first, last] = [group[0]!, group.at(-1)!];
  const period = periodOf(part.timeMs, nowMs);
  return (
    period !== undefined &&
    period === periodOf(last.timeMs, nowMs) &&
    isSameLog(part, last) &&
    part.start <= last.end &&
    part.end - first.start <= LARGEST_BYTES
  );
}

/** The period whose parts become one, if it is that long ago. */
function periodOf(timeMs: number, nowMs: number): string | undefined {
  for (const lengthMs of [DAY_MS, HOUR_MS]) {
    const number = Math.floor(timeMs / lengthMs);
    if (nowMs - (number + 1) * lengthMs >= lengthMs) return `${lengthMs} ${number}`;
  }
  return undefined;
}

function isSameLog(a: FoldablePart, b: FoldablePart): boolean {
  return a.system === b.system && a.timeline === b.timeline;
}

/** In the order of the log; of those that begin together, the longest first. */
function compareParts(a: FoldablePart, b: FoldablePart): number {
  if (a.system !== b.system) return a.system < b.system ? -1 : 1;
  return a.timeline - b.timeline || Number(a.start - b.start) || Number(b.end - a.end);
}
