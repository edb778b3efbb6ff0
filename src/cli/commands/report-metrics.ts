import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPORT_OPTIONS, reportOutcome } from '../report-outcome.ts';
import { oneLine } from '../text.ts';

const MOST_MONTHS = 120;

export const reportMetrics: CommandDefinition = {
  name: 'report metrics',
  summary: 'write RPO, RTO, success and repair times by month and quarter',
  description:
    'Writes for each month and quarter, up to now, how old the newest recovery point of each source was at most and what the longest proof of it took, against what is promised; which share of backups, restores and proofs succeeded; and the mean time to recovery (MTTR) of incidents, with how long severe alerts and restores took. Where a repository cannot be read, what the others tell is written, and the exit code is 3. With --json, the figures.',
  options: [{ flags: '--months <count>', description: 'how many, up to now (default: 12)' }, ...REPORT_OPTIONS],
  examples: [
    { command: 'holdfast report metrics', does: 'the last twelve months, as Markdown' },
    { command: 'holdfast report metrics --months 36 --format html --out metrics.html', does: 'three years, to print' },
  ],
  exits: [EXIT.partial],
  writes: false,
  async run({ options, workspace, directory, tell }) {
    const operations = await import('../../operations/index.ts');
    const months = Number(options['months'] ?? 12);
    if (!Number.isInteger(months) || months < 1 || months > MOST_MONTHS) {
      throw new HoldfastError('bad-usage', '--months takes a whole number', {
        hint: `Give one from 1 to ${MOST_MONTHS}.`,
      });
    }
    const written = await operations.reportMetrics(await workspace(), { months });
    const { unread } = written.report;
    for (const { repository, message } of unread) tell(oneLine`${repository} could not be read: ${message}`);
    const exit = unread.length > 0 ? EXIT.partial : EXIT.done;
    return reportOutcome(written, { options, directory }, exit);
  },
};
