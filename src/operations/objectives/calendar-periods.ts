/** Months and quarters of the calendar. Pure. */
import { lastDue, parseSchedule, type Schedule } from '../../schedule/index.ts';
import type { Period } from './coverage.ts';

export type PeriodKind = 'month' | 'quarter';

export interface CalendarPeriod extends Period {
  kind: PeriodKind;
  /** `2026-03`, or `2026-Q1`. */
  name: string;
  /** Of the one that is not over, `toMs` is now. */
  isOver: boolean;
}

const DAY_MS = 24 * 3_600_000;

/**
 * The newest periods of a kind, oldest first, the last of which is not over.
 * @param timezone on whose clocks they begin
 */
export function newestPeriods(
  kind: PeriodKind,
  count: number,
  { nowMs, timezone }: { nowMs: number; timezone: string },
): CalendarPeriod[] {
  const schedule = scheduleOf(kind);
  const periods: CalendarPeriod[] = [];
  let fromMs = lastDue(schedule, nowMs, timezone)!;
  for (let toMs = nowMs; periods.length < count; fromMs = lastDue(schedule, toMs - 1, timezone)!) {
    periods.unshift({ kind, name: nameOf(kind, fromMs), fromMs, toMs, isOver: periods.length > 0 });
    toMs = fromMs;
  }
  return periods;
}

function nameOf(kind: PeriodKind, fromMs: number): string {
  // Whatever the time zone, a few days later it is the same month everywhere.
  const text = new Date(fromMs + 3 * DAY_MS).toISOString();
  return kind === 'month' ? text.slice(0, 7) : `${text.slice(0, 4)}-Q${Math.ceil(Number(text.slice(5, 7)) / 3)}`;
}

function scheduleOf(kind: PeriodKind): Schedule {
  const parsed = parseSchedule(kind === 'month' ? 'monthly' : 'quarterly');
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  return parsed.schedule;
}
