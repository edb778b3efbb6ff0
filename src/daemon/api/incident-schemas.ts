import { z } from '@hono/zod-openapi';
import { time } from './schemas.ts';

/** An incident as `incident show --json` has it, for the API's own description. */

const values = z.record(z.string(), z.string());

const step = z
  .object({
    step: z.string(),
    do: z.string(),
    title: z.string().optional(),
    state: z.enum(['pending', 'waiting', 'running', 'done', 'partial', 'failed', 'skipped', 'timed-out', 'died']),
    attempt: z.int(),
    startedAt: time.optional(),
    endedAt: time.optional(),
    durationMs: z.number().optional().openapi({ description: 'So far, of one that is under way.' }),
    withinMs: z.number().optional(),
    isLate: z.boolean(),
    summary: z.string().optional(),
    error: z.object({ code: z.string().optional(), message: z.string().optional() }).optional(),
    outputs: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    waitsFor: z
      .object({
        question: z.string(),
        of: z.array(z.string()).optional().openapi({ description: 'Contacts whose answer counts.' }),
        count: z.int().openapi({ description: 'How many distinct persons it takes.' }),
        agreed: z.array(z.string()),
        answers: z.array(z.enum(['approve', 'refuse', 'done', 'again', 'skip', 'stop'])),
        commands: z.array(z.string()),
      })
      .optional(),
  })
  .openapi('IncidentStep');

export const incident = z
  .object({
    id: z.string(),
    kind: z.enum(['incident', 'drill']),
    runbook: z.string(),
    scenario: z.string(),
    severity: z.string(),
    state: z.enum(['open', 'waiting', 'stopped', 'closed']),
    outcome: z.enum(['done', 'partial', 'missed', 'failed', 'aborted', 'died']).optional(),
    why: z.string().optional(),
    startedBy: z.string(),
    since: time,
    startedAt: time,
    endedAt: time.optional(),
    endedBy: z.string().optional(),
    acknowledgedBy: z.string().optional(),
    params: values,
    objectives: z.object({ rtoMs: z.number().optional(), rpoMs: z.number().optional() }),
    rtoMs: z.number().optional().openapi({ description: 'Until what people use was back; until now while it is not.' }),
    isRestored: z.boolean(),
    rpoMs: z.number().optional(),
    steps: z.array(step),
    notes: z.array(z.object({ text: z.string(), by: z.string(), time })),
    breach: z.object({ since: time, reportBy: time, reportedTo: z.string().optional() }).optional(),
    standing: z.array(z.string()).optional().openapi({ description: 'What an abort left as it is.' }),
    kept: z
      .object({
        until: time,
        host: z.string(),
        kept: z.array(z.object({ source: z.string(), place: z.string().optional() })),
      })
      .optional()
      .openapi({ description: 'What a drill restored and left to be looked at.' }),
  })
  .openapi('Incident');

export const foreseen = z
  .object({
    runbook: z.string(),
    scenario: z.string(),
    objectives: z.object({ rtoMs: z.number().optional(), rpoMs: z.number().optional() }),
    steps: z.array(
      z.object({
        step: z.string(),
        do: z.string(),
        title: z.string().optional(),
        needs: z.array(z.string()),
        when: z.string().optional(),
        withinMs: z.number().optional(),
        onFailure: z.enum(['stop', 'continue', 'ask']),
        does: z.string(),
        expectedMs: z.number().optional(),
        obstacles: z.array(z.string()),
        byHand: z.array(z.string()),
        drilledAt: time.optional().openapi({ description: 'When a drill last did it.' }),
      }),
    ),
    obstacles: z.int(),
    expectedMs: z
      .number()
      .optional()
      .openapi({ description: 'Until what people use is back; absent where a step does not tell.' }),
    knownMs: z.number().openapi({ description: 'The same, of the steps that tell.' }),
    unknown: z.array(z.string()).openapi({ description: 'The steps until then that nothing tells of.' }),
  })
  .openapi('ForeseenIncident');

export const beginning = {
  runbook: z.string(),
  since: z.string().optional().openapi({ description: 'When it happened: RFC 3339, or `20m ago`.' }),
  at: z.string().optional().openapi({ description: 'The parameter `at` of the runbook.' }),
  params: values.optional().openapi({ description: 'Parameters by name; `env:VARIABLE` for what is secret.' }),
};
