import { z } from '@hono/zod-openapi';
import { history, listAll, refuseFailures } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { snapshotAt, time } from '../schemas.ts';

const snapshot = z
  .looseObject({
    id: z.string(),
    repository: z.string(),
    time,
    tree: z.string(),
    paths: z.array(z.string()),
    hostname: z.string(),
    tags: z.array(z.string()).optional(),
  })
  .openapi('Snapshot', { description: "restic's own fields, with the repository's name." });

const repository = z.string().optional().openapi({ description: 'A repository, mirror or archive of the plan.' });

export const listSnapshots = operation({
  id: 'listSnapshots',
  method: 'get',
  path: '/snapshots',
  summary: 'the snapshots of a source, or all, oldest first',
  errors: ['unknown-source', 'unknown-repository'],
  query: z.object({ source: z.string().optional(), repository }),
  result: z.object({
    snapshots: z.array(snapshot),
    latestClean: z.string().optional().openapi({ description: 'The newest from before what is suspect.' }),
    damaged: z.array(z.object({ code: z.string(), message: z.string() })),
  }),
  run: async ({ query: { source, repository: from } }, { daemon }) => {
    const { damaged, failures, ...found } = await listAll(daemon.workspace(), source, from);
    refuseFailures(failures);
    return { ...found, damaged: damaged.map(({ code, message }) => ({ code, message })) };
  },
});

const counted = snapshotAt.extend({ count: z.number(), bytes: z.number().optional() });

export const getHistory = operation({
  id: 'getHistory',
  method: 'get',
  path: '/sources/{source}/history',
  summary: 'how much each recovery point of a source has of what, and when something vanished',
  errors: ['unknown-source', 'unknown-repository', 'repository-locked'],
  params: z.object({ source: z.string() }),
  query: z.object({
    item: z.string().optional().openapi({ description: 'One table, collection or directory.' }),
    repository,
  }),
  result: z
    .object({
      source: z.string(),
      item: z.string().optional(),
      points: z.array(
        snapshotAt.extend({
          outcome: z.enum(['complete', 'partial']),
          from: z.enum(['snapshot', 'proof', 'unknown']),
          items: z.array(
            z.object({
              item: z.string(),
              count: z.number(),
              unit: z.string(),
              bytes: z.number().optional(),
              within: z.string().optional(),
            }),
          ),
          reason: z.string().optional(),
        }),
      ),
      losses: z.array(
        z.object({
          item: z.string(),
          kind: z.enum(['vanished', 'dropped']),
          before: counted.extend({ unit: z.string() }),
          after: counted,
          returned: snapshotAt.optional(),
        }),
      ),
      notes: z.array(z.string()),
    })
    .openapi('History'),
  run: async ({ params: { source }, query: { item, repository: from } }, { daemon }) =>
    history(daemon.workspace(), {
      source,
      ...(item !== undefined && { item }),
      ...(from !== undefined && { repository: from }),
    }),
});
