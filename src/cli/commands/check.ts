import { EXIT } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { CheckOfRepository } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, counted, faint, good } from '../text.ts';

export const check: CommandDefinition = {
  name: 'check',
  arguments: '[repository]',
  summary: 'check that repositories are whole',
  description:
    'Reads every document and tree of a repository, or of all, and holds the index against the packs that are there. With --read-data every byte of every pack is read and authenticated.',
  options: [{ flags: '--read-data', description: 'read and authenticate every byte' }],
  examples: [
    { command: 'holdfast check', does: 'the structure, in seconds' },
    { command: 'holdfast check primary --read-data', does: 'every byte of one repository' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [repository], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const names = repository === undefined ? [] : [repository as string];
    const reports = await operations.check(await workspace(), names, options['readData'] === true);
    const exit = reports.every(({ clean }) => clean) ? EXIT.done : EXIT.failed;
    return { exit, json: { repositories: reports }, text: reports.map(describe).join('\n') };
  },
};

function describe(report: CheckOfRepository): string {
  const read = report.bytesRead > 0 ? `, ${formatSize(report.bytesRead)} read` : '';
  const figures = `${counted(report.snapshots, 'snapshot')}, ${counted(report.packs, 'pack')}, ${counted(report.blobs, 'blob')}${read} in ${formatDuration(report.durationMs)}`;
  const errors = report.findings.filter(({ severity }) => severity === 'error').length;
  return [
    `${report.clean ? good('clean') : bad(counted(errors, 'error'))}  ${report.repository}: ${figures}`,
    ...report.findings.map(
      ({ severity, where, message }) => `  ${severity === 'error' ? bad('error') : faint('note')} ${where}: ${message}`,
    ),
    ...report.notes.map((note) => `  ${note}`),
  ].join('\n');
}
