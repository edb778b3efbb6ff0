import { HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { ANSWERS, AS_OPTION, answered } from '../incident-answer.ts';

export const incidentAnswer: CommandDefinition = {
  name: 'incident answer',
  arguments: '<id> <step> <answer>',
  summary: 'say what becomes of a step that failed, or died in the middle; or refuse',
  description:
    'Of a step that failed: `again` tries it again, `done` means that you did it by hand, `skip` goes on without it, and the recovery is partial then, `stop` leaves all as it is. Of one whose process died where nobody can tell whether it took effect: `done` or `again`, and the same. Of one that asks persons: `approve`, `done` or `refuse`.',
  options: [AS_OPTION, { flags: '--note <text>', description: 'why' }],
  examples: [{ command: 'holdfast incident answer 3fa8 fence skip', does: 'go on without it' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  run: (invocation) => {
    const answer = ANSWERS.find((each) => each === invocation.arguments[2]);
    if (answer !== undefined) return answered(invocation, answer);
    throw new HoldfastError('bad-usage', `${JSON.stringify(invocation.arguments[2])} is no answer`, {
      hint: `Say one of ${ANSWERS.join(', ')}.`,
    });
  },
};
