import type { StepKind } from '../step.ts';

/** A line of the record: what the step did is the line. */
export const note: StepKind<'note'> = {
  foresee: async ({ step }) => ({
    does: `writes into the record: ${step.text}`,
    expectedMs: 0,
    obstacles: [],
    byHand: [`# Write down: ${step.text}`],
  }),
  run: async ({ step }) => ({ outcome: 'done', summary: step.text, outputs: {} }),
  inDrill: 'run',
};
