import { type Block, chapter, paragraph, table } from '../../../report/index.ts';
import { isPlanUnread } from '../facts.ts';
import type { Playbook } from '../playbook.ts';
import { day } from '../words.ts';

export function revisions({ facts }: Playbook): Block[] {
  const { plan, revisions: applied, isApplied } = facts;
  const rows = [
    ...plan.history.map(({ version, date, change }) => [`v${version.replace(/^v/i, '')}`, date, '–', change]),
    ...applied.map(({ revision, time, by, why, weakened = [] }) => [
      `revision ${revision}`,
      day(time),
      by,
      `${why}${weakened.length === 0 ? '' : ` (weakened: ${weakened.join('; ')})`}`,
    ]),
  ];
  return chapter(
    '13. Revision history',
    table(['Version', 'Date', 'By', 'Change'], rows),
    isPlanUnread(facts) ? paragraph('Revisions that were recorded could not all be read.', 'bad') : [],
    isApplied === undefined
      ? paragraph('No revision of the plan is recorded: holdfast plan apply -m WHY records one.')
      : isApplied
        ? paragraph('The plan is as the newest revision has it.')
        : paragraph(
            'The plan was changed since its newest revision, and the change is not applied: holdfast plan diff shows it.',
            'bad',
          ),
  );
}
