import { z } from '@hono/zod-openapi';
import { ledgerLog, parseMoment } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const USUAL_LIMIT = 100;
const MOST = 10_000;

export const readLedger = operation({
  id: 'readLedger',
  method: 'get',
  path: '/ledger',
  summary: 'events of the audit trail, oldest first: the newest of those that are asked for',
  errors: ['unknown-repository', 'repository-damaged'],
  query: z.object({
    kind: z.string().optional(),
    source: z.string().optional(),
    actor: z.string().optional(),
    repository: z.string().optional(),
    since: z.string().optional().openapi({ description: 'A time, or `2h ago`.' }),
    until: z.string().optional(),
    limit: z.coerce.number().int().min(1).max(MOST).default(USUAL_LIMIT),
  }),
  result: z.object({
    events: z.array(
      z
        .looseObject({
          repository: z.string(),
          isWaiting: z.literal(true).optional(),
          kind: z.string(),
          time,
          actor: z.string(),
          body: z.looseObject({}),
        })
        .openapi('Event'),
    ),
  }),
  run: async ({ query: { kind, source, actor, repository, since, until, limit } }, { daemon, clock }) => {
    const momentOf = (text: string | undefined) => (text === undefined ? undefined : parseMoment(text, clock.nowMs()));
    const [sinceMs, untilMs] = [momentOf(since), momentOf(until)];
    const logged = await ledgerLog(daemon.workspace(), {
      limit,
      ...(kind !== undefined && { kinds: [kind] }),
      ...(source !== undefined && { sources: [source] }),
      ...(actor !== undefined && { actor }),
      ...(repository !== undefined && { repository }),
      ...(sinceMs !== undefined && { sinceMs }),
      ...(untilMs !== undefined && { untilMs }),
    });
    return { events: logged.map(({ event, ...where }) => ({ ...where, ...event })) };
  },
});
