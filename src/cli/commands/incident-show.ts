import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { incidentText } from '../incident-text.ts';

export const incidentShow: CommandDefinition = {
  name: 'incident show',
  arguments: '[id]',
  summary: 'an incident: its steps, its clocks, what it waits for and the commands to answer it',
  examples: [
    { command: 'holdfast incident show', does: 'the newest' },
    { command: 'holdfast incident show 3fa8', does: 'an id may be shortened; that of a drill as well' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ arguments: [id], workspace: open }) {
    const workspace = await open();
    const { showRun, viewOf } = await import('../../recovery/index.ts');
    const view = viewOf(
      await showRun(workspace, (id as string | undefined) ?? 'latest'),
      workspace.environment.clock.nowMs(),
    );
    return { exit: EXIT.done, json: view, text: incidentText(view) };
  },
};
