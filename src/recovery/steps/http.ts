import type { StepKind } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { requestLabel } from './calls/send-request.ts';
import { assertFilled } from './unfilled.ts';

/** Sends a request. */
export const http: StepKind<'http'> = {
  describe: (context) => describeCall(context, { http: context.step.http }),
  foresee: (context) => foreseeCall(context, { http: context.step.http }),
  run: async (context) => {
    assertFilled(context.step);
    return runCall(context, { http: context.step.http });
  },
  afterDeath: async ({ step }) => afterDeathOfCall({ http: step.http }, step.repeatable),
  leaves: ({ step }) => `what ${requestLabel(step.http)} did stands`,
  inDrill: 'skip',
};
