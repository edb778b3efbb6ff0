/** Moments on the clocks of a time zone. Moments are milliseconds since 1970; a wall time is what a clock shows, counted as if it were UTC. */

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timezone, format);
  }
  return format;
}

/** What the clocks of `timezone` show at a moment. */
export function wallTimeMs(momentMs: number, timezone: string): number {
  if (timezone === 'UTC') return momentMs;
  const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(momentMs)) shown[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
  const fractionMs = ((momentMs % 1000) + 1000) % 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) + fractionMs;
}

/** The moment at which the clocks of `timezone` show `wallMs`; where they go back, one of the two, where forward, one near it. */
export function momentOfWallTimeMs(wallMs: number, timezone: string): number {
  const offsetMs = (momentMs: number): number => wallTimeMs(momentMs, timezone) - momentMs;
  return wallMs - offsetMs(wallMs - offsetMs(wallMs));
}

/**
 * The moment so many months before, at the same time of day. The 31st of a month that has 30 days is the 1st of the next:
 * a month before the 31st of March is the 3rd of March, or the 2nd in a leap year.
 */
export function monthsBeforeMs(momentMs: number, months: number, timezone: string): number {
  const wall = new Date(wallTimeMs(momentMs, timezone));
  return momentOfWallTimeMs(wall.setUTCMonth(wall.getUTCMonth() - months), timezone);
}
