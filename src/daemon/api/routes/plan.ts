import { createHash } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { HoldfastError } from '../../../foundation/errors.ts';
import { applyPlan as apply, planDifference } from '../../../operations/index.ts';
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

const difference = {
  changes: z.array(
    z.object({
      path: z.string(),
      kind: z.enum(['added', 'removed', 'changed']),
      before: z.unknown().optional(),
      after: z.unknown().optional(),
    }),
  ),
  weakened: z
    .array(z.object({ kind: z.string(), message: z.string() }))
    .openapi({ description: 'What it promises or keeps less of.' }),
};

export const getPlanDifference = operation({
  id: 'getPlanDifference',
  method: 'get',
  path: '/plan/difference',
  summary: 'what the plan that is at work changes against the revision that was applied last',
  errors: ['plan-invalid'],
  result: z.object({
    revision: z.int().optional().openapi({ description: 'Absent where none was applied.' }),
    ...difference,
  }),
  run: async (_, { daemon }) => planDifference(daemon.workspace(), daemon.loaded()),
});

export const applyPlan = operation({
  id: 'applyPlan',
  method: 'post',
  path: '/plan/revisions',
  summary: 'make the plan that is at work its next revision: the file as it was loaded, which SIGHUP loads again',
  errors: ['approval-needed', 'no-repository'],
  body: z.strictObject({
    why: z.string().min(1).max(1000),
    sha256: z
      .string()
      .optional()
      .openapi({ description: 'Of the text that is meant: another one is refused, as after it was loaded again.' }),
  }),
  result: z.object({
    revision: z.int(),
    sha256: z.string(),
    repositories: z.array(z.string()),
    without: z.array(z.string()).openapi({ description: 'Not there yet: they learn it with the next revision.' }),
    ...difference,
  }),
  status: 201,
  run: async ({ body: { why, sha256 }, caller }, { daemon }) => {
    const loaded = daemon.loaded();
    const own = createHash('sha256').update(loaded.text).digest('hex');
    if (sha256 !== undefined && sha256 !== own) {
      throw new HoldfastError('bad-usage', `the plan that is at work is another one: its SHA-256 is ${own}`, {
        hint: 'See what it changes with `GET /plan/difference`.',
      });
    }
    return apply(daemon.workspace(), loaded, why, { by: caller.name });
  },
});
