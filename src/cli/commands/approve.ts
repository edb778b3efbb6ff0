import { EXIT } from '../../foundation/errors.ts';
import type { Approval } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, oneLine, shownTime, table } from '../text.ts';

export const approveCommand: CommandDefinition = {
  name: 'approve',
  arguments: '[id]',
  summary: 'agree to what another person asked for, or list what waits',
  description:
    'What `approvals: { twoPersons: [..] }` of the plan names is done once another person has agreed: the first one does it and is told the id, the second one approves that from an account of their own, and the first one does it again. An approval is for one thing, is used up by it, and expires 7 days after it was asked for. Without an id, lists what was asked for.',
  examples: [
    { command: 'holdfast approve', does: 'what was asked for, and by whom' },
    { command: 'holdfast approve 3fa85f64', does: 'agree to it' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], workspace }) {
    const operations = await import('../../operations/index.ts');
    if (id !== undefined) {
      const approval = await operations.approve(await workspace(), id as string);
      return { exit: EXIT.done, json: approval, text: `${good('approved')} ${line(approval).join(' ')}` };
    }
    const approvals = await operations.listApprovals(await workspace());
    const rows = approvals.map((each) => [each.state, ...line(each)]);
    const text =
      rows.length === 0 ? 'Nothing was asked for.' : table([['', 'id', 'asked', 'by', 'what', 'why'], ...rows]);
    return { exit: EXIT.done, json: { approvals }, text };
  },
};

function line({ approval, asked, by, action, subject, why }: Approval): string[] {
  return [approval, shownTime(asked), by, oneLine`${action}: ${subject}`, why];
}
