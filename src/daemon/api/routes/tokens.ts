import { z } from '@hono/zod-openapi';
import { addToken as add, listTokens as list, ROLES, revokeToken as revoke } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const token = z
  .object({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    state: z.enum(['valid', 'expired', 'revoked']),
    createdAt: time,
    createdBy: z.string(),
    expiresAt: time.optional(),
    lastUsedAt: time.optional(),
  })
  .openapi('Token');

export const listTokens = operation({
  id: 'listTokens',
  method: 'get',
  path: '/tokens',
  summary: 'who has a token, with what role, and when it was last used',
  result: z.object({
    tokens: z.array(token),
    damaged: z
      .array(z.object({ code: z.string(), message: z.string() }))
      .openapi({ description: 'What lies beside them and cannot be read: it opens nothing.' }),
  }),
  run: async (_, { daemon }) => {
    const { tokens, damaged } = await list(daemon.workspace());
    return { tokens, damaged: damaged.map(({ code, message }) => ({ code, message })) };
  },
});

export const addToken = operation({
  id: 'addToken',
  method: 'post',
  path: '/tokens',
  summary: 'make a token, which this answer shows and no other',
  body: z.strictObject({
    name: z.string().min(1).max(64),
    role: z.enum(ROLES).default('viewer'),
    expires: z.string().min(1).optional().openapi({ description: 'A duration such as `90d`, or a time.' }),
  }),
  result: z.object({ token: z.string(), added: token }),
  status: 201,
  run: async ({ body: { name, role, expires }, caller }, { daemon, tokens }) => {
    const added = await add(daemon.workspace(), {
      ...{ name, role, by: caller.name },
      ...(expires !== undefined && { expires }),
    });
    tokens.forgetAge();
    return added;
  },
});

export const revokeToken = operation({
  id: 'revokeToken',
  method: 'delete',
  path: '/tokens/{name}',
  summary: 'end a token for good',
  errors: ['unknown-token'],
  params: z.object({ name: z.string().openapi({ description: 'Its name, or its id.' }) }),
  result: z.object({ revoked: token }),
  run: async ({ params: { name }, caller }, { daemon, tokens }) => {
    const revoked = await revoke(daemon.workspace(), { name, by: caller.name });
    tokens.forgetAge();
    return { revoked };
  },
});
