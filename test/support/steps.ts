/** Contexts that steps are run with in tests. */
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, Workspace } from '../../src/operations/index.ts';
import { type Plan, type StepKindName, type StepOf, stepSchema } from '../../src/plan/index.ts';
import type { StepContext } from '../../src/recovery/index.ts';
import { planWith } from './plan.ts';
import type { ContextOptions } from './step-conformance.ts';

export const SINCE_MS = Date.parse('2026-03-01T14:03:00Z');

/** A plan at work that has no repositories, but for what is given. */
export function bareWorkspace(
  plan: Partial<Plan> = {},
  { variables = {}, ...more }: Partial<Environment> = {},
): Workspace {
  const environment = {
    ...{
      clock: systemClock,
      version: '0.0.0',
      signal: new AbortController().signal,
      progress: () => noProgress,
      adapters,
    },
    variables: { PATH: '/usr/bin:/bin', ...variables },
    ...more,
  };
  return new Workspace({ plan: planWith(plan) }, environment);
}

export interface StepContextOptions extends ContextOptions {
  /** What earlier steps found out, by `step.name`. */
  outputs?: Record<string, string | number | boolean>;
  /** What an attempt before noted; what this one notes comes to it. */
  noted?: Record<string, string | number | boolean>;
  sinceMs?: number;
  runbook?: string;
  kind?: 'incident' | 'drill';
}

/** @param document the step as a plan has it; its id may be left out */
export function contextOf<Kind extends StepKindName>(
  workspace: Workspace,
  document: { do: Kind } & Record<string, unknown>,
  { signal = new AbortController().signal, told = [], outputs = {}, noted = {}, ...run }: StepContextOptions = {},
): StepContext<Kind> {
  const { sinceMs = SINCE_MS, runbook = 'it', kind = 'incident' } = run;
  return {
    step: stepSchema.parse({ id: 'step', ...document }) as StepOf<Kind>,
    run: { id: 'INC-1', kind, runbook, sinceMs, steps: workspace.plan.runbooks.get(runbook)?.steps ?? [] },
    workspace,
    clock: workspace.environment.clock,
    signal,
    tell: (line) => void told.push(line),
    output: (step, name) => outputs[`${step}.${name}`],
    beganMs: workspace.environment.clock.nowMs(),
    noted,
    note: async (found) => void Object.assign(noted, found),
    ask: async ({ question }) => {
      throw new Error(`nobody is there to be asked: ${question}`);
    },
  };
}
