import { resolve } from 'node:path';
import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { periodOf, periodOptions } from '../period.ts';
import { oneLine } from '../text.ts';
import { writeReport } from '../write-report.ts';

const FORMATS = ['markdown', 'html', 'text'] as const;
const DEFAULT_FROM = '365d ago';

export const reportCompliance: CommandDefinition = {
  name: 'report compliance',
  summary: 'hold what the ledger has of a period against standards',
  description:
    'Says for each control of SOC 2, ISO 27001, HIPAA and the GDPR that backup and recovery have to do with: what it asks, which events of the period show it, and what is missing. No control is claimed that the events do not carry. The first page says whether the ledger is whole, from when on it was kept, and when nothing was recorded; exit code 3 when a ledger is not whole, could not be verified or could not be read. With --json, the figures, with the ids of all events.',
  options: [
    ...periodOptions(DEFAULT_FROM),
    {
      flags: '--framework <name>',
      description: 'soc2, iso27001, hipaa or gdpr; may be given several times (default: those of the plan, or all)',
      repeats: true,
    },
    { flags: '--format <format>', description: 'the form (default: markdown)', choices: [...FORMATS] },
    { flags: '--out <file>', description: 'write it to a file' },
  ],
  examples: [
    { command: 'holdfast report compliance', does: 'the last year, by the standards of the plan, as Markdown' },
    {
      command:
        'holdfast report compliance --from 2026-01-01T00:00:00Z --to 2026-04-01T00:00:00Z --framework soc2 --format html --out q1.html',
      does: 'a quarter by one standard, as a page to print; `evidence export` signs such a page',
    },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.partial],
  writes: false,
  async run({ options, environment, workspace, directory, tell }) {
    const period = await periodOf({ options, environment }, DEFAULT_FROM);
    const operations = await import('../../operations/index.ts');
    const frameworks = await frameworksOf(options['framework'] as string[] | undefined);
    const written = await operations.reportCompliance(await workspace(), {
      ...period,
      ...(frameworks && { frameworks }),
    });
    const exit = written.report.isWhole ? EXIT.done : EXIT.partial;
    const format = FORMATS.find((each) => each === options['format']) ?? 'markdown';
    const out = options['out'] as string | undefined;
    if (out === undefined) return { exit, json: written.report, text: written[format] };
    const path = resolve(directory, out);
    await writeReport(path, `${written[format]}\n`);
    const { from, until } = written.report;
    tell(
      `it is not signed: \`holdfast evidence export --kind compliance --from ${from} --to ${until}\` signs that of the same time`,
    );
    return { exit, json: { ...written.report, file: path }, text: oneLine`${written.title}: ${path}` };
  },
};

async function frameworksOf(given: readonly string[] | undefined) {
  const { FRAMEWORKS } = await import('../../plan/index.ts');
  return given?.map((name) => {
    const framework = FRAMEWORKS.find((each) => each === name);
    if (framework !== undefined) return framework;
    throw new HoldfastError('bad-usage', `${JSON.stringify(name)} is no standard that is known here`, {
      hint: `It is one of ${FRAMEWORKS.join(', ')}.`,
    });
  });
}
