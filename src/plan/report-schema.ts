/** What is written and looked at from time to time: `reports`, `reviews` and `upkeep` of a plan. */
import { z } from 'zod';
import { parseSchedule, type Schedule } from '../schedule/index.ts';
import { identifier, schedule } from './values.ts';

const REPORT_KINDS = ['verification', 'compliance', 'playbook'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];
const REVIEW_KINDS = ['strategy', 'plan', 'audit'] as const;
export type ReviewKind = (typeof REVIEW_KINDS)[number];

export const report = z
  .strictObject(
    {
      kind: z.enum(REPORT_KINDS, { error: () => `one of ${REPORT_KINDS.join(', ')}` }).meta({
        description:
          'What is reported: what was verified, or how the plan stands against `compliance.frameworks`, each since the report before; or the plan as a document, as it is shown today.',
      }),
      schedule,
      to: z
        .array(identifier, { error: () => 'a list of channels' })
        .min(1, { error: () => 'at least one channel' })
        .meta({ description: 'The channels it is delivered to.' }),
    },
    { error: () => 'a report such as { kind: verification, schedule: weekly, to: [team] }' },
  )
  .meta({ description: 'A report that is delivered on a schedule.' });

export const reviews = z
  .strictObject(
    Object.fromEntries(REVIEW_KINDS.map((kind) => [kind, schedule.optional()])) as Record<
      ReviewKind,
      z.ZodOptional<typeof schedule>
    >,
    { error: () => 'reviews with their schedules, such as { strategy: monthly, plan: quarterly, audit: yearly }' },
  )
  .meta({ description: 'What people look at from time to time, and record with `holdfast review record`.' });

export const upkeep = z
  .strictObject(
    {
      retain: schedule.default('daily at 04:00'),
      prune: schedule.default('weekly on sunday at 04:30'),
      check: schedule.default('weekly on saturday at 04:00'),
      replicate: schedule.default('every 15m'),
    },
    { error: () => 'schedules such as { retain: daily at 04:00, prune: weekly, check: weekly on saturday at 04:00 }' },
  )
  .meta({
    description:
      'When `serve` applies the retention, removes what nothing needs, checks a further part of the repositories, and brings mirrors up to date that a backup did not.',
  });

export interface PlannedReport {
  kind: ReportKind;
  schedule: Schedule;
  /** Names of channels. */
  to: string[];
}

/** When `serve` does what keeps repositories in order. */
export type Upkeep = Record<'retain' | 'prune' | 'check' | 'replicate', Schedule>;

export function buildReport({ kind, to, schedule: when }: z.output<typeof report>): PlannedReport {
  return { kind, to, schedule: scheduleOf(when) };
}

export function buildReviews(document: z.output<typeof reviews>): ReadonlyMap<ReviewKind, Schedule> {
  return new Map(
    REVIEW_KINDS.flatMap((kind) => (document[kind] === undefined ? [] : [[kind, scheduleOf(document[kind])]])),
  );
}

export function buildUpkeep({ retain, prune, check, replicate }: z.output<typeof upkeep>): Upkeep {
  return {
    retain: scheduleOf(retain),
    prune: scheduleOf(prune),
    check: scheduleOf(check),
    replicate: scheduleOf(replicate),
  };
}

/** Of a text that has passed the schema. */
function scheduleOf(text: string): Schedule {
  const parsed = parseSchedule(text);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  return parsed.schedule;
}
