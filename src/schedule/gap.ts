import { type CronFields, isDueOn, parseCron } from './cron.ts';
import { cronOf, type Schedule } from './schedule.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The days that gaps are looked for in. Weekdays and leap years repeat after 28 years. */
const SCAN_FROM_MS = Date.UTC(2024, 0, 1);
const SCAN_DAYS = 30 * 366;

/** The years whose changes of the clock are looked at: today's rules, on all the dates that they can fall on. */
const CLOCK_FROM_MS = Date.UTC(2025, 0, 1);
const CLOCK_TO_MS = Date.UTC(2037, 0, 1);

/**
 * The longest time, in milliseconds, that can pass between two moments at which `schedule` is due, with the days on
 * which the clocks of `timezone` go back; `undefined` if it is never due at all, and 0 if it is continuous.
 */
export function longestGapMs(schedule: Schedule, timezone: string): number | undefined {
  switch (schedule.kind) {
    case 'continuous':
      return 0;
    case 'every':
      return schedule.everyMs;
    case 'cron':
      return knownCronGapMs(schedule.pattern, timezone);
  }
}

/** Of a pattern and a time zone it is the same at any time, and whoever looks after archives asks every few minutes. */
const knownGaps = new Map<string, number | undefined>();
/** A process has to do with one plan, or a few. */
const MOST_KNOWN_GAPS = 1000;

function knownCronGapMs(pattern: string, timezone: string): number | undefined {
  const key = `${pattern} ${timezone}`;
  if (!knownGaps.has(key)) {
    if (knownGaps.size >= MOST_KNOWN_GAPS) knownGaps.clear();
    knownGaps.set(key, longestCronGapMs(pattern, timezone));
  }
  return knownGaps.get(key);
}

function longestCronGapMs(pattern: string, timezone: string): number | undefined {
  const parsed = parseCron(pattern);
  if ('problem' in parsed) return undefined;
  const onClockMs = longestClockGapMs(parsed.fields);
  if (onClockMs === undefined) return undefined;
  // On what is due every day, each change of the clock has the same effect: one each way is enough.
  const changes = onClockMs <= DAY_MS ? clockChanges(timezone).slice(0, 2) : clockChanges(timezone);
  return Math.max(onClockMs, ...changes.map((changeMs) => gapAroundMs(pattern, timezone, changeMs)));
}

/**
 * The longest gap as the clock on the wall shows it. Every day that is due has the same times of day, so it is enough
 * to look at one day's times and at the distances between days.
 */
function longestClockGapMs(fields: CronFields): number | undefined {
  const times = fields.hours.flatMap((hour) => fields.minutes.map((minute) => hour * HOUR_MS + minute * MINUTE_MS));
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  let longestMs: number | undefined;
  let previousDayMs: number | undefined;
  for (let day = 0; day < SCAN_DAYS; day += 1) {
    const dayMs = SCAN_FROM_MS + day * DAY_MS;
    if (!isDueOn(fields, dayMs)) continue;
    if (previousDayMs !== undefined) longestMs = Math.max(longestMs ?? 0, dayMs + first - (previousDayMs + last));
    previousDayMs = dayMs;
  }
  if (longestMs === undefined) return undefined;
  for (const [index, time] of times.entries()) longestMs = Math.max(longestMs, (times[index + 1] ?? time) - time);
  return longestMs;
}

/** The longest gap near the moment at which the clocks change, counted in real time. */
function gapAroundMs(pattern: string, timezone: string, changeMs: number): number {
  const cron = cronOf(pattern, timezone);
  let current = cron.previousRuns(1, new Date(changeMs - 3 * HOUR_MS))[0];
  let longestMs = 0;
  while (current && current.getTime() <= changeMs + 3 * HOUR_MS) {
    const next = cron.nextRun(current);
    if (next === null) break;
    longestMs = Math.max(longestMs, next.getTime() - current.getTime());
    current = next;
  }
  return longestMs;
}

/** Looked up once, since a plan has one time zone and many schedules. */
const knownChanges = new Map<string, number[]>();

/** The moments at which the clocks of `timezone` change. */
function clockChanges(timezone: string): number[] {
  const known = knownChanges.get(timezone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
  const offsetAt = (ms: number) => format.formatToParts(ms).find((part) => part.type === 'timeZoneName')?.value;
  const changes: number[] = [];
  for (let fromMs = CLOCK_FROM_MS; fromMs < CLOCK_TO_MS; fromMs += 7 * DAY_MS) {
    let [low, high] = [fromMs, fromMs + 7 * DAY_MS];
    const before = offsetAt(low);
    if (before === offsetAt(high)) continue;
    while (high - low > MINUTE_MS) {
      const middle = low + Math.floor((high - low) / 2 / MINUTE_MS) * MINUTE_MS;
      if (offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    changes.push(high);
  }
  knownChanges.set(timezone, changes);
  return changes;
}
