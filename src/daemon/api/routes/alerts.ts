import { z } from '@hono/zod-openapi';
import { HoldfastError } from '../../../foundation/errors.ts';
import { parseDuration } from '../../../foundation/units.ts';
import { acknowledgeAlert as acknowledge, listAlerts as list, muteAlerts as mute } from '../../../operations/index.ts';
import { operation } from '../operation.ts';
import { time } from '../schemas.ts';

const alert = z
  .object({
    id: z.string(),
    rule: z.string(),
    subject: z.string(),
    severity: z.enum(['p1', 'p2', 'p3']),
    state: z.enum(['open', 'acknowledged', 'resolved']),
    message: z.string(),
    since: time,
    raisedAt: time,
    endangers: z.string(),
    command: z.string().openapi({ description: 'What mends it, or shows what is wrong.' }),
    runbooks: z.array(z.string()),
    contacts: z.array(
      z.object({
        role: z.string(),
        name: z.string().optional(),
        phone: z.string().optional(),
        email: z.string().optional(),
      }),
    ),
    acknowledgedBy: z.string().optional(),
    resolvedAt: time.optional(),
  })
  .openapi('Alert');

const muted = { until: time, why: z.string() };

export const listAlerts = operation({
  id: 'listAlerts',
  method: 'get',
  path: '/alerts',
  summary: 'what is wrong, the newest first, and what nobody is told of for now',
  query: z.object({
    all: z.enum(['true', 'false']).default('false').openapi({ description: 'Also what is over.' }),
  }),
  result: z.object({
    alerts: z.array(
      alert.extend({
        muted: z.object({ ...muted, by: z.string() }).optional(),
        acknowledgedNote: z.string().optional(),
        told: z.array(z.object({ channel: z.string(), reasons: z.array(z.string()), refused: z.boolean() })),
      }),
    ),
    mutes: z.array(z.object({ rule: z.string(), subject: z.string().optional(), ...muted, by: z.string() })),
    unread: z
      .array(z.object({ repository: z.string(), code: z.string(), message: z.string() }))
      .openapi({ description: 'Repositories whose ledger could not be read: there may be more.' }),
  }),
  async run({ query: { all } }, { daemon }) {
    const { unread, ...listed } = await list(daemon.workspace(), { all: all === 'true' });
    const why = unread.map(({ repository, error: { code, message } }) => ({ repository, code, message }));
    return { ...listed, unread: why };
  },
});

export const acknowledgeAlert = operation({
  id: 'acknowledgeAlert',
  method: 'post',
  path: '/alerts/{alert}/acknowledge',
  summary: 'say that somebody sees to an alert, so that nobody else is woken',
  errors: ['unknown-alert'],
  params: z.object({ alert: z.string().openapi({ description: 'Its id, which may be shortened.' }) }),
  body: z.strictObject({ note: z.string().max(1000).optional() }),
  result: z.object({
    id: z.string(),
    alert: alert.optional().openapi({ description: 'Absent while no ledger can be read: its whole id is taken then.' }),
    isNew: z.boolean(),
    unseen: z.object({ code: z.string(), message: z.string() }).optional(),
  }),
  run: async ({ params, body: { note }, caller }, { daemon }) => {
    const given = { ...params, by: caller.name, ...(note !== undefined && { note }) };
    const { unseen, ...acknowledged } = await acknowledge(daemon.workspace(), given);
    return { ...acknowledged, ...(unseen && { unseen: { code: unseen.code, message: unseen.message } }) };
  },
});

export const muteAlerts = operation({
  id: 'muteAlerts',
  method: 'post',
  path: '/alerts/mutes',
  summary: 'have nobody told of what a rule finds, for a time; `0s` ends it',
  body: z.strictObject({
    rule: z.string().min(1),
    subject: z.string().optional(),
    for: z.string().openapi({ example: '2h' }),
    why: z.string().min(1).max(1000),
  }),
  result: z.object({ rule: z.string(), subject: z.string().optional(), ...muted }),
  run: async ({ body: { rule, subject, for: duration, why }, caller }, { daemon }) => {
    const forMs = parseDuration(duration);
    if (forMs === undefined) throw new HoldfastError('bad-usage', `${JSON.stringify(duration)} is no duration`);
    return mute(daemon.workspace(), { rule, forMs, why, by: caller.name, ...(subject !== undefined && { subject }) });
  },
});
