import type { StepKind } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { assertFilled } from './unfilled.ts';

/** Deploys, by a program. */
export const deploy: StepKind<'deploy'> = {
  describe: (context) => describeCall(context, context.step, 'deploys'),
  foresee: (context) => foreseeCall(context, context.step, 'deploys'),
  run: async (context) => {
    assertFilled(context.step);
    return runCall(context, context.step, 'deployed');
  },
  afterDeath: async ({ step }) => afterDeathOfCall(step, step.repeatable),
  leaves: ({ step }) => `what ${step.exec[0]} deployed stays`,
  inDrill: 'skip',
};
