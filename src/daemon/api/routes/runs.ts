import { z } from '@hono/zod-openapi';
import { HoldfastError } from '../../../foundation/errors.ts';
import { parseDuration } from '../../../foundation/units.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const WEEK = '7d';
const LONGEST_MS = 31 * 24 * 60 * 60_000;

export const getSchedule = operation({
  id: 'getSchedule',
  method: 'get',
  path: '/schedule',
  summary: 'what the plan has done next, the soonest first',
  query: z.object({
    within: z.string().default(WEEK).openapi({ description: 'How far ahead, such as `7d`; at most 31 days.' }),
  }),
  result: z.object({
    due: z.array(z.object({ task: z.string(), kind: z.string(), subject: z.string(), due: time })),
  }),
  run: async ({ query: { within } }, { daemon, clock }) => {
    const durationMs = parseDuration(within);
    if (durationMs === undefined || durationMs > LONGEST_MS) {
      throw new HoldfastError('bad-usage', `${JSON.stringify(within)} is no time to look ahead`, {
        hint: 'Write a duration such as 7d, of at most 31 days.',
      });
    }
    return { due: daemon.schedule(clock.nowMs() + durationMs) };
  },
});

const runsOfTask = z
  .object({
    task: z.string(),
    underWay: z.array(
      z.object({
        run: z.string(),
        startedAt: time,
        due: time.optional().openapi({ description: 'Absent where somebody asked for it.' }),
        attempt: z.int(),
      }),
    ),
    last: z
      .object({
        endedAt: time,
        outcome: z.enum(['done', 'partial', 'missed', 'failed', 'died']),
        message: z.string().optional(),
      })
      .optional(),
  })
  .openapi('RunsOfTask');

export const listRuns = operation({
  id: 'listRuns',
  method: 'get',
  path: '/runs',
  summary: 'what is being done, and what came of each task the last time',
  query: z.object({ task: z.string().optional() }),
  result: z.object({ tasks: z.array(runsOfTask) }),
  run: async ({ query: { task } }, { daemon }) => ({
    tasks: daemon.runs().filter((each) => task === undefined || each.task === task),
  }),
});

export const startRun = operation({
  id: 'startRun',
  method: 'post',
  path: '/runs',
  summary: 'have a task of the plan done now, such as `backup:omni-db`, `verify:weekly` or `check:primary`',
  errors: ['unknown-task'],
  body: z.strictObject({ task: z.string().openapi({ example: 'backup:omni-db' }) }),
  result: z.object({ task: z.string(), job: z.string() }),
  status: 202,
  run: async ({ body: { task } }, { daemon }) => ({ task, job: await daemon.start(task) }),
});
