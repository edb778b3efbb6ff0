import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { REPORT_OPTIONS, reportOutcome } from '../report-outcome.ts';

export const reportIncident: CommandDefinition = {
  name: 'report incident',
  arguments: '<id>',
  summary: 'write what became of an incident, or of a drill',
  description:
    'Writes the report of an incident or a drill, whether over or under way: its timeline, who decided what, the recovery time and the loss against what was promised, each step against its share of the budget, the review meeting and whether it was held, and earlier runs of the same runbook; with fields to fill in for the root cause, the lessons and what is to be done. All of it comes from the ledger. With --json, the figures.',
  options: [...REPORT_OPTIONS],
  examples: [
    { command: 'holdfast report incident latest', does: 'the newest incident, as Markdown' },
    { command: 'holdfast report incident 3fa85f64 --format html --out incident.html', does: 'a page to print' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ arguments: [id], options, workspace, directory }) {
    const { reportRun } = await import('../../recovery/index.ts');
    const written = await reportRun(await workspace(), id as string);
    return reportOutcome(written, { options, directory });
  },
};
