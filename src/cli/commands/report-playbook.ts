import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { writeReport } from '../write-report.ts';

const FORMATS = ['markdown', 'html', 'text'] as const;

export const reportPlaybook: CommandDefinition = {
  name: 'report playbook',
  summary: 'write the disaster-recovery plan as a document, with what was shown of it',
  description:
    'Writes the plan as people read it: objectives, backups, recovery procedures step by step and by hand, tests, monitoring, contacts, reviews and revisions. Beside each promise stands what was measured and when it was last shown; what never was says so. It is written also where no repository can be read: then what was shown is unknown, and the exit code is 3. No secret is in it. With --json, the promises and the figures.',
  options: [
    { flags: '--format <format>', description: 'the form (default: markdown)', choices: [...FORMATS] },
    { flags: '--out <file>', description: 'write it to a file' },
  ],
  examples: [
    { command: 'holdfast report playbook', does: 'the plan as Markdown' },
    { command: 'holdfast report playbook --format html --out playbook.html', does: 'a document to print' },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial],
  writes: false,
  async run({ options, workspace, loadPlan, directory, tell }) {
    const { reportPlaybook: write } = await import('../../recovery/index.ts');
    const sha256 = createHash('sha256')
      .update((await loadPlan()).text)
      .digest('hex');
    const written = await write(await workspace(), { sha256 });
    const { unread } = written.report;
    for (const { repository, message } of unread) tell(`${repository} could not be read: ${message}`);
    const exit = unread.length > 0 ? EXIT.partial : EXIT.done;
    const format = FORMATS.find((each) => each === options['format']) ?? 'markdown';
    const out = options['out'] as string | undefined;
    if (out === undefined) return { exit, json: written.report, text: written[format] };
    const path = resolve(directory, out);
    await writeReport(path, `${written[format]}\n`);
    return { exit, json: { ...written.report, file: path }, text: `${written.title}: ${path}` };
  },
};
