import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { notEverywhere } from '../not-everywhere.ts';
import { good, shortId } from '../text.ts';

export const unhold: CommandDefinition = {
  name: 'unhold',
  arguments: '<snapshot>',
  summary: 'let a snapshot that is held go by the retention again',
  description:
    'Takes back `holdfast hold`. Nothing is removed by that: the next `retain` decides. A repository that cannot be written to, as one that is away, is named and stops no other, and makes the exit code 1: say the same again once it is back.',
  options: [{ flags: '--why <text>', description: 'why it need not stay any more' }],
  examples: [{ command: 'holdfast unhold 3fa85f64', does: 'the retention decides about it again' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const released = await operations.unhold(await workspace(), id as string, options['why'] as string | undefined);
    return {
      exit: released.failures.length === 0 ? EXIT.done : EXIT.failed,
      json: released,
      text: [`${good('released')} ${shortId(released.snapshot)}`, ...notEverywhere(released)].join('\n'),
    };
  },
};
