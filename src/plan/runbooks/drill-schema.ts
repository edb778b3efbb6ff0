/** When runbooks are drilled, on copies: `drills` of a plan. */
import { z } from 'zod';
import { parseSchedule, type Schedule } from '../../schedule/index.ts';
import { identifier, schedule } from '../values.ts';

export const drill = z
  .strictObject(
    {
      runbooks: z
        .union([z.literal('*'), z.array(identifier).min(1)], {
          error: () => '"*" for all of them, or a list of runbooks',
        })
        .meta({ description: 'The runbooks, or "*" for all of them.' }),
      schedule,
      rescue: z
        .boolean({ error: () => 'true or false' })
        .default(false)
        .meta({ description: 'From an empty machine and the recovery kit.' }),
    },
    { error: () => 'a drill such as { runbooks: [region-failure], schedule: quarterly }' },
  )
  .meta({ description: 'Runbooks that are run on copies, so that they work when it counts.' });

export interface PlannedDrill {
  /** What it is called where tasks are listed: by its place in the plan, from 1. */
  name: string;
  /** Names, in the order of the plan. */
  runbooks: string[];
  schedule: Schedule;
  isRescue: boolean;
}

/** @param all names of the plan's runbooks */
export function buildDrill(document: z.output<typeof drill>, index: number, all: readonly string[]): PlannedDrill {
  const parsed = parseSchedule(document.schedule);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  return {
    name: String(index + 1),
    runbooks: document.runbooks === '*' ? [...all] : [...new Set(document.runbooks)],
    schedule: parsed.schedule,
    isRescue: document.rescue,
  };
}
