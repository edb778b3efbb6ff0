import type { StepKind } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { assertFilled } from './unfilled.ts';

/** Has keys revoked where they were given out. */
export const keysRevoke: StepKind<'keys.revoke'> = {
  describe: (context) => describeCall(context, context.step, 'has keys revoked'),
  foresee: (context) => foreseeCall(context, context.step, 'has keys revoked'),
  run: async (context) => {
    assertFilled(context.step);
    return runCall(context, context.step, 'had keys revoked');
  },
  afterDeath: async ({ step }) => afterDeathOfCall(step, step.repeatable),
  leaves: () => 'keys that were revoked stay so',
  inDrill: 'skip',
};
