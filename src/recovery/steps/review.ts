import { parseDuration } from '../../foundation/units.ts';
import type { StepContext, StepKind } from '../step.ts';

/** When the meeting is due where the plan does not say. */
export const REVIEW_WITHIN_MS = 24 * 3_600_000;

/** Says by when the meeting has to be held; that it was is recorded by `holdfast review record incident-ID`. */
export const review: StepKind<'review'> = {
  describe: ({ step }) => ({
    does: `has the review held within ${step.within ?? '24h'} of the end of the recovery${attending(step)}`,
    byHand: ['# Meet, find out what went wrong and what went well, and write down who does what until when.'],
  }),
  foresee: async (context) => ({ ...review.describe(context), expectedMs: 0, obstacles: [] }),
  run: async ({ step, run, clock }) => {
    const due = new Date(clock.nowMs() + (parseDuration(step.within ?? '') ?? REVIEW_WITHIN_MS)).toISOString();
    const command = `holdfast review record ${run.kind}-${run.id} --attended NAME`;
    return { outcome: 'done', summary: `the review is due by ${due}: ${command}`, outputs: { due } };
  },
  inDrill: 'skip',
};

function attending({ attendees = [] }: StepContext<'review'>['step']): string {
  return attendees.length === 0 ? '' : `, by ${attendees.join(', ')}`;
}
