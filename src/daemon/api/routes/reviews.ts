import { z } from '@hono/zod-openapi';
import { listReviews as list, recordReview as record } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const due = z
  .object({
    review: z.string(),
    schedule: z.string(),
    last: time.optional(),
    due: time.optional().openapi({ description: 'Absent where its schedule never comes.' }),
    isOverdue: z.boolean(),
  })
  .openapi('DueReview');

export const listReviews = operation({
  id: 'listReviews',
  method: 'get',
  path: '/reviews',
  summary: 'which reviews are due, and those that took place, oldest first',
  result: z.object({
    due: z.array(due),
    recorded: z.array(
      z.object({
        review: z.string(),
        attended: z.array(z.string()),
        note: z.string().optional(),
        by: z.string(),
        time,
      }),
    ),
  }),
  run: async (_, { daemon }) => list(daemon.workspace()),
});

export const recordReview = operation({
  id: 'recordReview',
  method: 'post',
  path: '/reviews',
  summary: 'record that a review of the plan took place, and who attended',
  body: z.strictObject({
    review: z.string(),
    attended: z.array(z.string().min(1).max(100)).min(1).max(100),
    note: z.string().max(10_000).optional(),
  }),
  result: due,
  status: 201,
  run: async ({ body: { review, attended, note }, caller }, { daemon }) =>
    (await record(daemon.workspace(), { review, attended, by: caller.name, ...(note !== undefined && { note }) })) ?? {
      ...{ review, schedule: 'after a recovery', isOverdue: false },
    },
});
