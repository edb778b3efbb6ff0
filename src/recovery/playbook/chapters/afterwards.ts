import type { Runbook } from '../../../plan/index.ts';
import { type Block, chapter, commands, list, paragraph, part, table } from '../../../report/index.ts';
import { isPlanUnread } from '../facts.ts';
import type { Playbook } from '../playbook.ts';

export function afterwards(playbook: Playbook): Block[] {
  const { plan } = playbook.facts;
  return chapter(
    '10. After an incident',
    part(
      'Documentation',
      paragraph('The report of an incident is written from what was recorded while it lasted, with fields to fill in:'),
      list(
        [
          'Timeline: what happened when, and who did it',
          'Actions: each step with its budget, approvals and decisions',
          'Root cause: to be filled in',
          'Lessons learned: to be filled in',
          'Action items: what, who, until when',
        ],
        true,
      ),
      commands(['holdfast report incident latest']),
    ),
    part('Review meeting', meetings(playbook, [...plan.runbooks.values()])),
  );
}

function meetings({ facts }: Playbook, runbooks: readonly Runbook[]): Block[] {
  const rows = runbooks.flatMap(({ name, scenario, steps }) =>
    steps.flatMap(({ document }) => {
      if (document.do !== 'review') return [];
      const names = (document.attendees ?? []).map((id) => facts.plan.contacts.get(id)?.role ?? id);
      return [
        [scenario, hoursWords(document.within), names.join(', ') || 'nobody is named', ...lastMeeting(facts, name)],
      ];
    }),
  );
  return [
    ...table(
      ['After', 'Within, of its end', 'Who takes part', 'Last incident', 'Last meeting'],
      rows,
      'No runbook ends with one.',
    ),
    paragraph(
      'What has to become better is written down there, with who sees to it. A meeting that is not held is an alert.',
    ),
  ];
}

/** As it is written, and in hours where that is plain. */
function hoursWords(within = '24h'): string {
  const [, hours] = /^(\d+)h$/.exec(within) ?? [];
  return hours === undefined ? within : `${hours} hours`;
}

function lastMeeting(facts: Playbook['facts'], runbook: string): [string, string] {
  const { showings } = facts;
  const otherwise = isPlanUnread(facts) ? 'unknown' : 'never';
  const { last } = showings.of('incident', runbook);
  const { last: held } = showings.of('meeting', runbook);
  return [last?.at.slice(0, 10) ?? otherwise, held?.at.slice(0, 10) ?? otherwise];
}
