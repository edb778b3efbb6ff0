import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, oneLine, shortId } from '../text.ts';
import { whyOf } from '../why.ts';

export const unsuspect: CommandDefinition = {
  name: 'unsuspect',
  arguments: '<snapshot>',
  summary: 'say that a snapshot which was marked as suspect is as it should be',
  description:
    'A backup whose new data, or how far that compresses, or whose size is far from what is usual for its source is marked as suspect: data may have been encrypted or deleted by somebody. Once you have looked and know why, this takes the mark away, and what was taken since counts as clean again.',
  options: [{ flags: '--why <text>', description: 'what the change was' }],
  examples: [{ command: 'holdfast unsuspect 3fa85f64 --why "import of the archive"', does: 'it is trusted again' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace }) {
    const why = whyOf(options);
    const { clearSuspicion } = await import('../../operations/index.ts');
    const { source, snapshot } = await clearSuspicion(await workspace(), id as string, why);
    const text = oneLine`${good('cleared')} ${shortId(snapshot)} of ${source}: ${why}`;
    return { exit: EXIT.done, json: { source, snapshot, why }, text };
  },
};
