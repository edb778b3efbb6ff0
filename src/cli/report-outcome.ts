import { resolve } from 'node:path';
import { EXIT, type ExitCode } from '../foundation/errors.ts';
import type { Invocation, OptionDefinition, Outcome } from './command.ts';
import { oneLine } from './text.ts';
import { writeReport } from './write-report.ts';

const FORMATS = ['markdown', 'html', 'text'] as const;

/** What every report takes. */
export const REPORT_OPTIONS: OptionDefinition[] = [
  { flags: '--format <format>', description: 'the form (default: markdown)', choices: [...FORMATS] },
  { flags: '--out <file>', description: 'write it to a file' },
];

/** A report, and the forms that it is shown in. */
type Written = { report: object; title: string } & Record<(typeof FORMATS)[number], string>;

/** Prints a report, or writes it to a file, in the form that was asked for. @throws output-failed */
export async function reportOutcome(
  written: Written,
  { options, directory }: Pick<Invocation, 'options' | 'directory'>,
  exit: ExitCode = EXIT.done,
): Promise<Outcome> {
  const format = FORMATS.find((each) => each === options['format']) ?? 'markdown';
  const out = options['out'] as string | undefined;
  if (out === undefined) return { exit, json: written.report, text: written[format] };
  const path = resolve(directory, out);
  await writeReport(path, `${written[format]}\n`);
  return { exit, json: { ...written.report, file: path }, text: oneLine`${written.title}: ${path}` };
}
