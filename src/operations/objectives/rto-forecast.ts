import type { LedgerEvent } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { median, robustLine } from './robust-line.ts';

const DAY_MS = 24 * 3_600_000;
/** What was longer ago says nothing of how it grows now. */
export const GROWTH_MS = 90 * DAY_MS;
const PROOFS_MS = 365 * DAY_MS;
export const MOST_PROOFS = 50;
/** Fewer days, or closer together, tell no growth. */
const FEWEST_DAYS = 5;
const SHORTEST_MS = 7 * DAY_MS;
const FEWEST_PROOFS = 3;
/** From so different sizes on, what a recovery takes anyway is told from what each byte takes. */
const WIDE_RATIO = 1.5;
const FEWEST_WIDE = 5;
/** Nobody can say more. */
const HORIZON_MS = 10 * 365 * DAY_MS;

/** How much there was at a moment. */
export interface Sized {
  timeMs: number;
  bytes: number;
}

/** What a recovery of so much took. */
export interface Measured {
  bytes: number;
  durationMs: number;
}

/** When the RTO will be missed, if the data grows as it did. */
export type RtoForecast =
  /** Why that is. */
  | { state: 'not-enough'; reason: string }
  | {
      /** Kept: not missed within ten years. */
      state: 'kept' | 'missed';
      /** What a recovery would take now. */
      nowMs: number;
      bytes: number;
      bytesPerDay: number;
      /** Of `missed`: milliseconds since 1970, in the past where it takes too long already. */
      missedAtMs?: number;
    };

/** @param sizes oldest first. @param proofs what recoveries took, whatever their order */
export function forecastRto(
  sizes: readonly Sized[],
  proofs: readonly Measured[],
  { promisedMs, nowMs }: { promisedMs: number; nowMs: number },
): RtoForecast {
  const cost = costOf(proofs.filter(({ bytes, durationMs }) => bytes > 0 && durationMs >= 0));
  if (cost === undefined) return { state: 'not-enough', reason: `fewer than ${FEWEST_PROOFS} proofs` };
  const days = newestOfDays(sizes.filter(({ timeMs }) => timeMs <= nowMs && timeMs > nowMs - GROWTH_MS));
  const spanMs = (days.at(-1)?.timeMs ?? 0) - (days[0]?.timeMs ?? 0);
  if (days.length < FEWEST_DAYS || spanMs < SHORTEST_MS) {
    return { state: 'not-enough', reason: `backups of fewer than ${FEWEST_DAYS} days, or less than a week apart` };
  }
  // Counted from now: milliseconds since 1970 leave too few digits for a line.
  const growth = robustLine(days.map(({ timeMs, bytes }) => [timeMs - nowMs, bytes]))!;
  const bytes = Math.max(0, growth.intercept);
  const takesMs = cost.fixedMs + cost.perByteMs * bytes;
  const known = {
    nowMs: Math.round(takesMs),
    bytes: Math.round(bytes),
    bytesPerDay: Math.round(growth.slope * DAY_MS),
  };
  const perMs = cost.perByteMs * growth.slope;
  if (perMs <= 0)
    return takesMs > promisedMs ? { state: 'missed', ...known, missedAtMs: nowMs } : { state: 'kept', ...known };
  const leftMs = (promisedMs - takesMs) / perMs;
  if (leftMs > HORIZON_MS) return { state: 'kept', ...known };
  return { state: 'missed', ...known, missedAtMs: Math.round(nowMs + Math.max(-HORIZON_MS, leftMs)) };
}

/** What a recovery takes anyway, and for each byte; undefined where too few are known. */
function costOf(proofs: readonly Measured[]): { fixedMs: number; perByteMs: number } | undefined {
  if (proofs.length < FEWEST_PROOFS) return undefined;
  const sizes = proofs.map(({ bytes }) => bytes);
  const isWide = proofs.length >= FEWEST_WIDE && Math.max(...sizes) >= WIDE_RATIO * Math.min(...sizes);
  const line = isWide ? robustLine(proofs.map(({ bytes, durationMs }) => [bytes, durationMs])) : undefined;
  if (line !== undefined && line.slope > 0 && line.intercept >= 0) {
    return { fixedMs: line.intercept, perByteMs: line.slope };
  }
  // All of it for the bytes: what it takes anyway would make it grow less.
  return { fixedMs: 0, perByteMs: median(proofs.map(({ bytes, durationMs }) => durationMs / bytes))! };
}

function newestOfDays(sizes: readonly Sized[]): Sized[] {
  return [...new Map(sizes.map((each) => [Math.floor(each.timeMs / DAY_MS), each])).values()];
}

/**
 * When a source's RTO will be missed: from the sizes of its complete backups and from what its proofs took.
 * @param events of its repository's ledger, oldest first
 * @returns undefined where the plan promises no RTO
 */
export function rtoForecast(
  { name, objectives: { rtoMs: promisedMs } }: Pick<PlanSource, 'name' | 'objectives'>,
  events: readonly LedgerEvent[],
  nowMs: number,
): RtoForecast | undefined {
  if (promisedMs === undefined) return undefined;
  const sizes: Sized[] = [];
  const byTree = new Map<string, number>();
  const proofs: Measured[] = [];
  for (const event of events) {
    if (event.kind === 'backup.finished') {
      const { source, only, outcome, tree, time, bytesProcessed: bytes } = event.body;
      if (source !== name || only !== undefined || outcome !== 'complete') continue;
      sizes.push({ timeMs: Date.parse(time), bytes });
      byTree.set(tree, bytes);
    } else if (event.kind === 'proof.recorded') {
      const { source, state, part, tree, durationMs } = event.body;
      // By what the backup was, as its growth is: what a proof counts may be something else.
      const bytes = byTree.get(tree);
      const isNew = Date.parse(event.time) > nowMs - PROOFS_MS;
      if (source !== name || state !== 'proven' || part || bytes === undefined || !isNew) continue;
      proofs.push({ bytes, durationMs });
    }
  }
  sizes.sort((a, b) => a.timeMs - b.timeMs);
  return forecastRto(sizes, proofs.slice(-MOST_PROOFS), { promisedMs, nowMs });
}
