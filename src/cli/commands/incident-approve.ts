import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { AS_OPTION, answered } from '../incident-answer.ts';

export const incidentApprove: CommandDefinition = {
  name: 'incident approve',
  arguments: '<id> [step]',
  summary: 'agree to what a step asks',
  description:
    'Says yes to a step that waits for persons. Who says it is known by the account, and counts once, as whichever contact; where the plan names `accounts` of a contact, only those may answer as it. `incident answer ID STEP refuse` says no.',
  options: [AS_OPTION, { flags: '--note <text>', description: 'why' }],
  examples: [
    {
      command: 'holdfast incident approve 3fa8 go --as lead',
      does: 'as the lead; the step goes on once enough have agreed',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  run: (invocation) => answered(invocation, 'approve'),
};
