import { createHash } from 'node:crypto';
import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPORT_OPTIONS, reportOutcome } from '../report-outcome.ts';
import { oneLine } from '../text.ts';

export const reportPlaybook: CommandDefinition = {
  name: 'report playbook',
  summary: 'write the disaster-recovery plan as a document, with what was shown of it',
  description:
    'Writes the plan as people read it: objectives, backups, recovery procedures step by step and by hand, tests, monitoring, contacts, reviews and revisions. Beside each promise stands what was measured and when it was last shown; what never was says so. It is written also where no repository can be read: then what was shown is unknown, and the exit code is 3. No secret is in it. With --json, the promises and the figures.',
  options: [...REPORT_OPTIONS],
  examples: [
    { command: 'holdfast report playbook', does: 'the plan as Markdown' },
    { command: 'holdfast report playbook --format html --out playbook.html', does: 'a document to print' },
  ],
  exits: [EXIT.partial],
  writes: false,
  async run({ options, workspace, loadPlan, directory, tell }) {
    const { reportPlaybook: write } = await import('../../recovery/index.ts');
    const sha256 = createHash('sha256')
      .update((await loadPlan()).text)
      .digest('hex');
    const written = await write(await workspace(), { sha256 });
    const { unread } = written.report;
    for (const { repository, message } of unread) tell(oneLine`${repository} could not be read: ${message}`);
    const exit = unread.length > 0 ? EXIT.partial : EXIT.done;
    return reportOutcome(written, { options, directory }, exit);
  },
};
