import { wallTimeMs } from './calendar.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The periods that retention knows, shortest first. */
export const PERIODS = ['minutely', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type PeriodKind = (typeof PERIODS)[number];

/** A minute, an hour, a day, an ISO week, a month or a year on the clocks of a time zone. */
export interface Period {
  /** What tells periods of one kind apart. */
  key: number;
  /** For people: `2026-01-31 14:03`, `2026-01-31 14:00`, `2026-01-31`, `2026-W05`, `2026-01`, `2026`. */
  name: string;
}

/** The period that a moment, in milliseconds since 1970, lies in. An hour that the clocks show twice is two hours. */
export function periodOf(kind: PeriodKind, momentMs: number, timezone: string): Period {
  const wallMs = wallTimeMs(momentMs, timezone);
  const text = new Date(wallMs).toISOString();
  const dayNumber = Math.floor(wallMs / DAY_MS);
  switch (kind) {
    case 'minutely':
      return { key: Math.floor(momentMs / MINUTE_MS), name: `${text.slice(0, 10)} ${text.slice(11, 16)}` };
    case 'hourly':
      return { key: momentMs - modulo(wallMs, HOUR_MS), name: `${text.slice(0, 10)} ${text.slice(11, 13)}:00` };
    case 'daily':
      return { key: dayNumber, name: text.slice(0, 10) };
    case 'weekly':
      return isoWeek(dayNumber);
    case 'monthly':
      return { key: Number(text.slice(0, 4)) * 12 + Number(text.slice(5, 7)), name: text.slice(0, 7) };
    case 'yearly':
      return { key: Number(text.slice(0, 4)), name: text.slice(0, 4) };
  }
}

/** Weeks begin on Monday, and belong to the year that their Thursday is in. 1970 began on a Thursday. */
function isoWeek(dayNumber: number): Period {
  const week = Math.floor((dayNumber + 3) / 7);
  const thursday = new Date(week * 7 * DAY_MS);
  const year = thursday.getUTCFullYear();
  const number = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS)) + 1;
  return { key: week, name: `${year}-W${String(number).padStart(2, '0')}` };
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
