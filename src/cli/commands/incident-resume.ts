import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { detachedRun } from '../detached-run.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { watchedRun } from '../watched-run.ts';

export const incidentResume: CommandDefinition = {
  name: 'incident resume',
  arguments: '<id>',
  summary: 'go on with an incident whose process is gone, or that stopped at a step which failed',
  description:
    'Goes on where the ledger says that it is, on whatever machine. A step that failed is tried again; of one whose process died in the middle it is found out what it had done, or asked. While another process runs it, it is refused. It ends as `recover` does; with `--detach` with 0 as soon as the steps go on, which they do though the terminal is closed.',
  options: [
    { flags: '--alone', description: 'no other process runs it, where no store can tell' },
    { flags: '--detach', description: 'leave the steps to a process of their own, and end once they go on' },
  ],
  examples: [
    { command: 'holdfast incident resume 3fa8', does: 'on this machine, from its ledger alone' },
    { command: 'holdfast incident resume 3fa8 --detach', does: 'goes on though the connection is lost' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { options } = invocation;
    const [given] = invocation.arguments as [string];
    const workspace = await invocation.workspace();
    const { resume } = await import('../../recovery/index.ts');
    const isAlone = options['alone'] === true;
    if (options['detach'] === true) return detachedRun(workspace, invocation, { id: given, isAlone });
    return watchedRun(workspace, invocation, (told) => resume(workspace, given, { ...told, isAlone }));
  },
};
