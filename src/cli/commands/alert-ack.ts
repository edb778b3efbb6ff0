import { errorJson } from '../../foundation/error-json.ts';
import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { doubtful, good, oneLine } from '../text.ts';

export const alertAck: CommandDefinition = {
  name: 'alert ack',
  arguments: '<id>',
  summary: 'say that you see to an alert, so that nobody else is woken',
  description:
    'Records that somebody sees to an alert: the rungs of the ladder that are not `untilResolved` are not climbed, and those who were told learn of it. While the repository is away a whole id, as messages have it, is taken unseen: exit code 3.',
  options: [{ flags: '--note <text>', description: 'what you are doing about it' }],
  examples: [
    { command: 'holdfast alert ack 3f2a --note "the disk is being replaced"', does: 'an id may be shortened' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial],
  writes: true,
  async run({ arguments: [id], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const note = options['note'] as string | undefined;
    const {
      alert,
      id: whole,
      isNew,
      unseen,
    } = await operations.acknowledgeAlert(await workspace(), {
      alert: id as string,
      ...(note !== undefined && { note }),
    });
    if (alert === undefined) {
      return {
        exit: EXIT.partial,
        json: { id: whole, isNew, unseen: errorJson(unseen!) },
        text: oneLine`${doubtful('acknowledged')} ${whole}, unseen: ${unseen!.message}. It waits on this machine, where \`serve\` knows it at once, for the ledger.`,
      };
    }
    const what = oneLine`${alert.id}: ${alert.message}`;
    const text = isNew
      ? oneLine`${good('acknowledged')} ${what}`
      : oneLine`${doubtful('acknowledged before')} by ${alert.acknowledgedBy}: ${what}`;
    return { exit: EXIT.done, json: { id: whole, alert, isNew }, text };
  },
};
