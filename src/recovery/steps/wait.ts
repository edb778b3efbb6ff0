import { pauseUntilAborted } from '../../foundation/pause.ts';
import { formatDuration, parseDuration } from '../../foundation/units.ts';
import type { StepContext, StepKind } from '../step.ts';

/** The longest that a timer takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** Lets time pass, since it began: who goes on after a death does not wait anew. */
export const wait: StepKind<'wait'> = {
  describe: ({ step }) => ({
    does: `waits for ${step.for}`,
    byHand: [`sleep ${Math.ceil(parseDuration(step.for)! / 1000)}`],
  }),
  foresee: async (context) => ({
    ...wait.describe(context),
    expectedMs: parseDuration(context.step.for)!,
    obstacles: [],
  }),
  run: async (context) => {
    for (let leftMs = left(context); leftMs > 0; leftMs = left(context)) {
      context.tell(`${formatDuration(leftMs)} left`);
      await pauseUntilAborted(context.signal)(Math.min(leftMs, LONGEST_MS));
    }
    return { outcome: 'done', summary: `waited for ${context.step.for}`, outputs: {} };
  },
  inDrill: 'skip',
};

function left({ step, clock, beganMs }: StepContext<'wait'>): number {
  return beganMs + parseDuration(step.for)! - clock.nowMs();
}
