/**
 * Durations, sizes and percentages as people write and read them. Pure.
 *
 * The parsers give `undefined` for what is not in their notation: the caller knows where the text stood and what to say.
 */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;

/** Units of fixed length, longest first, which is also the order they are written in. */
const DURATION_UNITS = [
  ['w', WEEK_MS],
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
] as const;

/** Each unit at most once, longest first: `1d12h`, and neither `12h1d` nor `1h1h`. */
const DURATION =
  /^(?:(\d+)y)?(?:(\d+)mo)?(?:([\d.]+)w)?(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?(?:([\d.]+)ms)?$/;
const CALENDAR = /^(?:(\d+)y)?(?:(\d+)mo)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)s)?$/;
const NUMBER = /^\d+(?:\.\d+)?$/;

/**
 * Milliseconds of a duration such as `90s`, `30m`, `2h30m`, `8d`, `4w`, `1mo`, `1y` or `250ms`; `undefined` if `text` is none.
 * The parts may have decimals, but for months and years, which count as the longest that they can be. The result is a whole
 * number.
 */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null || text === '') return undefined;
  const [years = 0, months = 0] = match.slice(1, 3).map((part) => Number(part ?? 0));
  let totalMs = longestCalendarMs({ months: years * 12 + months, ms: 0 });
  for (const [index, [, unitMs]] of DURATION_UNITS.entries()) {
    const part = match[index + 3];
    if (part === undefined) continue;
    if (!NUMBER.test(part)) return undefined;
    totalMs += Number(part) * unitMs;
  }
  return safeWhole(totalMs);
}

/** A span on the calendar: so many months, and then so many milliseconds. */
export interface CalendarDuration {
  months: number;
  ms: number;
}

/**
 * A span such as `30d`, `12mo`, `1y` or `1y6mo`, with the units y, mo, w, d, h and s; `undefined` if `text` is none.
 * There is no `m`: restic reads it as months where a duration reads it as minutes, and a retention that is wrong by
 * that factor deletes what it should keep.
 */
export function parseCalendarDuration(text: string): CalendarDuration | undefined {
  const match = CALENDAR.exec(text);
  if (match === null || text === '') return undefined;
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, seconds = 0] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const totalMonths = safeWhole(years * 12 + months);
  const ms = safeWhole(weeks * WEEK_MS + days * DAY_MS + hours * HOUR_MS + seconds * SECOND_MS);
  return totalMonths === undefined || ms === undefined ? undefined : { months: totalMonths, ms };
}

/** The most milliseconds that `duration` can last: months of 31 days, years of 366. */
export function longestCalendarMs(duration: CalendarDuration): number {
  const years = Math.floor(duration.months / 12);
  return years * 366 * DAY_MS + (duration.months % 12) * 31 * DAY_MS + duration.ms;
}

/** A duration in the plan's notation: `2h30m`. `parseDuration` gives it back. Takes whole milliseconds from 0. */
export function durationNotation(durationMs: number): string {
  let restMs = durationMs;
  let text = '';
  for (const [unit, unitMs] of DURATION_UNITS) {
    // Weeks are kept for what is whole weeks: 30d reads better than 4w2d.
    if (unit === 'w' && restMs % WEEK_MS !== 0) continue;
    const count = Math.floor(restMs / unitMs);
    if (count > 0) text += `${count}${unit}`;
    restMs -= count * unitMs;
  }
  return text === '' ? '0s' : text;
}

/** A duration for people, in at most two units: `250 ms`, `3.2 s`, `42 s`, `3 min 12 s`, `2 h 5 min`, `8 d 3 h`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return 'unknown';
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  if (Math.round(durationMs) < SECOND_MS) return `${Math.round(durationMs)} ms`;
  if (durationMs < 9_950) return `${(durationMs / SECOND_MS).toFixed(1).replace('.0', '')} s`;
  const seconds = Math.round(durationMs / SECOND_MS);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(seconds, 60, 'min', 's');
  const minutes = Math.round(durationMs / MINUTE_MS);
  if (minutes < 24 * 60) return pair(minutes, 60, 'h', 'min');
  return pair(Math.round(durationMs / HOUR_MS), 24, 'd', 'h');
}

function pair(amount: number, perBig: number, big: string, small: string): string {
  const rest = amount % perBig;
  return `${Math.floor(amount / perBig)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([KMGTP])(i?)B|B)?$/i;
const SIZE_PREFIXES = 'KMGTP';

/**
 * Bytes of a size such as `500MB`, `2GiB`, `64KiB` or `1024`; `undefined` if `text` is none.
 * `MB` counts in thousands, `MiB` in 1024s; upper and lower case are alike.
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (match === null) return undefined;
  const [, amount, prefix, binary] = match;
  const power = prefix === undefined ? 0 : SIZE_PREFIXES.indexOf(prefix.toUpperCase()) + 1;
  return safeWhole(Number(amount) * (binary ? 1024 : 1000) ** power);
}

/** A size for people, in 1024s with three digits or so: `0 B`, `812 KiB`, `1.5 GiB`. */
export function formatSize(sizeBytes: number): string {
  if (!Number.isFinite(sizeBytes)) return 'unknown';
  if (sizeBytes < 0) return `-${formatSize(-sizeBytes)}`;
  let amount = Math.round(sizeBytes);
  let power = 0;
  // 1023.95 would round to 1024.0 of its unit, which is 1 of the next.
  while (amount >= (power === 0 ? 1024 : 1023.95) && power < SIZE_PREFIXES.length) {
    amount /= 1024;
    power += 1;
  }
  if (power === 0) return `${amount} B`;
  const digits = amount < 99.95 ? amount.toFixed(1).replace(/\.0$/, '') : Math.round(amount).toString();
  return `${digits} ${SIZE_PREFIXES[power - 1]}iB`;
}

/** Bytes per second for people: `35 MiB/s`. `unknown` when no time has passed. */
export function formatThroughput(sizeBytes: number, elapsedMs: number): string {
  return elapsedMs > 0 ? `${formatSize((sizeBytes * 1000) / elapsedMs)}/s` : 'unknown';
}

const PERCENTAGE = /^(\d+(?:\.\d+)?)%$/;

/** The fraction that a percentage such as `20%` stands for: 0.2. `undefined` if `text` is none. */
export function parsePercentage(text: string): number | undefined {
  const amount = PERCENTAGE.exec(text)?.[1];
  return amount === undefined ? undefined : Number(amount) / 100;
}

/** A fraction as a percentage for people: `20%`, `99.5%`. */
export function formatPercentage(fraction: number): string {
  return `${(fraction * 100).toFixed(1).replace(/\.0$/, '')}%`;
}

/** A whole number that arithmetic still keeps exact, or nothing. */
function safeWhole(value: number): number | undefined {
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) ? whole : undefined;
}
