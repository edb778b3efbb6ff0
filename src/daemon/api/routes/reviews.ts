import { z } from '@hono/zod-openapi';
import { listReviews as list } from '../../../operations/index.ts';
import { recordReview as record } from '../../../recovery/index.ts';
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
    review: z.string().min(1),
    attended: z.array(z.string().min(1).max(100)).min(1).max(100),
    note: z.string().max(10_000).optional(),
  }),
  result: due,
  status: 201,
  errors: ['unknown-incident', 'incident-open'],
  run: async ({ body: { review, attended, note }, caller }, { daemon }) => {
    const request = { review, attended, by: caller.name, ...(note !== undefined && { note }) };
    const { review: recorded, next } = await record(daemon.workspace(), request);
    return next ?? { review: recorded, schedule: 'after a recovery', isOverdue: false };
  },
});
