import type { CalendarDuration } from '../foundation/units.ts';
import { monthsBeforeMs } from './calendar.ts';
import { PERIODS, type Period, type PeriodKind, periodOf } from './periods.ts';

/** How many snapshots a rule keeps. */
export type KeepCount = number | 'forever';

/** Which snapshots are kept, with restic's meaning of each rule. A snapshot stays while any rule keeps it. */
export interface RetentionPolicy {
  last?: KeepCount;
  minutely?: KeepCount;
  hourly?: KeepCount;
  daily?: KeepCount;
  weekly?: KeepCount;
  monthly?: KeepCount;
  yearly?: KeepCount;
  /** All snapshots of so long before the newest. */
  within?: CalendarDuration;
  withinMinutely?: CalendarDuration;
  withinHourly?: CalendarDuration;
  withinDaily?: CalendarDuration;
  withinWeekly?: CalendarDuration;
  withinMonthly?: CalendarDuration;
  withinYearly?: CalendarDuration;
  /** Snapshots with any of these tags. */
  tags?: string[];
}

/** A snapshot as retention sees it. */
export interface DatedSnapshot {
  /** Milliseconds since 1970. */
  timeMs: number;
  tags?: readonly string[];
}

/** Why a snapshot is kept. */
export interface KeepReason {
  /** The rule of the policy; `future` for what was taken later than now. */
  rule: keyof RetentionPolicy | 'future';
  /** What it is the newest of, or the oldest: `2026-01-31 14:03`, `2026-01-31 14:00`, `2026-01-31`, `2026-W05`, `2026-01` or `2026`. */
  period?: string;
  /** It is kept as the oldest of all, since the rule has counts left: history begins here. */
  oldest?: true;
  /** Where the rule's time before the newest snapshot begins, RFC 3339. */
  since?: string;
  /** The tag that keeps it. */
  tag?: string;
}

export interface Judged<T> {
  snapshot: T;
  /** Empty: no rule keeps it. */
  reasons: KeepReason[];
}

/** The rules of a policy that count: `last` has each of its snapshots in a period of its own. */
export const COUNT_RULES = ['last', ...PERIODS] as const;

const WITHIN = {
  minutely: 'withinMinutely',
  hourly: 'withinHourly',
  daily: 'withinDaily',
  weekly: 'withinWeekly',
  monthly: 'withinMonthly',
  yearly: 'withinYearly',
} as const satisfies Record<PeriodKind, keyof RetentionPolicy>;

/** The rules of a policy that keep what is not older than so long. */
export const SPAN_RULES = ['within', ...PERIODS.map((kind) => WITHIN[kind])] as const;

/**
 * Which of a group's snapshots a policy keeps, and why, newest first. Pure.
 *
 * The rules are restic's, and `minutely`, which it has not. `minutely` to `yearly` keep the newest snapshot of each of the newest so many minutes … years that
 * have one; while a rule has counts left, the oldest snapshot of all is kept as well. `within` and its kin count back from
 * the newest snapshot. Periods and months are those of the clocks of `timezone`; an hour that comes twice is two hours.
 *
 * Unlike restic's, no rule counts a snapshot of the future: a clock that was wrong once would otherwise hold the newest
 * places for good, and every snapshot that follows would go at once. It is kept, until its time comes.
 */
export function judge<T extends DatedSnapshot>(
  snapshots: readonly T[],
  policy: RetentionPolicy,
  { timezone, nowMs }: { timezone: string; nowMs: number },
): Judged<T>[] {
  const newestFirst = snapshots.toSorted((a, b) => b.timeMs - a.timeMs);
  const future = newestFirst.filter(({ timeMs }) => timeMs > nowMs);
  const counted = newestFirst.slice(future.length);
  const newest = counted[0];
  const rules = newest === undefined ? [] : rulesOf(policy, newest.timeMs, timezone);
  return [
    ...future.map((snapshot): Judged<T> => ({ snapshot, reasons: [{ rule: 'future' }] })),
    ...counted.map((snapshot, index) => {
      const isOldest = index === counted.length - 1;
      return { snapshot, reasons: rules.flatMap((rule) => rule(snapshot, isOldest) ?? []) };
    }),
  ];
}

/** A rule is asked about every snapshot once, newest first, and may count. */
type Rule = (snapshot: DatedSnapshot, isOldest: boolean) => KeepReason | undefined;

function rulesOf(policy: RetentionPolicy, newestMs: number, timezone: string): Rule[] {
  const rules: Rule[] = (policy.tags ?? []).map((tag) => (snapshot) => {
    return snapshot.tags?.includes(tag) ? { rule: 'tags', tag } : undefined;
  });
  const sinceOf = (span: CalendarDuration): number => monthsBeforeMs(newestMs, span.months, timezone) - span.ms;
  if (isSpan(policy.within)) rules.push(withinRule(sinceOf(policy.within)));
  for (const kind of COUNT_RULES) {
    const count = policy[kind] ?? 0;
    if (count !== 0) rules.push(countRule(kind, count, timezone));
  }
  for (const kind of PERIODS) {
    const span = policy[WITHIN[kind]];
    if (isSpan(span)) rules.push(withinPeriodRule(kind, sinceOf(span), timezone));
  }
  return rules;
}

function isSpan(span: CalendarDuration | undefined): span is CalendarDuration {
  return span !== undefined && (span.months > 0 || span.ms > 0);
}

function withinRule(sinceMs: number): Rule {
  const since = new Date(sinceMs).toISOString();
  return ({ timeMs }) => (timeMs > sinceMs ? { rule: 'within', since } : undefined);
}

function countRule(kind: (typeof COUNT_RULES)[number], count: KeepCount, timezone: string): Rule {
  let left = count === 'forever' ? Number.POSITIVE_INFINITY : count;
  const isNext = newestOfEach(kind, timezone);
  return ({ timeMs }, isOldest) => {
    if (left === 0) return undefined;
    const { period, isFirst } = isNext(timeMs);
    if (!isFirst && !isOldest) return undefined;
    left--;
    return { rule: kind, ...(period !== undefined && { period }), ...(!isFirst && { oldest: true }) };
  };
}

function withinPeriodRule(kind: PeriodKind, sinceMs: number, timezone: string): Rule {
  const since = new Date(sinceMs).toISOString();
  const isNext = newestOfEach(kind, timezone);
  return ({ timeMs }, isOldest) => {
    if (timeMs <= sinceMs) return undefined;
    const { period, isFirst } = isNext(timeMs);
    if (!isFirst && !isOldest) return undefined;
    return { rule: WITHIN[kind], ...(period !== undefined && { period }), since, ...(!isFirst && { oldest: true }) };
  };
}

/** Tells of moments that come newest first whether each is the first of its period. */
function newestOfEach(
  kind: (typeof COUNT_RULES)[number],
  timezone: string,
): (timeMs: number) => { period: string | undefined; isFirst: boolean } {
  let previous: Period | undefined;
  return (timeMs) => {
    if (kind === 'last') return { period: undefined, isFirst: true };
    const period = periodOf(kind, timeMs, timezone);
    const isFirst = period.key !== previous?.key;
    previous = period;
    return { period: period.name, isFirst };
  };
}
