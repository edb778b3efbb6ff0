import { z } from '@hono/zod-openapi';
import { approve, listApprovals as list } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const approval = z
  .object({
    approval: z.string(),
    action: z.string(),
    subject: z.string(),
    why: z.string(),
    by: z.string().openapi({ description: 'Who asked.' }),
    asked: time,
    givenBy: z.string().optional(),
    state: z.enum(['waiting', 'given', 'used', 'expired']),
  })
  .openapi('Approval');

export const listApprovals = operation({
  id: 'listApprovals',
  method: 'get',
  path: '/approvals',
  summary: 'what takes two persons and was asked for, oldest first',
  result: z.object({ approvals: z.array(approval) }),
  run: async (_, { daemon }) => ({ approvals: await list(daemon.workspace()) }),
});

export const giveApproval = operation({
  id: 'giveApproval',
  method: 'post',
  path: '/approvals/{approval}/give',
  summary: 'agree to what another person asked for, who does it again then',
  errors: ['unknown-approval', 'approval-refused'],
  params: z.object({ approval: z.string().openapi({ description: 'Its id, which may be shortened.' }) }),
  body: z.strictObject({}),
  result: approval,
  run: async ({ params, caller }, { daemon }) => approve(daemon.workspace(), params.approval, { by: caller.name }),
});
