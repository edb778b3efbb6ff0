import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { incidentText } from '../incident-text.ts';
import { shownRun } from '../watched-run.ts';

export const incidentShow: CommandDefinition = {
  name: 'incident show',
  arguments: '[id]',
  summary: 'an incident: its steps, its clocks, what it waits for and the commands to answer it',
  options: [{ flags: '--follow', description: 'show what changes, until it is over or stops' }],
  examples: [
    { command: 'holdfast incident show', does: 'the newest' },
    {
      command: 'holdfast incident show 3fa8 --follow',
      does: 'as it goes on, wherever it is run; ends as `recover` does',
    },
    { command: 'holdfast incident show 3fa8', does: 'an id may be shortened; that of a drill as well' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: false,
  async run(invocation) {
    const {
      arguments: [id],
      options,
    } = invocation;
    const workspace = await invocation.workspace();
    const { followRun, showRun, viewOf } = await import('../../recovery/index.ts');
    if (options['follow'] === true) {
      return shownRun(workspace, invocation, ({ onState }) =>
        followRun(workspace, (id as string | undefined) ?? 'latest', onState),
      );
    }
    const view = viewOf(
      await showRun(workspace, (id as string | undefined) ?? 'latest'),
      workspace.environment.clock.nowMs(),
    );
    return { exit: EXIT.done, json: view, text: incidentText(view) };
  },
};
