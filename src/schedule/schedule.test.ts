import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { longestGapMs } from './gap.ts';
import { isTimezone, nextDue, parseSchedule, type Schedule } from './schedule.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function scheduleOf(text: string): Schedule {
  const parsed = parseSchedule(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.schedule;
}

/** The next times as ISO minutes in UTC. */
function dueTimes(text: string, after: string, timezone: string, count: number): string[] {
  const times: string[] = [];
  let afterMs = Date.parse(after);
  for (let index = 0; index < count; index += 1) {
    const dueMs = nextDue(scheduleOf(text), afterMs, timezone);
    if (dueMs === undefined) break;
    times.push(new Date(dueMs).toISOString().slice(0, 16));
    afterMs = dueMs;
  }
  return times;
}

describe('the words', () => {
  test.each([
    ['hourly', '2026-05-13T11:00'],
    ['daily', '2026-05-14T00:00'],
    ['daily at 02:00', '2026-05-14T02:00'],
    ['Daily  at 2:00', '2026-05-14T02:00'],
    ['weekly', '2026-05-18T00:00'],
    ['weekly on sunday at 03:00', '2026-05-17T03:00'],
    ['weekly on sat', '2026-05-16T00:00'],
    ['weekly at 05:30', '2026-05-18T05:30'],
    ['monthly', '2026-06-01T00:00'],
    ['monthly at 04:00', '2026-06-01T04:00'],
    ['quarterly', '2026-07-01T00:00'],
    ['half-yearly', '2026-07-01T00:00'],
    ['yearly', '2027-01-01T00:00'],
    ['every 15m', '2026-05-13T10:15'],
    ['every 7h', '2026-05-13T17:00'],
    ['*/20 * * * *', '2026-05-13T10:20'],
    ['0 2 * * mon-fri', '2026-05-14T02:00'],
    ['0 0 29 feb *', '2028-02-29T00:00'],
  ])('%s is due at %s', (text, due) => {
    expect(dueTimes(text, '2026-05-13T10:00:30Z', 'UTC', 1)).toEqual([due]);
  });

  test('what is continuous is due at once', () => {
    expect(nextDue(scheduleOf('continuous'), 42, 'UTC')).toBe(42);
  });

  test.each([
    ['sometimes', 'not a schedule'],
    ['', 'not a schedule'],
    ['daily on monday', '"daily" takes no day'],
    ['weekly on someday', '"someday" is not a day of the week'],
    ['hourly at 02:00', '"hourly" takes no time of day'],
    ['daily at 24:00', 'there is no 24:00 on the clock'],
    ['every day', '"day" is not a duration'],
    ['every 1mo', '"1mo" is of no fixed length: say "monthly", "quarterly" or "yearly"'],
    ['every 0s', 'nothing is due more often than every second'],
    ['0 2 * *', 'cron takes five fields, found 4'],
    ['0 0 2 * * *', 'cron takes five fields, found 6'],
    ['60 * * * *', 'the minute is "60", expected 0 to 59'],
    ['0 24 * * *', 'the hour is "24", expected 0 to 23'],
    ['0 0 0 * *', 'the day of month is "0", expected 1 to 31'],
    ['0 0 * foo *', 'the month is "foo", expected 1 to 12'],
    ['0 0 * * 8', 'the day of week is "8", expected 0 to 7'],
    ['0 0 L * *', 'the day of month is "l", expected 1 to 31'],
    ['0 0 * * 5#2', 'the day of week is "5#2", expected 0 to 7'],
    ['5-1 * * * *', 'the minute is "5-1", expected 0 to 59'],
    ['*/0 * * * *', 'the minute is "*/0", expected 0 to 59'],
    ['5/10 * * * *', 'the minute is "5/10", expected 0 to 59'],
  ])('%j is refused', (text, problem) => {
    expect(parseSchedule(text)).toEqual({ problem });
  });
});

describe('the next time', () => {
  test('is after the moment given, and not that moment itself', () => {
    expect(dueTimes('every 15m', '2026-05-13T10:15:00Z', 'UTC', 2)).toEqual(['2026-05-13T10:30', '2026-05-13T10:45']);
    expect(dueTimes('hourly', '2026-05-13T10:59:59.999Z', 'UTC', 2)).toEqual(['2026-05-13T11:00', '2026-05-13T12:00']);
  });

  test('is read on the clock of the time zone', () => {
    expect(dueTimes('daily at 02:00', '2026-07-01T12:00:00Z', 'Europe/Berlin', 1)).toEqual(['2026-07-02T00:00']);
    expect(dueTimes('daily at 02:00', '2026-07-01T12:00:00Z', 'Asia/Kolkata', 1)).toEqual(['2026-07-01T20:30']);
  });

  test('comes when the gap ends, where the clocks go forward over it', () => {
    expect(dueTimes('daily at 02:30', '2026-03-28T12:00:00Z', 'Europe/Berlin', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  test('comes once, where the clocks go back over it', () => {
    expect(dueTimes('daily at 02:30', '2026-10-24T12:00:00Z', 'Europe/Berlin', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  test.each(['2026-03-28T22:30:00Z', '2026-10-24T22:30:00Z'])(
    'keeps its step over a change of the clock at %s',
    (after) => {
      const times = dueTimes('*/30 * * * *', after, 'Europe/Berlin', 12).map((time) => Date.parse(`${time}Z`));
      for (const [index, time] of times.slice(1).entries()) expect(time - (times[index] ?? 0)).toBe(HOUR_MS / 2);
    },
  );
});

describe('the longest gap', () => {
  test.each([
    ['hourly', 'UTC', HOUR_MS],
    ['hourly', 'Europe/Berlin', HOUR_MS],
    ['daily at 02:00', 'UTC', DAY_MS],
    ['daily at 02:30', 'Europe/Berlin', 25 * HOUR_MS],
    ['daily at 12:00', 'Europe/Berlin', 25 * HOUR_MS],
    ['weekly', 'UTC', 7 * DAY_MS],
    ['monthly', 'UTC', 31 * DAY_MS],
    ['monthly', 'America/New_York', 31 * DAY_MS],
    ['half-yearly', 'Europe/Berlin', 184 * DAY_MS + HOUR_MS],
    ['yearly', 'UTC', 366 * DAY_MS],
    ['every 15m', 'Europe/Berlin', HOUR_MS / 4],
    ['continuous', 'UTC', 0],
    ['*/7 * * * *', 'UTC', 7 * 60_000],
    ['0 9-17 * * mon-fri', 'UTC', 2 * DAY_MS + 16 * HOUR_MS],
    ['0 0 29 2 *', 'UTC', (3 * 365 + 366) * DAY_MS],
    ['0 0 1 * mon', 'UTC', 7 * DAY_MS],
    ['0 0 31 * *', 'UTC', 61 * DAY_MS],
  ])('of %s in %s', (text, timezone, gapMs) => {
    expect(longestGapMs(scheduleOf(text), timezone)).toBe(gapMs);
  });

  test.each(['0 0 30 2 *', '0 0 31 2,4,6,9,11 *'])('of %s does not exist: it is never due', (text) => {
    expect(longestGapMs(scheduleOf(text), 'UTC')).toBeUndefined();
    expect(nextDue(scheduleOf(text), Date.UTC(2026, 0), 'UTC')).toBeUndefined();
  });

  const number = (min: number, max: number) => fc.integer({ min, max }).map(String);
  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant('*'),
      number(min, max),
      fc
        .tuple(number(min, max), number(min, max))
        .map(([a, b]) => (Number(a) <= Number(b) ? `${a}-${b}` : `${b},${a}`)),
      number(2, Math.min(9, max)).map((step) => `*/${step}`),
    );
  const cron = fc
    .tuple(number(0, 59), field(0, 23), field(1, 31), fc.constantFrom('*', '1-6', '*/2', '2'), field(0, 7))
    .map((fields) => fields.join(' '));

  test.each(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe'])(
    'is never exceeded in %s (and is reached in UTC)',
    (timezone) => {
      fc.assert(
        fc.property(cron, (pattern) => {
          const schedule = scheduleOf(pattern);
          const gapMs = longestGapMs(schedule, timezone);
          const fromMs = Date.UTC(2025, 0, 1);
          let dueMs = nextDue(schedule, fromMs, timezone);
          if (gapMs === undefined) {
            expect(dueMs).toBeUndefined();
            return;
          }
          let longestMs = 0;
          for (let count = 0; count < 3000 && dueMs !== undefined; count += 1) {
            const followingMs = nextDue(schedule, dueMs, timezone);
            longestMs = Math.max(longestMs, (followingMs ?? dueMs) - dueMs);
            // Rare ones would be walked into the next century, with leap years of its own.
            if (followingMs === undefined || followingMs > fromMs + 9 * 366 * DAY_MS) break;
            dueMs = followingMs;
          }
          expect(longestMs).toBeLessThanOrEqual(gapMs);
          const seldom = gapMs > 20 * DAY_MS;
          if (timezone === 'UTC' && !seldom) expect(longestMs).toBe(gapMs);
        }),
        { numRuns: 20 },
      );
    },
  );
});

test('time zones are those with a name', () => {
  for (const name of ['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York']) expect(isTimezone(name)).toBe(true);
  for (const name of ['', '+01:00', 'Europe/Berln', 'Mars/Olympus', '__proto__']) expect(isTimezone(name)).toBe(false);
});
