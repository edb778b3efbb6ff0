import { z } from 'zod';
import { COUNT_RULES, parseSchedule, type RetentionPolicy, SPAN_RULES } from '../schedule/index.ts';
import { calendarDuration, checkedCalendar, filled } from './values.ts';

const COUNT_NOTATION = 'a whole number from 0, or forever';

function count(what: string) {
  return z
    .union([z.int({ error: () => COUNT_NOTATION }).min(0, { error: () => COUNT_NOTATION }), z.literal('forever')], {
      error: () => COUNT_NOTATION,
    })
    .meta({ description: `How many ${what} to keep, or forever.` })
    .optional();
}

function within(what: string) {
  return calendarDuration(`Keep ${what} within this time before the newest.`).optional();
}

export const retention = z
  .strictObject({
    last: count('of the newest snapshots'),
    minutely: count('minutes with their newest snapshot'),
    hourly: count('hours with their newest snapshot'),
    daily: count('days with their newest snapshot'),
    weekly: count('weeks with their newest snapshot'),
    monthly: count('months with their newest snapshot'),
    yearly: count('years with their newest snapshot'),
    within: within('every snapshot'),
    withinMinutely: within('the newest snapshot of each minute'),
    withinHourly: within('the newest snapshot of each hour'),
    withinDaily: within('the newest snapshot of each day'),
    withinWeekly: within('the newest snapshot of each week'),
    withinMonthly: within('the newest snapshot of each month'),
    withinYearly: within('the newest snapshot of each year'),
    tags: z
      .array(filled('a tag', 'A tag.'), { error: () => 'a list of tags' })
      .meta({ description: 'Keep snapshots with any of these tags.' })
      .optional(),
  })
  .meta({ description: 'Which snapshots are kept. Without it, all are; those of a continuous source thin with age.' });

export type RetentionDocument = z.output<typeof retention>;

/** The policy that a checked document describes. */
export function retentionPolicy(document: RetentionDocument): RetentionPolicy {
  const policy: RetentionPolicy = {};
  for (const key of COUNT_RULES) {
    const value = document[key];
    if (value !== undefined) policy[key] = value;
  }
  for (const key of SPAN_RULES) {
    const value = document[key];
    if (value !== undefined) policy[key] = checkedCalendar(value);
  }
  if (document.tags !== undefined) policy.tags = document.tags;
  return policy;
}

/** Whether any rule of `policy` can keep a snapshot. Tags alone keep none that a backup makes by itself. */
export function keepsSomething(policy: RetentionPolicy): boolean {
  return (
    COUNT_RULES.some((key) => policy[key] === 'forever' || (policy[key] ?? 0) > 0) ||
    SPAN_RULES.some((key) => (policy[key]?.months ?? 0) > 0 || (policy[key]?.ms ?? 0) > 0)
  );
}

/**
 * How what is backed up continuously thins with age where its author says nothing else: a snapshot every few seconds would
 * be 30,000 a day, and these are 1,700 at most.
 */
const THINNING_WITH_AGE: RetentionDocument = {
  within: '1h',
  withinMinutely: '12h',
  withinHourly: '7d',
  withinDaily: '1mo',
  withinWeekly: '1y',
  monthly: 'forever',
};

/** The retention of a source, by default too; undefined where everything is kept. */
export function effectiveRetention(source: {
  retention?: RetentionDocument | undefined;
  schedule?: string | undefined;
}): RetentionDocument | undefined {
  if (source.retention !== undefined || source.schedule === undefined) return source.retention;
  const parsed = parseSchedule(source.schedule);
  return 'schedule' in parsed && parsed.schedule.kind === 'continuous' ? THINNING_WITH_AGE : undefined;
}
