/** How a scenario is recovered from, step by step: `runbooks` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../../foundation/units.ts';
import { RULE_NAMES, type RuleName, type Severity, severity } from '../alerts/rule-schema.ts';
import { buildObjectives, type Objectives, objectives } from '../sources/common.ts';
import { description, filled, identifier } from '../values.ts';
import type { OnFailure } from './steps/common.ts';
import { type StepDocument, step } from './steps/index.ts';

const parameter = z
  .strictObject(
    {
      required: z
        .boolean({ error: () => 'true or false' })
        .default(false)
        .meta({ description: 'Whether it must be given.' }),
      default: filled('a text', 'What it is when it is not given.').optional(),
      help: filled('a text', 'What it is for.').optional(),
    },
    { error: () => 'a parameter such as { required: true, help: "where to restore to" }' },
  )
  .meta({ description: 'A value that is given with `--param NAME=VALUE`.' });

const copies = (what: string) =>
  z
    .array(identifier, { error: () => 'a list of sources' })
    .default([])
    .meta({ description: `Sources of the types postgres and redis whose servers ${what}.` });

const faults = z
  .strictObject(
    { kill: copies('are killed'), cutOff: copies('are out of reach') },
    { error: () => 'what a drill begins with, such as { kill: [db] }' },
  )
  .meta({ description: 'What has happened to the copies of servers when a drill begins.' });

/** What has happened to the copies of sources' servers when a drill begins. */
export type DrillFaults = z.output<typeof faults>;

export const runbook = z
  .strictObject(
    {
      scenario: filled('a text', 'What has happened.'),
      description: description.optional(),
      severity: severity.default('p1'),
      symptoms: z
        .array(z.enum(RULE_NAMES, { error: () => `one of ${RULE_NAMES.join(', ')}` }), {
          error: () => 'a list of rules',
        })
        .default([])
        .meta({ description: 'Alerts that suggest this runbook.' }),
      objectives: objectives.default({}),
      trigger: z
        .enum(['manual', 'automatic'], { error: () => 'manual or automatic' })
        .default('manual')
        .meta({ description: 'Who starts it: a person, or its symptoms, where a fence of it can be proven.' }),
      personalData: z
        .boolean({ error: () => 'true or false' })
        .default(false)
        .meta({ description: 'It is a breach of personal data: 72 hours to tell the authority count from it.' }),
      drill: faults.default({ kill: [], cutOff: [] }),
      params: z
        .record(z.string().regex(/^[A-Za-z][A-Za-z0-9_]*$/), parameter, { error: () => 'parameters by name' })
        .default({})
        .meta({ description: 'What has to be said when it is started.' }),
      steps: z
        .array(step, { error: () => 'a list of steps' })
        .min(1, { error: () => 'at least one step' })
        .meta({ description: 'What is done: one after the other, unless `needs` says otherwise.' }),
    },
    { error: () => 'a runbook such as { scenario: Complete region failure, steps: [..] }' },
  )
  .meta({ description: 'How a scenario is recovered from, step by step.' });

export interface Parameter {
  name: string;
  required: boolean;
  default?: string;
  help?: string;
}

/** A step as the program works with it. */
export interface PlannedStep {
  id: string;
  /** With the keys of its kind, as they are written. */
  document: StepDocument;
  /** Steps that must have ended first: all of them earlier in the list. */
  needs: readonly string[];
  withinMs?: number;
  timeoutMs?: number;
  onFailure: OnFailure;
  retries: number;
  restoresService: boolean;
}

export interface Runbook {
  name: string;
  scenario: string;
  /** What it looks like, for people. */
  description?: string;
  severity: Severity;
  symptoms: readonly RuleName[];
  /** Its own, filled up with the plan's. */
  objectives: Objectives;
  trigger: 'manual' | 'automatic';
  personalData: boolean;
  drill: DrillFaults;
  params: readonly Parameter[];
  steps: readonly PlannedStep[];
}

export function buildRunbook(
  name: string,
  document: z.output<typeof runbook>,
  promised: z.output<typeof objectives>,
): Runbook {
  const { scenario, symptoms, trigger, personalData, drill, params, steps } = document;
  return {
    ...{ name, scenario, severity: document.severity, symptoms, trigger, personalData, drill },
    ...(document.description !== undefined && { description: document.description }),
    objectives: buildObjectives({ ...promised, ...document.objectives }),
    params: Object.entries(params).map(([id, { required, default: value, help }]) => ({
      ...{ name: id, required },
      ...(value !== undefined && { default: value }),
      ...(help !== undefined && { help }),
    })),
    steps: steps.map((each, index) => buildStep(each, steps[index - 1]?.id)),
  };
}

/** @param before the id of the step before it */
export function buildStep(document: StepDocument, before: string | undefined): PlannedStep {
  const { id, within, timeout, onFailure, retries, restoresService } = document;
  return {
    ...{ id, document, onFailure, retries, restoresService },
    needs: document.needs ?? (before === undefined ? [] : [before]),
    ...(within !== undefined && { withinMs: parseDuration(within)! }),
    ...(timeout !== undefined && { timeoutMs: parseDuration(timeout)! }),
  };
}
