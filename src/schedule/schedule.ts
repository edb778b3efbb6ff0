import { Cron } from 'croner';
import { parseDuration } from '../foundation/units.ts';
import { parseCron } from './cron.ts';

/** When something is due. `text` is what the author wrote. */
export type Schedule =
  | { kind: 'cron'; text: string /** Five fields. */; pattern: string }
  | { kind: 'every'; text: string /** Counted from 1970, so that every process agrees on it. */; everyMs: number }
  | { kind: 'continuous'; text: string };

/** What a schedule may look like, for messages. */
export const SCHEDULE_NOTATION =
  'hourly, daily at 02:00, weekly on sunday at 03:00, monthly, quarterly, half-yearly, yearly, every 15m, continuous, or five-field cron';

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const WORDS =
  /^(hourly|daily|weekly|monthly|quarterly|half-yearly|yearly)(?:\s+on\s+([a-z]+))?(?:\s+at\s+(\d{1,2}):(\d{2}))?$/;

/** Day of month, month and day of week of each word; the day of the week is filled in for `weekly`. */
const WORD_DAYS: Readonly<Record<string, string>> = {
  daily: '* * *',
  weekly: '* *',
  monthly: '1 * *',
  quarterly: '1 1,4,7,10 *',
  'half-yearly': '1 1,7 *',
  yearly: '1 1 *',
};

/** The schedule that `text` means, or what is wrong with it. Upper and lower case are alike. */
export function parseSchedule(text: string): { schedule: Schedule } | { problem: string } {
  const words = text.trim().toLowerCase().replace(/\s+/g, ' ');
  if (words === 'continuous') return { schedule: { kind: 'continuous', text } };
  if (words.startsWith('every ')) return parseEvery(text, words.slice('every '.length));
  const match = WORDS.exec(words);
  if (match !== null) return parseWords(text, match);
  if (/^[\d*]/.test(words) && words.includes(' ')) {
    const parsed = parseCron(words);
    return 'problem' in parsed ? parsed : { schedule: { kind: 'cron', text, pattern: words } };
  }
  return { problem: 'not a schedule' };
}

function parseEvery(text: string, duration: string): { schedule: Schedule } | { problem: string } {
  const everyMs = parseDuration(duration);
  if (everyMs === undefined) return { problem: `"${duration}" is not a duration` };
  if (/mo|y/.test(duration))
    return { problem: `"${duration}" is of no fixed length: say "monthly", "quarterly" or "yearly"` };
  if (everyMs < 1000) return { problem: 'nothing is due more often than every second' };
  return { schedule: { kind: 'every', text, everyMs } };
}

function parseWords(text: string, match: RegExpExecArray): { schedule: Schedule } | { problem: string } {
  const [, word = '', weekday, hours, minutes] = match;
  if (weekday !== undefined && word !== 'weekly') return { problem: `"${word}" takes no day` };
  if (word === 'hourly') {
    if (hours !== undefined) return { problem: '"hourly" takes no time of day' };
    return { schedule: { kind: 'cron', text, pattern: '0 * * * *' } };
  }
  const [hour, minute] = [Number(hours ?? 0), Number(minutes ?? 0)];
  if (hour > 23 || minute > 59) return { problem: `there is no ${hours}:${minutes} on the clock` };
  let days = WORD_DAYS[word] ?? '';
  if (word === 'weekly') {
    const day = weekdayNumber(weekday ?? 'monday');
    if (day === undefined) return { problem: `"${weekday}" is not a day of the week` };
    days = `${days} ${day}`;
  }
  return { schedule: { kind: 'cron', text, pattern: `${minute} ${hour} ${days}` } };
}

function weekdayNumber(name: string): number | undefined {
  const index = WEEKDAYS.findIndex((weekday) => weekday === name || weekday.slice(0, 3) === name);
  return index < 0 ? undefined : index;
}

/**
 * The first moment after `afterMs` (exclusive, milliseconds since 1970) at which `schedule` is due, on the clocks of
 * `timezone`; `undefined` if it never is. What is continuous is due at once: `afterMs` itself.
 *
 * Where the clocks go forward, a time that does not exist is due when the gap ends. Where they go back, a time of day
 * that comes twice is due the first time only; what is due every few minutes or hours keeps its step.
 */
export function nextDue(schedule: Schedule, afterMs: number, timezone: string): number | undefined {
  switch (schedule.kind) {
    case 'continuous':
      return afterMs;
    case 'every':
      return (Math.floor(afterMs / schedule.everyMs) + 1) * schedule.everyMs;
    case 'cron': {
      const known = knownCron(schedule.pattern, timezone);
      if (known.next?.askedMs !== afterMs) {
        known.next = { askedMs: afterMs, dueMs: known.cron.nextRun(new Date(afterMs))?.getTime() };
      }
      return known.next.dueMs;
    }
  }
}

/**
 * The last moment up to `atMs` (inclusive, milliseconds since 1970) at which `schedule` was due; `undefined` if it never
 * was. It is one of those that `nextDue` gives. What is continuous was due just now.
 */
export function lastDue(schedule: Schedule, atMs: number, timezone: string): number | undefined {
  if (schedule.kind === 'continuous') return atMs;
  if (schedule.kind === 'every') return Math.floor(atMs / schedule.everyMs) * schedule.everyMs;
  const known = knownCron(schedule.pattern, timezone);
  if (known.last?.askedMs !== atMs)
    known.last = { askedMs: atMs, dueMs: lastOfCron(known.cron, schedule, atMs, timezone) };
  return known.last.dueMs;
}

function lastOfCron(cron: Cron, schedule: Schedule, atMs: number, timezone: string): number | undefined {
  // Backwards, a change of the clock is passed another way: from a few moments before on the way forward decides.
  const before = cron.previousRuns(MOMENTS_BEFORE, new Date(atMs + 1)).at(-1);
  let lastMs: number | undefined;
  let nextMs = before === undefined ? undefined : nextDue(schedule, before.getTime() - 1, timezone);
  while (nextMs !== undefined && nextMs <= atMs) {
    lastMs = nextMs;
    nextMs = nextDue(schedule, nextMs, timezone);
  }
  return lastMs;
}

const MOMENTS_BEFORE = 3;

/** What was asked of a cron last: whoever looks at many tasks asks the same of all that are alike. */
interface Answer {
  askedMs: number;
  dueMs: number | undefined;
}

interface KnownCron {
  cron: Cron;
  next?: Answer;
  last?: Answer;
}

/** Plans have many schedules that are alike, and daemons ask them again and again. */
const knownCrons = new Map<string, KnownCron>();
const KNOWN_CRONS = 10_000;

/** A cron that only answers; it starts no timer. */
export function cronOf(pattern: string, timezone: string): Cron {
  return knownCron(pattern, timezone).cron;
}

function knownCron(pattern: string, timezone: string): KnownCron {
  const key = `${pattern} ${timezone}`;
  const known = knownCrons.get(key) ?? { cron: new Cron(pattern, { timezone, paused: true, mode: '5-part' }) };
  if (knownCrons.size >= KNOWN_CRONS) knownCrons.clear();
  knownCrons.set(key, known);
  return known;
}

/** Whether `name` is a time zone that this machine knows, such as `Europe/Berlin`. */
export function isTimezone(name: string): boolean {
  // Offsets such as +01:00 pass as time zones in places; they know no daylight saving, and croner refuses them.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
