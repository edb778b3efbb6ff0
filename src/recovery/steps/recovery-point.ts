import { HoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { formatDuration } from '../../foundation/units.ts';
import { type ChosenPoint, choosePoint, type Workspace } from '../../operations/index.ts';
import type { StepContext, StepKind } from '../step.ts';
import { fromAnyCopy } from './any-copy.ts';
import { workspaceOf } from './step-workspace.ts';
import { assertFilled, unfilledNames } from './unfilled.ts';

type Context = StepContext<'recovery-point'>;

/** Chooses a recovery point, and says why it is this one, and how much is lost by it. */
export const recoveryPoint: StepKind<'recovery-point'> = {
  describe: ({ step }) => {
    const name = step.source ?? step.group!;
    const does = `chooses ${step.choose === 'at' ? `the recovery point of ${name} at ${step.at}` : `the ${step.choose} recovery point of ${name}`}${step.before === undefined ? '' : `, not after ${step.before}`}`;
    return { does, byHand: [`holdfast snapshots ${step.source === undefined ? '' : shellWord(step.source)}`.trim()] };
  },
  foresee: async (context) => {
    const described = recoveryPoint.describe(context);
    if (unfilledNames(context.step).length > 0) return { ...described, obstacles: [] };
    try {
      const { reason } = await pointOf(context, context.workspace);
      return { ...described, does: `${described.does}: by now ${reason}`, obstacles: [] };
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      return { ...described, obstacles: [error.message] };
    }
  },
  async run(context) {
    assertFilled(context.step);
    const { time, timeMs, snapshot, reason } = await pointOf(context, workspaceOf(context));
    const lossMs = Math.max(0, context.run.sinceMs - timeMs);
    const loss =
      lossMs === 0
        ? 'nothing from before the incident is lost'
        : `${formatDuration(lossMs)} before the incident are lost`;
    return {
      outcome: 'done',
      summary: `${reason}; ${loss}`,
      outputs: { time, reason, lossMs, ...(snapshot !== undefined && { snapshot }) },
    };
  },
  inDrill: 'run',
};

async function pointOf(context: Context, own: Workspace): Promise<ChosenPoint> {
  const { step, run, workspace } = context;
  const { source, group, before, at, choose } = step;
  const request = {
    ...{ choose, sinceMs: run.sinceMs },
    ...{ ...(source !== undefined && { source }), ...(group !== undefined && { group }) },
    ...{ ...(before !== undefined && { before }), ...(at !== undefined && { at }) },
  };
  if (source === undefined) return choosePoint(own, request);
  const named = { named: undefined, source: workspace.sources([source])[0]!.name };
  return fromAnyCopy(context, named, (repository) => choosePoint(own, { ...request, repository }));
}
