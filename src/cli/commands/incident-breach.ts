import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, good, shownTime } from '../text.ts';

export const incidentBreach: CommandDefinition = {
  name: 'incident breach',
  arguments: '<id>',
  summary: 'declare a breach of personal data, or say that it was reported',
  description:
    'From a breach of personal data on, 72 hours count within which the authority is to be told. The alert `breach-report` is raised at once, and is of severity p1 from 48 hours on, until `--reported` says whom it was reported to.',
  options: [
    { flags: '--since <time>', description: 'when it became known; when the incident began, when left out' },
    { flags: '--reported <whom>', description: 'whom it was reported to' },
  ],
  examples: [
    { command: 'holdfast incident breach 3fa8 --since "1h ago"', does: '72 hours count from then on' },
    { command: 'holdfast incident breach 3fa8 --reported "the data protection authority"', does: 'it is done' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  async run({ arguments: [id], options, workspace: open }) {
    const workspace = await open();
    const { declareBreach, viewOf } = await import('../../recovery/index.ts');
    const [since, reportedTo] = [options['since'] as string | undefined, options['reported'] as string | undefined];
    const request = { ...(since !== undefined && { since }), ...(reportedTo !== undefined && { reportedTo }) };
    const { id: incident, breach } = viewOf(
      await declareBreach(workspace, id as string, request),
      workspace.environment.clock.nowMs(),
    );
    const text =
      breach?.reportedTo === undefined
        ? `${bad('breach')} of personal data: report it by ${shownTime(breach?.reportBy ?? '')}`
        : `${good('reported')} to ${breach.reportedTo}`;
    return { exit: EXIT.done, json: { incident, breach }, text };
  },
};
