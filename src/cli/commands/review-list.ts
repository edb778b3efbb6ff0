import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, good, shownTime, table } from '../text.ts';

export const reviewList: CommandDefinition = {
  name: 'review list',
  summary: 'list the reviews that are due, and those that took place',
  description: 'Says of each review that the plan has when it is due, and lists what was recorded.',
  examples: [{ command: 'holdfast review list', does: 'what is due, and what was looked at' }],
  exits: [...REPOSITORY_EXITS, EXIT.missed],
  writes: false,
  async run({ workspace }) {
    const { listReviews } = await import('../../operations/index.ts');
    const reviews = await listReviews(await workspace());
    const due = reviews.due.map(({ review, schedule, last, due: at, isOverdue }) => [
      isOverdue ? bad('overdue') : good('done'),
      review,
      schedule,
      last === undefined ? 'never' : shownTime(last),
      at === undefined ? 'never' : shownTime(at),
    ]);
    const recorded = reviews.recorded.map(({ time, review, attended, note = '' }) => [
      shownTime(time),
      review,
      attended.join(', '),
      note,
    ]);
    const parts = [
      ...(due.length === 0
        ? ['The plan has no reviews.']
        : [table([['', 'review', 'schedule', 'last', 'due'], ...due])]),
      ...(recorded.length === 0 ? [] : [table([['time', 'review', 'attended', 'note'], ...recorded])]),
    ];
    const exit = reviews.due.some(({ isOverdue }) => isOverdue) ? EXIT.missed : EXIT.done;
    return { exit, json: reviews, text: parts.join('\n\n') };
  },
};
