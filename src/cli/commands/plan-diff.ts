import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { differenceText } from '../plan-text.ts';

export const planDiff: CommandDefinition = {
  name: 'plan diff',
  summary: 'say what the plan changes against the revision that was applied last',
  description:
    'Compares the plan, with defaults filled in, with the revision that was applied last, key by key, and says what it would promise or keep less of.',
  examples: [{ command: 'holdfast plan diff', does: 'what `plan apply` would record' }],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ loadPlan, workspace }) {
    const { planDifference } = await import('../../operations/index.ts');
    const difference = await planDifference(await workspace(), await loadPlan());
    return { exit: EXIT.done, json: difference, text: differenceText(difference).join('\n') };
  },
};
