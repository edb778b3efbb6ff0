import type { StepKind } from '../step.ts';

/** A line of the record: what the step did is the line. */
export const note: StepKind<'note'> = {
  describe: ({ step }) => ({
    does: `writes into the record: ${step.text}`,
    byHand: [`# Write down: ${step.text}`],
  }),
  foresee: async (context) => ({ ...note.describe(context), expectedMs: 0, obstacles: [] }),
  run: async ({ step }) => ({ outcome: 'done', summary: step.text, outputs: {} }),
  inDrill: 'run',
};
