import { z } from '@hono/zod-openapi';
import { type HeldOrReleased, hold, refuseFailures, unhold } from '../../../operations/index.ts';
import { operation } from '../operation.ts';

const params = z.object({ snapshot: z.string().openapi({ description: 'Its id, which may be shortened.' }) });
const held = { snapshot: z.string(), tree: z.string(), repositories: z.array(z.string()) };

export const holdSnapshot = operation({
  id: 'holdSnapshot',
  method: 'post',
  path: '/snapshots/{snapshot}/hold',
  summary: 'keep a snapshot and its copies for as long as nobody releases it',
  errors: ['unknown-snapshot', 'repository-locked'],
  params,
  body: z.strictObject({ why: z.string().min(1).max(1000) }),
  result: z.object({ ...held, why: z.string() }),
  run: async ({ params: { snapshot }, body: { why }, caller }, { daemon }) => ({
    ...everywhere(await hold(daemon.workspace(), snapshot, `${why} (${caller.name})`)),
    why,
  }),
});

export const releaseSnapshot = operation({
  id: 'releaseSnapshot',
  method: 'post',
  path: '/snapshots/{snapshot}/release',
  summary: 'let a snapshot that is held go by the retention again',
  errors: ['unknown-snapshot'],
  params,
  body: z.strictObject({ why: z.string().min(1).max(1000) }),
  result: z.object(held),
  run: async ({ params: { snapshot }, body: { why }, caller }, { daemon }) =>
    everywhere(await unhold(daemon.workspace(), snapshot, `${why} (${caller.name})`)),
});

/** @throws what kept it from being recorded in one of the repositories */
function everywhere({ failures, ...done }: HeldOrReleased): Omit<HeldOrReleased, 'failures'> {
  refuseFailures(failures);
  return done;
}
