import { z } from '@hono/zod-openapi';
import {
  type AnswerRequest,
  abortIncident as abort,
  acknowledgeIncident as acknowledge,
  alertBehind,
  answerStep,
  declareBreach as declare,
  foreseeRun,
  listIncidents as list,
  noteIncident as note,
  type OpenRequest,
  type RunState,
  showRun,
  viewOf,
} from '../../../recovery/index.ts';
import type { ApiContext } from '../context.ts';
import { beginning, foreseen, incident } from '../incident-schemas.ts';
import { operation } from '../operation.ts';

const LONGEST_TEXT = 4000;
const params = z.object({
  incident: z.string().openapi({ description: 'Its id, which may be shortened; `latest` is the newest.' }),
});
const step = z.string().openapi({ description: 'The only one that waits for that, when left out.' }).optional();
const as = z.string().openapi({ description: 'The contact that the person answers as.' }).optional();
const text = z.string().min(1).max(LONGEST_TEXT);
const answered = z
  .object({
    incident: z.string(),
    step: z.string(),
    answer: z.string(),
    by: z.string(),
    as: z.string().optional(),
    isEnough: z.boolean(),
    missing: z.int().openapi({ description: 'How many more persons it takes.' }),
  })
  .openapi('AnsweredIncident');

type Without<Undefined> = { [Key in keyof Undefined]: Exclude<Undefined[Key], undefined> };

/** What was given: what is left out is absent, and not undefined. */
function given<Fields extends object>(fields: Fields): Without<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Without<Fields>;
}

/** What the description says of it has to be true of all that is shown. */
const shown = (state: RunState, { clock }: ApiContext): z.input<typeof incident> => viewOf(state, clock.nowMs());

export const listIncidents = operation({
  id: 'listIncidents',
  method: 'get',
  path: '/incidents',
  summary: 'the incidents that are open, the newest first',
  query: z.object({
    all: z.enum(['true', 'false']).default('false').openapi({ description: 'Also those that were closed.' }),
  }),
  result: z.object({ incidents: z.array(incident) }),
  run: async ({ query: { all } }, context) => {
    const views = (await list(context.daemon.workspace())).map((state) => shown(state, context));
    return { incidents: views.filter(({ state }) => all === 'true' || state !== 'closed') };
  },
});

export const getIncident = operation({
  id: 'getIncident',
  method: 'get',
  path: '/incidents/{incident}',
  summary: 'an incident or a drill as it is just now: ask again each second to watch it',
  errors: ['unknown-incident'],
  params,
  result: incident,
  run: async ({ params: { incident: id } }, context) => {
    const { daemon } = context;
    // What this daemon runs it knows without a look into the ledger.
    return shown(daemon.recoveries.stateOf(id) ?? (await showRun(daemon.workspace(), id)), context);
  },
});

export const foreseeIncident = operation({
  id: 'foreseeIncident',
  method: 'post',
  path: '/incidents/foresee',
  summary: 'what a runbook would do, and what is in its way; nothing is done',
  errors: ['unknown-runbook'],
  body: z.strictObject(beginning),
  result: foreseen,
  run: async ({ body }, { daemon }) => foreseeRun(daemon.workspace(), given(body) as OpenRequest),
});

export const startIncident = operation({
  id: 'startIncident',
  method: 'post',
  path: '/incidents',
  summary: 'open an incident, and run the steps of a runbook for real',
  errors: ['unknown-runbook', 'unknown-alert', 'incident-exists'],
  body: z.strictObject({
    ...beginning,
    why: text.optional(),
    alert: z.string().optional().openapi({ description: 'The id of the alert that led to it.' }),
    another: z.boolean().optional().openapi({ description: 'Also where the same runbook is under way.' }),
  }),
  result: incident,
  status: 202,
  run: async ({ body: { alert: id, ...asked }, caller }, context) => {
    const { daemon } = context;
    const alert = id === undefined ? undefined : await alertBehind(daemon.workspace(), id);
    const request = { ...given({ ...asked, alert }), by: caller.name } as OpenRequest;
    return shown(await daemon.recoveries.start(request), context);
  },
});

export const resumeIncident = operation({
  id: 'resumeIncident',
  method: 'post',
  path: '/incidents/{incident}/resume',
  summary: 'go on with an incident whose process is gone, or that stopped at a step which failed',
  errors: ['unknown-incident', 'incident-running'],
  params,
  body: z.strictObject({}),
  result: incident,
  status: 202,
  run: async ({ params: { incident: id }, caller }, context) =>
    shown(await context.daemon.recoveries.resume(id, { by: caller.name }), context),
});

export const approveIncident = operation({
  id: 'approveIncident',
  method: 'post',
  path: '/incidents/{incident}/approve',
  summary: 'agree to what a step asks, or refuse it',
  errors: ['unknown-incident', 'answer-refused'],
  params,
  body: z.strictObject({ step, as, note: text.optional(), answer: z.enum(['approve', 'refuse']).default('approve') }),
  result: answered,
  run: async ({ params: { incident: id }, body, caller }, { daemon }) =>
    answerStep(daemon.workspace(), { incident: id, ...given(body), by: caller.name } as AnswerRequest),
});

export const answerIncident = operation({
  id: 'answerIncident',
  method: 'post',
  path: '/incidents/{incident}/answer',
  summary: 'say that a task is done, what becomes of a step that failed, or no to what is asked',
  errors: ['unknown-incident', 'answer-refused'],
  params,
  body: z.strictObject({
    step,
    as,
    note: text.optional(),
    answer: z.enum(['done', 'refuse', 'again', 'skip', 'stop']),
  }),
  result: answered,
  run: async ({ params: { incident: id }, body, caller }, { daemon }) =>
    answerStep(daemon.workspace(), { incident: id, ...given(body), by: caller.name } as AnswerRequest),
});

export const noteIncident = operation({
  id: 'noteIncident',
  method: 'post',
  path: '/incidents/{incident}/notes',
  summary: 'write a line into the record of an incident, also of one that is over',
  errors: ['unknown-incident'],
  params,
  body: z.strictObject({ text }),
  result: incident,
  run: async ({ params: { incident: id }, body, caller }, context) =>
    shown(await note(context.daemon.workspace(), id, { text: body.text, by: caller.name }), context),
});

export const acknowledgeIncident = operation({
  id: 'acknowledgeIncident',
  method: 'post',
  path: '/incidents/{incident}/acknowledge',
  summary: 'say that you see to an incident: who said so first stays',
  errors: ['unknown-incident'],
  params,
  body: z.strictObject({}),
  result: incident,
  run: async ({ params: { incident: id }, caller }, context) =>
    shown(await acknowledge(context.daemon.workspace(), id, { by: caller.name }), context),
});

export const declareBreach = operation({
  id: 'declareBreach',
  method: 'post',
  path: '/incidents/{incident}/breach',
  summary: 'declare a breach of personal data, from which on 72 hours count, or say whom it was reported to',
  errors: ['unknown-incident'],
  params,
  body: z.strictObject({
    since: z.string().optional().openapi({ description: 'When it became known: RFC 3339, or `2h ago`.' }),
    reportedTo: text.optional(),
  }),
  result: incident,
  run: async ({ params: { incident: id }, body, caller }, context) =>
    shown(await declare(context.daemon.workspace(), id, { ...given(body), by: caller.name }), context),
});

export const abortIncident = operation({
  id: 'abortIncident',
  method: 'post',
  path: '/incidents/{incident}/abort',
  summary: 'end an incident as it is: retention and prune go on from then on',
  errors: ['unknown-incident'],
  params,
  body: z.strictObject({ why: text }),
  result: incident,
  run: async ({ params: { incident: id }, body, caller }, context) => {
    const { daemon, log } = context;
    const tell = (line: string): void => log.warn(line, { incident: id });
    return shown(await abort(daemon.workspace(), id, { why: body.why, by: caller.name, tell }), context);
  },
});
