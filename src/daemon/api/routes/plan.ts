import { z } from '@hono/zod-openapi';
import { showPlan } from '../../../plan/index.ts';
import { operation } from '../operation.ts';

export const getPlan = operation({
  id: 'getPlan',
  method: 'get',
  path: '/plan',
  summary: 'the plan that is at work, with its defaults filled in; secrets are the references that they are',
  result: z
    .looseObject({ version: z.literal(1), name: z.string() })
    .openapi('Plan', { description: 'As `holdfast plan schema` describes it.' }),
  run: async (_, { daemon }) => showPlan(daemon.loaded()),
});
