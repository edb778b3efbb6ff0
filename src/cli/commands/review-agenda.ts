import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPORT_OPTIONS, reportOutcome } from '../report-outcome.ts';
import { oneLine } from '../text.ts';

export const reviewAgenda: CommandDefinition = {
  name: 'review agenda',
  arguments: '<kind>',
  summary: 'make the agenda of a review: what changed, failed or was never tested since the last',
  description:
    'Makes the agenda of a review that the plan has under `reviews`, of what was recorded since it was held last, or ever: which revisions of the plan there were and what in its file is not applied; what failed or missed its objective, and which alerts there were; and what was not restored, drilled, checked or used since, or never. `strategy` looks at backups, `plan` at recoveries and people, `audit` at all of it, with keys and tokens. Where a repository cannot be read, the exit code is 3.',
  options: [...REPORT_OPTIONS],
  examples: [
    { command: 'holdfast review agenda strategy --format text', does: 'what to talk about this month' },
    { command: 'holdfast review agenda audit --format html --out audit.html', does: 'a page to print, for the audit' },
  ],
  exits: [EXIT.partial],
  writes: false,
  async run({ arguments: [kind], options, workspace, loadPlan, directory, tell }) {
    const operations = await import('../../operations/index.ts');
    const written = await operations.reviewAgenda(await workspace(), await loadPlan(), kind as string);
    const { unread } = written.report;
    for (const { repository, message } of unread) tell(oneLine`${repository} could not be read: ${message}`);
    return reportOutcome(written, { options, directory }, unread.length > 0 ? EXIT.partial : EXIT.done);
  },
};
