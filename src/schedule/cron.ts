/**
 * Five-field cron, the common grammar only: `*`, numbers, names, ranges, lists and steps. What single implementations
 * add to it (`L`, `W`, `#`, `?`, seconds) is refused, so that a schedule means the same everywhere.
 */

/** The values each field admits, ascending. */
export interface CronFields {
  minutes: number[];
  hours: number[];
  daysOfMonth: number[];
  months: number[];
  /** 0 is Sunday. */
  daysOfWeek: number[];
  /** When both day fields are restricted, a day that fits either is due; cron has always had it so. */
  eitherDay: boolean;
}

const MONTH_NAMES = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  name: string;
  min: number;
  max: number;
  names?: string[];
}

const FIELDS: readonly [Field, Field, Field, Field, Field] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTH_NAMES },
  { name: 'day of week', min: 0, max: 7, names: DAY_NAMES },
];

/** The fields of a pattern, or what is wrong with it. */
export function parseCron(pattern: string): { fields: CronFields } | { problem: string } {
  const parts = pattern.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) return { problem: `cron takes five fields, found ${parts.length}` };
  const values: number[][] = [];
  for (const [index, field] of FIELDS.entries()) {
    const parsed = parseField(parts[index] ?? '', field);
    if (parsed === undefined) {
      return { problem: `the ${field.name} is "${parts[index]}", expected ${field.min} to ${field.max}` };
    }
    values.push(parsed);
  }
  const [minutes = [], hours = [], daysOfMonth = [], months = [], weekdays = []] = values;
  const daysOfWeek = [...new Set(weekdays.map((day) => day % 7))].sort((a, b) => a - b);
  const eitherDay = parts[2] !== '*' && parts[4] !== '*';
  return { fields: { minutes, hours, daysOfMonth, months, daysOfWeek, eitherDay } };
}

function parseField(text: string, field: Field): number[] | undefined {
  const found = new Set<number>();
  for (const item of text.split(',')) {
    const match = /^(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:\/(\d+))?$/i.exec(item);
    if (match === null) return undefined;
    const [, from = '', to, step] = match;
    if (from === '*' && to !== undefined) return undefined;
    const first = from === '*' ? field.min : numberOf(from, field);
    // `5/10` means from 5 to the end in steps of 10 in some crons and is an error in others.
    if (step !== undefined && from !== '*' && to === undefined) return undefined;
    const last = from === '*' ? field.max : to === undefined ? first : numberOf(to, field);
    const by = step === undefined ? 1 : Number(step);
    if (first === undefined || last === undefined || last < first || by < 1 || by > field.max) return undefined;
    for (let value = first; value <= last; value += by) found.add(value);
  }
  return [...found].sort((a, b) => a - b);
}

function numberOf(text: string, field: Field): number | undefined {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + field.min;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.min && value <= field.max ? value : undefined;
}

/** Whether `fields` is due on the day that begins at `dayMs` (midnight UTC of that date). */
export function isDueOn(fields: CronFields, dayMs: number): boolean {
  const date = new Date(dayMs);
  if (!fields.months.includes(date.getUTCMonth() + 1)) return false;
  const byMonth = fields.daysOfMonth.includes(date.getUTCDate());
  const byWeek = fields.daysOfWeek.includes(date.getUTCDay());
  return fields.eitherDay ? byMonth || byWeek : byMonth && byWeek;
}
