import type { StepKind } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { assertFilled } from './unfilled.ts';

/** Runs a program. */
export const exec: StepKind<'exec'> = {
  describe: (context) => describeCall(context, context.step),
  foresee: (context) => foreseeCall(context, context.step),
  run: async (context) => {
    assertFilled(context.step);
    return runCall(context, context.step);
  },
  afterDeath: async ({ step }) => afterDeathOfCall(step, step.repeatable),
  leaves: ({ step }) => `what ${step.exec[0]} did stands`,
  inDrill: 'skip',
};
