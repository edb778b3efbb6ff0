import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { watchedRun } from '../watched-run.ts';

export const incidentResume: CommandDefinition = {
  name: 'incident resume',
  arguments: '<id>',
  summary: 'go on with an incident whose process is gone, or that stopped at a step which failed',
  description:
    'Goes on where the ledger says that it is, on whatever machine. A step that failed is tried again; of one whose process died in the middle it is found out what it had done, or asked. While another process runs it, it is refused. It ends as `recover` does.',
  options: [{ flags: '--alone', description: 'no other process runs it, where no store can tell' }],
  examples: [{ command: 'holdfast incident resume 3fa8', does: 'on this machine, from its ledger alone' }],
  exits: [...REPOSITORY_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const workspace = await invocation.workspace();
    const { resume } = await import('../../recovery/index.ts');
    const isAlone = invocation.options['alone'] === true;
    return watchedRun(workspace, invocation, (told) =>
      resume(workspace, invocation.arguments[0] as string, { ...told, isAlone }),
    );
  },
};
