import { longestCalendarMs } from '../../foundation/units.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Capacity } from '../../plan/index.ts';
import { type RetentionPolicy, SPAN_RULES } from '../../schedule/index.ts';
import type { ObjectStore } from '../../store/index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Growth is that of the last so many days. */
const LOOK_BACK_MS = 30 * DAY_MS;
/** What came in less than this tells no growth by the day. */
const SHORTEST_MS = DAY_MS;

/** What a repository takes, and will take as far as can be told from how it grew. */
export interface RepositoryCapacity {
  repository: string;
  /** All objects in the store. */
  usedBytes: number;
  ofBytes: number;
  warnAt: number;
  /** Whether the share to warn at is reached. */
  isReached: boolean;
  /** What the backups of the last 30 days added, as it was stored; absent before there was a day of them. */
  growthPerDayBytes?: number;
  /** RFC 3339: when all is taken, at this growth and if nothing is removed. */
  fullAt?: string;
  /** At most, at this growth, once each source has what its retention keeps; absent where one keeps something for good. */
  atEndOfRetentionBytes?: number;
  sources: SourceCapacity[];
}

export interface SourceCapacity {
  source: string;
  /** Its part of what is used, by what its backups stored. What several share counts for the one that stored it first. */
  usedBytes: number;
  growthPerDayBytes?: number;
  atEndOfRetentionBytes?: number;
}

/** What is kept of a source, where it is kept. */
interface KeptSource {
  name: string;
  retention?: RetentionPolicy | undefined;
}

/** The size of everything that lies in a store. It lists all of it. */
export async function usedBytes(store: ObjectStore): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of store.list('')) sum += sizeBytes;
  return sum;
}

/**
 * How full a repository is and will be. Pure.
 * @param sources those that are kept in it
 * @param events of its ledger, oldest first
 */
export function repositoryCapacity(
  { name, capacity }: { name: string; capacity: Capacity },
  { used, sources, events, nowMs }: { used: number; sources: KeptSource[]; events: LedgerEvent[]; nowMs: number },
): RepositoryCapacity {
  const stored = new Map(sources.map((source) => [source.name, storedBy(source.name, events)]));
  const total = [...stored.values()].flat().reduce((sum, { bytes }) => sum + bytes, 0);
  const parts = sources.map((source) => {
    const own = stored.get(source.name)!;
    const share = total === 0 ? 0 : own.reduce((sum, { bytes }) => sum + bytes, 0) / total;
    return sourceCapacity(source, own, Math.round(used * share), nowMs);
  });
  const growth = sumOf(parts.map(({ growthPerDayBytes }) => growthPerDayBytes ?? 0));
  const isKnown = parts.some(({ growthPerDayBytes }) => growthPerDayBytes !== undefined);
  const isBounded = parts.length > 0 && parts.every(({ atEndOfRetentionBytes }) => atEndOfRetentionBytes !== undefined);
  const left = capacity.ofBytes - used;
  return {
    repository: name,
    usedBytes: used,
    ...capacity,
    isReached: used >= capacity.warnAt * capacity.ofBytes,
    ...(isKnown && { growthPerDayBytes: growth }),
    ...(isKnown && growth > 0 && left > 0 && dateOf('fullAt', nowMs + (left / growth) * DAY_MS)),
    ...(isBounded && {
      atEndOfRetentionBytes: used + sumOf(parts.map((part) => part.atEndOfRetentionBytes! - part.usedBytes)),
    }),
    sources: parts,
  };
}

function sourceCapacity(
  { name, retention }: KeptSource,
  stored: readonly Stored[],
  used: number,
  nowMs: number,
): SourceCapacity {
  const growth = growthPerDay(stored, nowMs);
  const horizonMs = retention === undefined ? Number.POSITIVE_INFINITY : retentionMs(retention);
  const first = stored[0];
  const missingMs = first === undefined ? 0 : Math.max(0, horizonMs - (nowMs - first.timeMs));
  return {
    source: name,
    usedBytes: used,
    ...(growth !== undefined && { growthPerDayBytes: growth }),
    ...(growth !== undefined &&
      Number.isFinite(horizonMs) && { atEndOfRetentionBytes: Math.round(used + (growth * missingMs) / DAY_MS) }),
  };
}

interface Stored {
  timeMs: number;
  bytes: number;
}

/** What each backup of a source, each part of its log, and each copy to an archive, added to the repository. */
function storedBy(source: string, events: readonly LedgerEvent[]): Stored[] {
  return events.flatMap((event) => {
    if (event.kind === 'archive.finished') {
      const copied = event.body.sources.filter((each) => each.source === source && each.bytes > 0);
      return copied.map(({ bytes }) => ({ timeMs: Date.parse(event.time), bytes }));
    }
    if (event.kind !== 'backup.finished' && event.kind !== 'log.folded') return [];
    if (event.body.source !== source) return [];
    // Earlier versions did not write down what it took once compressed.
    const { bytesStored = 0, bytesAdded = bytesStored } = event.body as { bytesStored?: number; bytesAdded?: number };
    return [{ timeMs: Date.parse(event.time), bytes: bytesStored || bytesAdded }];
  });
}

/** The first of all is no growth: it is everything that was there. */
function growthPerDay(stored: readonly Stored[], nowMs: number): number | undefined {
  const [first, ...later] = stored;
  if (first === undefined) return undefined;
  const sinceMs = Math.max(first.timeMs, nowMs - LOOK_BACK_MS);
  const elapsedMs = nowMs - sinceMs;
  if (elapsedMs < SHORTEST_MS) return undefined;
  const added = sumOf(later.filter(({ timeMs }) => timeMs >= sinceMs && timeMs <= nowMs).map(({ bytes }) => bytes));
  return Math.round((added / elapsedMs) * DAY_MS);
}

const PERIOD_MS = {
  minutely: DAY_MS / 24 / 60,
  hourly: DAY_MS / 24,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 31 * DAY_MS,
  yearly: 366 * DAY_MS,
} as const;

/** How far back a policy keeps anything; infinite where something stays for good. `last` and `tags` know no time. */
function retentionMs(policy: RetentionPolicy): number {
  const counted = Object.entries(PERIOD_MS).map(([rule, periodMs]) => {
    const count = policy[rule as keyof typeof PERIOD_MS] ?? 0;
    return count === 'forever' ? Number.POSITIVE_INFINITY : count * periodMs;
  });
  const within = SPAN_RULES.map((rule) => (policy[rule] === undefined ? 0 : longestCalendarMs(policy[rule])));
  const forGood = policy.last === 'forever' ? [Number.POSITIVE_INFINITY] : [];
  return Math.max(...counted, ...within, ...forGood);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Nothing where it is further away than dates go. */
function dateOf<Name extends string>(name: Name, timeMs: number): { [name in Name]?: string } {
  const date = new Date(timeMs);
  const isDate = !Number.isNaN(date.getTime()) && date.getUTCFullYear() < 10_000;
  return (isDate ? { [name]: date.toISOString() } : {}) as { [name in Name]?: string };
}
