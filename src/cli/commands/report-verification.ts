import { HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { REPORT_OPTIONS, reportOutcome } from '../report-outcome.ts';

const DEFAULT_SINCE = '7d ago';

export const reportVerification: CommandDefinition = {
  name: 'report verification',
  summary: 'write what was verified, and what was not',
  description:
    'Writes for all sources of the plan which recovery points were restored and validated since a moment, with what was found and how long it took against the objectives; what failed or could not be proven here; verifications that were due and did not run; checks of repositories; and how old the newest recovery points are. With --json, the figures.',
  options: [
    { flags: '--since <time>', description: `from this moment on (default: ${DEFAULT_SINCE})` },
    ...REPORT_OPTIONS,
  ],
  examples: [
    { command: 'holdfast report verification', does: 'what was verified in the last seven days, as Markdown' },
    {
      command: 'holdfast report verification --since 2026-01-01T00:00:00Z --format html --out q1.html',
      does: 'a page to print, for an audit',
    },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ options, workspace, environment, directory }) {
    const operations = await import('../../operations/index.ts');
    const sinceMs = operations.parseMoment(
      (options['since'] as string | undefined) ?? DEFAULT_SINCE,
      environment.clock.nowMs(),
    );
    if (sinceMs === undefined) {
      throw new HoldfastError('bad-usage', '--since takes a time', { hint: 'Such as `30d ago`.' });
    }
    const written = await operations.reportVerification(await workspace(), sinceMs);
    return reportOutcome(written, { options, directory });
  },
};
