import type { ItemCount } from '../../source/index.ts';

/** What is known of a recovery point. */
export interface HistoryPoint {
  snapshot: string;
  /** RFC 3339. */
  time: string;
  outcome: 'complete' | 'partial';
  /** Where the counts are from; `unknown` says why in `reason`. */
  from: 'snapshot' | 'proof' | 'unknown';
  items: ItemCount[];
  reason?: string;
}

/** Something that a recovery point has less of than the one before it, or not at all. */
export interface Loss {
  item: string;
  kind: 'vanished' | 'dropped';
  /** The last recovery point with it, or with more of it. */
  before: { snapshot: string; time: string; count: number; unit: string; bytes?: number };
  /** The first without, or with less. */
  after: { snapshot: string; time: string; count: number; bytes?: number };
  /** The first later one that has it again, or as much. */
  returned?: { snapshot: string; time: string };
}

/** From one recovery point to the next, less by more than this is a drop. */
export const DROP_OVER = 0.2;

/**
 * What vanished or dropped from one recovery point to the next that is known, in the order in which it did. Pure.
 * What a partial backup lacks is not known to have vanished.
 * @param points oldest first
 */
export function lossesIn(points: readonly HistoryPoint[]): Loss[] {
  const known = points
    .filter(({ from }) => from !== 'unknown')
    .map((point) => ({ ...point, byName: new Map(point.items.map((each) => [each.item, each])) }));
  const names = new Set(known.flatMap(({ byName }) => [...byName.keys()]));
  const losses = [...names].flatMap((name) => lossesOf(name, known));
  return losses.sort((one, other) => Date.parse(one.after.time) - Date.parse(other.after.time));
}

type CountedPoint = HistoryPoint & { byName: ReadonlyMap<string, ItemCount> };

function lossesOf(name: string, points: readonly CountedPoint[]): Loss[] {
  const losses: Loss[] = [];
  let before: Loss['before'] | undefined;
  for (const { snapshot, time, outcome, byName } of points) {
    const found = byName.get(name);
    if (found === undefined && before === undefined) continue;
    const { count = 0, unit = '', bytes } = found ?? {};
    const now = { snapshot, time, count, ...(bytes !== undefined && { bytes }) };
    for (const loss of losses)
      if (loss.returned === undefined && found !== undefined && !isLess(loss.before, now))
        loss.returned = { snapshot, time };
    const isLoss = before !== undefined && (found === undefined || isLess(before, now));
    if (isLoss && outcome === 'partial') continue;
    if (found === undefined) losses.push({ item: name, kind: 'vanished', before: before!, after: now });
    else if (isLoss) losses.push({ item: name, kind: 'dropped', before: before!, after: now });
    before = found === undefined ? undefined : { ...now, unit };
  }
  return losses;
}

interface Amount {
  count: number;
  bytes?: number;
}

function isLess(before: Amount, now: Amount): boolean {
  return isDrop(before.count, now.count) || isDrop(before.bytes, now.bytes);
}

function isDrop(before: number | undefined, after: number | undefined): boolean {
  return before !== undefined && after !== undefined && after < before * (1 - DROP_OVER);
}
