import { resolve } from 'node:path';
import { EXIT } from '../../foundation/errors.ts';
import type { ExportFormat } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { QUERY_OPTIONS, queryOf } from '../ledger-options.ts';
import { counted } from '../text.ts';

export const ledgerExport: CommandDefinition = {
  name: 'ledger export',
  summary: 'write the audit trail down for other programs',
  description:
    'Writes events as JSON Lines, an event a line, or as CSV, in which what a spreadsheet would take for a formula begins with an apostrophe; to a file that is not there yet, which only its owner can read, or to standard output. That it was done is an event as well. With `--json` and no file, the document has the text.',
  options: [
    { flags: '--format <format>', description: 'jsonl, which is the default, or csv', choices: ['jsonl', 'csv'] },
    { flags: '--out <file>', description: 'the file to write' },
    ...QUERY_OPTIONS,
  ],
  examples: [
    {
      command: 'holdfast ledger export --format csv --out audit-2026.csv --since 2026-01-01T00:00:00Z',
      does: 'a year for the auditors',
    },
    { command: 'holdfast ledger export --kind restore.finished', does: 'every restore, a line each' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ options, workspace, directory, environment }) {
    const operations = await import('../../operations/index.ts');
    const { format = 'jsonl', out } = options as { format?: ExportFormat; out?: string };
    const exported = await operations.exportLedger(await workspace(), {
      ...(await queryOf(options, environment.clock.nowMs())),
      format,
      ...(out !== undefined && { out: resolve(directory, out) }),
    });
    const written = `${counted(exported.events, 'event')} written to ${exported.out}`;
    return { exit: EXIT.done, json: exported, text: exported.text?.replace(/\r?\n$/, '') ?? written };
  },
};
