/** How old the newest recovery point was, at each moment of a period. Pure. Times are milliseconds since 1970. */

/** Something that could be recovered, from one moment to another. */
export interface KnownPoint {
  /** The moment that its data is of. */
  timeMs: number;
  /** From when on it could be had. */
  sinceMs: number;
  /** When it was removed; absent while it is there. */
  untilMs?: number;
}

/** What was seen of a log that goes on from the points: for some time, the newest moment of it was never older than this. */
export interface SeenLog extends Period {
  maxMs: number;
  /** The share of the looks, from 0 to 1, at which it was older than promised. */
  breachShare: number;
}

/** What was promised and kept over a period. */
export interface Coverage {
  /** The oldest that the newest point ever was; absent where there was none at any time. */
  maxMs?: number;
  /** For how long it was older than promised, or not there though it should have been; absent where nothing is promised. */
  breachMs?: number;
  /** For how long there was no point at all. */
  withoutMs: number;
  /** Parts of the period, in order, all of it together. */
  series: CoveragePart[];
}

export interface CoveragePart {
  fromMs: number;
  toMs: number;
  /** As in `Coverage`. */
  maxMs?: number;
  breachMs?: number;
  withoutMs: number;
}

export interface Period {
  fromMs: number;
  toMs: number;
}

/** A stretch of time in which the newest point stays the same. */
interface Stretch extends Period {
  /** The moment that it is of; absent where there is none. */
  pointMs?: number;
  /** What was seen of the log then. */
  log?: SeenLog;
}

export interface Promised {
  /** How old the newest point may be; nothing is promised without it. */
  promisedMs?: number | undefined;
  /** Until when there need be none. */
  graceUntilMs?: number;
  /** What was seen of the log, in order, each behind the one before. */
  seen?: readonly SeenLog[];
}

/** @param parts of the period, in order, one after the other: what the series has */
export function coverageOf(points: readonly KnownPoint[], parts: readonly Period[], promised: Promised): Coverage {
  const [first, last] = [parts[0], parts.at(-1)];
  if (first === undefined || last === undefined) return { withoutMs: 0, series: [] };
  const stretches = withLog(stretchesOf(points, { fromMs: first.fromMs, toMs: last.toMs }), promised.seen ?? []);
  let next = 0;
  const series = parts.map((part) => {
    while (next < stretches.length && stretches[next]!.toMs <= part.fromMs) next += 1;
    const within: Stretch[] = [];
    for (let at = next; at < stretches.length && stretches[at]!.fromMs < part.toMs; at += 1) {
      const { fromMs, toMs, ...rest } = stretches[at]!;
      within.push({ fromMs: Math.max(fromMs, part.fromMs), toMs: Math.min(toMs, part.toMs), ...rest });
    }
    return { ...part, ...summed(within, promised) };
  });
  const reached = series.flatMap(({ maxMs }) => maxMs ?? []);
  return {
    ...(reached.length > 0 && { maxMs: Math.max(...reached) }),
    ...(promised.promisedMs !== undefined && { breachMs: sumOf(series.map(({ breachMs = 0 }) => breachMs)) }),
    withoutMs: sumOf(series.map(({ withoutMs }) => withoutMs)),
    series,
  };
}

function summed(
  stretches: readonly Stretch[],
  { promisedMs, graceUntilMs = Number.NEGATIVE_INFINITY }: Promised,
): Omit<CoveragePart, keyof Period> {
  let maxMs: number | undefined;
  let breachMs = 0;
  let withoutMs = 0;
  for (const { fromMs, toMs, pointMs, log } of stretches) {
    if (pointMs === undefined) {
      withoutMs += toMs - fromMs;
      breachMs += Math.max(0, toMs - Math.max(fromMs, graceUntilMs));
      continue;
    }
    maxMs = Math.max(maxMs ?? 0, Math.min(toMs - pointMs, log?.maxMs ?? Number.POSITIVE_INFINITY));
    const late = promisedMs === undefined ? 0 : Math.max(0, toMs - Math.max(fromMs, pointMs + promisedMs));
    breachMs += Math.min(late, (log?.breachShare ?? 1) * (toMs - fromMs));
  }
  return {
    ...(maxMs !== undefined && { maxMs }),
    ...(promisedMs !== undefined && { breachMs }),
    withoutMs,
  };
}

/** Which point was the newest, from when to when: all of the period, in order. */
function stretchesOf(points: readonly KnownPoint[], { fromMs, toMs }: Period): Stretch[] {
  const byTime = points.toSorted((a, b) => a.timeMs - b.timeMs);
  const changes = byTime.flatMap(({ sinceMs, untilMs = Number.POSITIVE_INFINITY }, index) =>
    untilMs <= sinceMs
      ? []
      : [
          { atMs: sinceMs, index, isThere: true },
          { atMs: untilMs, index, isThere: false },
        ],
  );
  changes.sort((a, b) => a.atMs - b.atMs);
  const there = new Uint8Array(byTime.length);
  let newest = -1;
  let startMs = fromMs;
  const stretches: Stretch[] = [];
  const close = (endMs: number): void => {
    const [from, to] = [Math.max(startMs, fromMs), Math.min(endMs, toMs)];
    if (from < to) {
      stretches.push({ fromMs: from, toMs: to, ...(newest >= 0 && { pointMs: byTime[newest]!.timeMs }) });
    }
    startMs = Math.max(startMs, endMs);
  };
  for (const { atMs, index, isThere } of changes) {
    if (atMs > toMs) break;
    there[index] = isThere ? 1 : 0;
    if (isThere ? index < newest : index !== newest) continue;
    close(atMs);
    newest = isThere ? index : there.lastIndexOf(1, index);
  }
  close(toMs);
  return stretches;
}

/** Cuts stretches where what is known of the log begins and ends. */
function withLog(stretches: readonly Stretch[], seen: readonly SeenLog[]): Stretch[] {
  const cut: Stretch[] = [];
  let next = 0;
  for (const stretch of stretches) {
    while (next < seen.length && seen[next]!.toMs <= stretch.fromMs) next += 1;
    let fromMs = stretch.fromMs;
    for (let at = next; at < seen.length && seen[at]!.fromMs < stretch.toMs; at += 1) {
      const log = seen[at]!;
      if (log.fromMs > fromMs) cut.push({ ...stretch, fromMs, toMs: log.fromMs });
      const toMs = Math.min(log.toMs, stretch.toMs);
      cut.push({ ...stretch, fromMs: Math.max(fromMs, log.fromMs), toMs, log });
      fromMs = toMs;
    }
    if (fromMs < stretch.toMs) cut.push({ ...stretch, fromMs });
  }
  return cut;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_HOURS = 72;

/** A period in hours where it is short, and in days where it is longer, each beginning where a clock of UTC says so. */
export function partsOf({ fromMs, toMs }: Period): Period[] {
  const stepMs = toMs - fromMs <= MOST_HOURS * HOUR_MS ? HOUR_MS : DAY_MS;
  const parts: Period[] = [];
  for (let startMs = fromMs; startMs < toMs; ) {
    const endMs = Math.min(toMs, (Math.floor(startMs / stepMs) + 1) * stepMs);
    parts.push({ fromMs: startMs, toMs: endMs });
    startMs = endMs;
  }
  return parts;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
