import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { notEverywhere } from '../not-everywhere.ts';
import { good, oneLine, shortId } from '../text.ts';
import { whyOf } from '../why.ts';

export const hold: CommandDefinition = {
  name: 'hold',
  arguments: '<snapshot>',
  summary: 'keep a snapshot for as long as nobody releases it',
  description:
    'Keeps a snapshot whatever the retention of the plan says, until `holdfast unhold`: with all that it needs, in its repository and its mirrors, and every copy of it in an archive of the plan. Who held it and why is recorded, and shown by `snapshots` and `retain`. A repository that cannot be written to, as one that is away, is named and stops no other, and makes the exit code 1: say the same again once it is back.',
  options: [{ flags: '--why <text>', description: 'why it stays, for whoever comes after you' }],
  examples: [{ command: 'holdfast hold 3fa85f64 --why "evidence for case 12"', does: 'it stays until it is released' }],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace }) {
    const why = whyOf(options);
    const operations = await import('../../operations/index.ts');
    const held = await operations.hold(await workspace(), id as string, why);
    return {
      exit: held.failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { ...held, why },
      text: [oneLine`${good('held')} ${shortId(held.snapshot)}: ${why}`, ...notEverywhere(held)].join('\n'),
    };
  },
};
