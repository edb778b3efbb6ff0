import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { AS_OPTION, answered } from '../incident-answer.ts';

export const incidentDone: CommandDefinition = {
  name: 'incident done',
  arguments: '<id> [step]',
  summary: 'say that you have done what a task asks, or did by hand what failed',
  options: [AS_OPTION, { flags: '--note <text>', description: 'what came of it: for later steps and the report' }],
  examples: [
    { command: 'holdfast incident done 3fa8 cause --note "a migration dropped the index"', does: 'the task is done' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  run: (invocation) => answered(invocation, 'done'),
};
