import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, oneLine, shortId } from '../text.ts';
import { whyOf } from '../why.ts';

export const suspect: CommandDefinition = {
  name: 'suspect',
  arguments: '<snapshot>',
  summary: 'say that a snapshot is not to be trusted, so that a clean recovery point is from before it',
  description:
    'Marks a snapshot as one in which data may have been encrypted, altered or deleted by somebody, as Holdfast does by itself with a backup that is far from what is usual. Mark the first that has it: neither that nor what was taken after it counts as clean, `latest-clean` is from before it, and the alert `change-anomaly` says so. Nothing is removed, and the snapshot can be restored. `holdfast unsuspect` takes the mark away.',
  options: [{ flags: '--why <text>', description: 'what is known of it' }],
  examples: [
    {
      command: 'holdfast suspect 3fa85f64 --why "the intruder was in since Tuesday"',
      does: 'a recovery from a breach goes back to before it',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace }) {
    const why = whyOf(options);
    const operations = await import('../../operations/index.ts');
    const { source, snapshot, time } = await operations.suspect(await workspace(), id as string, why);
    const text = oneLine`${good('marked')} ${shortId(snapshot)} of ${source}, ${time}: ${why}. Nothing of ${source} from then on counts as clean`;
    return { exit: EXIT.done, json: { source, snapshot, time, why }, text };
  },
};
