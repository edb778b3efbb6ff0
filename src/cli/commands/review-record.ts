import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, shownTime } from '../text.ts';

export const reviewRecord: CommandDefinition = {
  name: 'review record',
  arguments: '<kind>',
  summary: 'record that a review took place, and who attended',
  description:
    'Records in the ledger that a review which the plan has under `reviews` took place. The next one is due by its schedule after that. The review after a recovery is recorded as `incident-ID`, once that is over.',
  options: [
    { flags: '--attended <name>', description: 'who was there; once for each', repeats: true },
    { flags: '--note <text>', description: 'what came of it' },
  ],
  examples: [
    {
      command: 'holdfast review record strategy --attended Anna --attended Ben --note "RPO of the logs is enough"',
      does: 'it is done until the next is due',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [kind], options, workspace }) {
    const { recordReview } = await import('../../recovery/index.ts');
    const note = options['note'] as string | undefined;
    const attended = (options['attended'] ?? []) as string[];
    const request = { review: kind as string, attended, ...(note !== undefined && { note }) };
    const { review, next } = await recordReview(await workspace(), request);
    const due = next?.due;
    const nextText = due === undefined ? '' : `; the next is due ${shownTime(due)}`;
    const json = { ...request, review, ...(due !== undefined && { nextDue: due }) };
    const of = review.replace(/^(incident|drill)-/, '$1 ');
    return { exit: EXIT.done, json, text: `${good('recorded')} the review of the ${of}${nextText}` };
  },
};
