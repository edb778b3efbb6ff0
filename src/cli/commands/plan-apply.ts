import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { differenceText } from '../plan-text.ts';
import { doubtful, good, oneLine } from '../text.ts';
import { whyOf } from '../why.ts';

export const planApply: CommandDefinition = {
  name: 'plan apply',
  summary: 'make the plan its next revision, with a reason',
  description:
    'Records the text of the plan in the ledger of each repository that sources are kept in, with who applied it and why, and says what it promises or keeps less of than the revision before. Once a revision was applied, a retention that is shorter in the file removes nothing until it is applied too; with `approvals: { twoPersons: [retention] }` that takes another person, who says `holdfast approve`.',
  options: [{ flags: '-m, --why <text>', description: 'why the plan is as it is now' }],
  examples: [{ command: 'holdfast plan apply -m "keep logs for 30 days only"', does: 'the next revision' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ loadPlan, options, workspace }) {
    const why = whyOf(options);
    const { applyPlan } = await import('../../operations/index.ts');
    const applied = await applyPlan(await workspace(), await loadPlan(), why);
    const without = applied.without.map((name) =>
      doubtful(`${name} is not there yet, and learns it with the next revision`),
    );
    const before = applied.revision === 1 ? [] : differenceText({ ...applied, revision: applied.revision - 1 });
    return {
      exit: EXIT.done,
      json: applied,
      text: [oneLine`${good('applied')} revision ${applied.revision}: ${why}`, ...before, ...without].join('\n'),
    };
  },
};
