import { metricsBlocks } from '../../../operations/index.ts';
import { type Block, chapter, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { day } from '../words.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

export function improvement(playbook: Playbook): Block[] {
  const { months, quarters } = playbook.facts;
  return chapter(
    '11. Continuous improvement',
    part('Metrics', [
      paragraph(
        'Actual RTO and RPO against the objective, the success of backups and restores, and the mean time to recovery (MTTR), by month and by quarter. holdfast report metrics has more of them, holdfast objectives each day.',
      ),
    ]),
    metricsBlocks(months.slice(-3), quarters.slice(-2), 3),
    part('Regular reviews', reviews(playbook)),
  );
}

function reviews({ facts, find }: Playbook): Block[] {
  const what = {
    strategy: 'backups, retention and objectives',
    plan: 'runbooks, contacts, drills and what was changed',
    audit: 'all of it, with the audit trail',
  };
  const rows = facts.reviews.map(({ review, schedule, due, isOverdue }) => [
    `${review}: ${what[review]}`,
    schedule,
    ...shownCells(find('review', review)),
    due === undefined ? 'never' : `${day(due)}${isOverdue ? ', OVERDUE' : ''}`,
  ]);
  return [
    ...table(['Review', 'Schedule', ...SHOWN_COLUMNS, 'Next due'], rows, 'The plan has none.'),
    paragraph('holdfast review agenda KIND makes the agenda: what changed, failed or was never tested since the last.'),
  ];
}
