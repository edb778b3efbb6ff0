/** The schemas of single values: what each text in a plan must look like, said once. */
import { z } from 'zod';
import {
  type CalendarDuration,
  parseCalendarDuration,
  parseDuration,
  parsePercentage,
  parseSize,
} from '../foundation/units.ts';
import { parseSchedule, SCHEDULE_NOTATION } from '../schedule/index.ts';
import { IDENTIFIER, IDENTIFIER_NOTATION } from './names.ts';

export const DURATION_NOTATION = 'a duration such as 90s, 30m, 2h30m, 7d, 4w or 1mo';
export const OBJECTIVE_NOTATION = 'a duration such as 5m, 1h, 26h, 8d or 1mo';
export const SIZE_NOTATION = 'a size such as 500MB, 2GiB or 5TB';
export const PERCENTAGE_NOTATION = 'a percentage such as 80%';
export const RETENTION_NOTATION = 'a duration such as 36h, 30d, 8w, 12mo or 1y';

/** What is wrong with a text: what was expected in its place, or another message. */
export interface Complaint {
  expected?: string;
  message?: string;
  /** The known name that was most likely meant. */
  nearest?: string;
}

/**
 * A text that `judge` has no complaint about. The complaint reaches the reader through `params`; `pattern` is a coarse
 * form of the same for editors.
 */
export function text(
  expected: string,
  description: string,
  judge: (value: string) => Complaint | undefined,
  pattern?: string,
) {
  return z
    .string({ error: () => expected })
    .superRefine((value, context) => {
      const complaint = judge(value);
      if (complaint !== undefined) context.addIssue({ code: 'custom', message: expected, params: { ...complaint } });
    })
    .meta({ description, ...(pattern === undefined ? {} : { pattern }) });
}

/** Any text with something in it. */
export function filled(expected: string, description: string) {
  return z
    .string({ error: () => expected })
    .regex(/\S/, { error: () => expected })
    .meta({ description });
}

/** What something is, for people. */
export const description = filled('a text', 'What it is, for people: the playbook says it.');

const DURATION_PATTERN = '^([0-9.]+(y|mo|w|d|h|m|s|ms))+$';
const CALENDAR_PATTERN = '^([0-9]+(y|mo|w|d|h|s))+$';
const SIZE_PATTERN = '^[0-9.]+ *([KMGTPkmgtp][Ii]?)?[Bb]?$';
const PERCENTAGE_PATTERN = '^[0-9.]+%$';

export const identifier = z
  .string({ error: () => IDENTIFIER_NOTATION })
  .regex(IDENTIFIER, { error: () => IDENTIFIER_NOTATION })
  .max(100, { error: () => 'a name of at most 100 characters' });

export const duration = (description: string) =>
  text(
    DURATION_NOTATION,
    description,
    (value) => (parseDuration(value) === undefined ? { expected: DURATION_NOTATION } : undefined),
    DURATION_PATTERN,
  );

export const absolutePath = (description: string) =>
  text('an absolute path', description, (value) => (value.startsWith('/') && !value.includes('\0') ? undefined : {}));

/** More than nothing. */
export const size = (description: string) =>
  text(
    SIZE_NOTATION,
    description,
    (value) => ((parseSize(value) ?? 0) > 0 ? undefined : { expected: SIZE_NOTATION }),
    SIZE_PATTERN,
  );

/** More than none, and all at most. */
export const percentage = (description: string) =>
  text(
    PERCENTAGE_NOTATION,
    description,
    (value) => {
      const fraction = parsePercentage(value);
      if (fraction === undefined) return { expected: PERCENTAGE_NOTATION };
      return fraction > 0 && fraction <= 1 ? undefined : { message: 'expected more than 0% and at most 100%' };
    },
    PERCENTAGE_PATTERN,
  );

export const objective = (description: string) =>
  text(
    OBJECTIVE_NOTATION,
    description,
    (value) => {
      const ms = parseDuration(value);
      if (ms === undefined) return { expected: OBJECTIVE_NOTATION };
      return ms === 0 ? { message: 'no time at all can be promised; expected more than 0' } : undefined;
    },
    DURATION_PATTERN,
  );

export const calendarDuration = (description: string) =>
  text(
    RETENTION_NOTATION,
    description,
    (value) => {
      if (parseCalendarDuration(value) !== undefined) return undefined;
      if (parseDuration(value) === undefined) return { expected: RETENTION_NOTATION };
      return { message: 'a retention counts in s, h, d, w, mo and y; "m" could be minutes or months' };
    },
    CALENDAR_PATTERN,
  );

export const schedule = text(SCHEDULE_NOTATION, `When it is due: ${SCHEDULE_NOTATION}.`, (value) => {
  const parsed = parseSchedule(value);
  return 'problem' in parsed ? { message: `${parsed.problem}; expected ${SCHEDULE_NOTATION}` } : undefined;
});

/** The calendar duration of a text that has passed `calendarDuration`. */
export function checkedCalendar(value: string): CalendarDuration {
  return parseCalendarDuration(value) ?? { months: 0, ms: 0 };
}
