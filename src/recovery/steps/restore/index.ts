/** Restores a source, or all sources of a group to one moment. */
import type { StepKind } from '../../step.ts';
import { assertFilled } from '../unfilled.ts';
import { describeGroup, foreseeGroup, restoreOneGroup } from './group.ts';
import { describeSource, foreseeSource, restoreOneSource } from './source.ts';

export const restore: StepKind<'restore'> = {
  describe: (context) => (context.step.group === undefined ? describeSource(context) : describeGroup(context)),
  foresee: (context) => (context.step.group === undefined ? foreseeSource(context) : foreseeGroup(context)),
  async run(context) {
    assertFilled(context.step);
    return context.step.group === undefined ? restoreOneSource(context) : restoreOneGroup(context);
  },
  leaves: ({ step }) => `what was restored${typeof step.to === 'string' ? ` to ${step.to}` : ''} stays there`,
  inDrill: 'run',
};
