import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { incidentText } from '../incident-text.ts';

export const incidentAbort: CommandDefinition = {
  name: 'incident abort',
  arguments: '<id>',
  summary: 'end an incident as it is, and say what is left standing',
  description:
    'Ends an incident: a process that runs its steps stops. What they did is undone where a kind of step can do that, the last first, and said otherwise. Retention and prune go on from then on.',
  options: [{ flags: '--why <text>', description: 'why' }],
  examples: [
    { command: 'holdfast incident abort 3fa8 --why "a false alarm"', does: 'it is over, and says what is left' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace: open, tell }) {
    const why = options['why'] as string | undefined;
    if (why === undefined)
      throw new HoldfastError('bad-usage', 'an abort needs a reason', { hint: 'Add `--why TEXT`.' });
    const workspace = await open();
    const { abortIncident, viewOf } = await import('../../recovery/index.ts');
    const view = viewOf(
      await abortIncident(workspace, id as string, { why, tell }),
      workspace.environment.clock.nowMs(),
    );
    return { exit: EXIT.done, json: view, text: incidentText(view) };
  },
};
