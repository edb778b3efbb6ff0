import { z } from '@hono/zod-openapi';
import { objectives } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

export const getObjectives = operation({
  id: 'getObjectives',
  method: 'get',
  path: '/objectives',
  summary: 'what the plan promises, and what was kept of it over a period',
  errors: ['unknown-source'],
  query: z.object({
    source: z.string().optional(),
    since: z.string().min(1).optional().openapi({ description: 'A time, or `90d ago`; 30 days ago, when left out.' }),
  }),
  result: z
    .looseObject({
      from: time,
      to: time,
      sources: z.array(z.looseObject({ source: z.string(), missed: z.array(z.string()) })),
      notes: z.array(z.string()),
    })
    .openapi('Objectives', { description: 'As `holdfast objectives --json` prints it.' }),
  run: async ({ query: { source, since } }, { daemon }) =>
    objectives(daemon.workspace(), {
      sources: source === undefined ? [] : [source],
      ...(since !== undefined && { since }),
    }),
});
