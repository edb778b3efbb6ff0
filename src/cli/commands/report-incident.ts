import { resolve } from 'node:path';
import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { writeReport } from '../write-report.ts';

const FORMATS = ['markdown', 'html', 'text'] as const;

export const reportIncident: CommandDefinition = {
  name: 'report incident',
  arguments: '<id>',
  summary: 'write what became of an incident, or of a drill',
  description:
    'Writes the report of an incident or a drill, whether over or under way: its timeline, who decided what, the recovery time and the loss against what was promised, each step against its share of the budget, the review meeting and whether it was held, and earlier runs of the same runbook; with fields to fill in for the root cause, the lessons and what is to be done. All of it comes from the ledger. With --json, the figures.',
  options: [
    { flags: '--format <format>', description: 'the form (default: markdown)', choices: [...FORMATS] },
    { flags: '--out <file>', description: 'write it to a file' },
  ],
  examples: [
    { command: 'holdfast report incident latest', does: 'the newest incident, as Markdown' },
    { command: 'holdfast report incident 3fa85f64 --format html --out incident.html', does: 'a page to print' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ arguments: [id], options, workspace, directory }) {
    const { reportRun } = await import('../../recovery/index.ts');
    const written = await reportRun(await workspace(), id as string);
    const format = FORMATS.find((each) => each === options['format']) ?? 'markdown';
    const out = options['out'] as string | undefined;
    if (out === undefined) return { exit: EXIT.done, json: written.report, text: written[format] };
    const path = resolve(directory, out);
    await writeReport(path, `${written[format]}\n`);
    return { exit: EXIT.done, json: { ...written.report, file: path }, text: `${written.title}: ${path}` };
  },
};
