import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { CheckOfRepository } from '../../operations/index.ts';
import type { Subset } from '../../repository/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { bad, counted, faint, good, oneLine } from '../text.ts';

export const check: CommandDefinition = {
  name: 'check',
  arguments: '[repository]',
  summary: 'check that repositories are whole',
  description: `Reads every document and tree of a repository, or of all, and holds the index against the packs that are there. What lies beside the snapshots of a log that is followed is read whole, and a hole in a log that was not recorded as a gap is an error. With --read-headers the header of every pack is held against the index as well. With --read-data every byte of every pack is read and authenticated; --read-data-subset reads a part: 5% goes on where the run before ended, so that twenty runs read everything, and 2/7 reads the second of seven groups, as with restic. With --repair everything is read first, and what is damaged or missing is put back from a mirror that has it; what is damaged in a mirror, from its primary. Where the plan has objects locked, what somebody hid behind a delete marker or another content is an error, and --repair brings it back; with --lock the store is asked for the lock of every object that is needed, and what has none, a weaker one, or one that runs out is an error. ${GOES_ON}`,
  options: [
    AS_OF,
    { flags: '--read-headers', description: 'hold the header of every pack against the index' },
    { flags: '--read-data', description: 'read and authenticate every byte' },
    { flags: '--read-data-subset <part>', description: 'read and authenticate a part of the packs: 5%, or 2/7' },
    { flags: '--lock', description: 'ask the store for the lock of each object that is needed' },
    {
      flags: '--repair',
      description: 'read everything first, and put back from a mirror what is damaged or missing',
    },
  ],
  examples: [
    { command: 'holdfast check', does: 'the structure, in seconds' },
    { command: 'holdfast check primary --read-data', does: 'every byte of one repository' },
    { command: 'holdfast check primary --repair', does: 'put back what is damaged and whole in a mirror' },
    { command: 'holdfast check primary --lock', does: 'is all that is needed locked, and nothing hidden?' },
    { command: 'holdfast check --read-data-subset 5%', does: 'another twentieth with every run' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [repository], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const names = repository === undefined ? [] : [repository as string];
    const subset = subsetOf(options, (await import('../../repository/index.ts')).parseSubset);
    const { repositories, failures } = await operations.check(await workspace(), {
      repositories: names,
      readData: options['readData'] === true || subset !== undefined,
      readHeaders: options['readHeaders'] === true,
      repair: options['repair'] === true,
      lock: options['lock'] === true,
      ...(subset !== undefined && { subset }),
    });
    const isClean = failures.length === 0 && repositories.every(({ clean }) => clean);
    return {
      exit: isClean ? EXIT.done : EXIT.failed,
      json: { repositories, failures },
      text: [...repositories.map(describe), ...failureLines(failures)].join('\n'),
    };
  },
};

/** @throws bad-usage */
function subsetOf(
  options: Invocation['options'],
  parse: (text: string) => Subset | undefined,
): (Subset & { text: string }) | undefined {
  const text = options['readDataSubset'] as string | undefined;
  if (text === undefined) return undefined;
  const subset = parse(text);
  if (subset !== undefined && options['readData'] !== true) return { ...subset, text };
  if (subset !== undefined) throw new HoldfastError('bad-usage', 'a check reads all data or a part of it, not both');
  throw new HoldfastError('bad-usage', `${JSON.stringify(text)} is no part of the data`, {
    hint: 'Write a percentage such as 5%, or one of at most 256 groups such as 2/7.',
  });
}

function describe(report: CheckOfRepository): string {
  const read = report.bytesRead > 0 ? `, ${formatSize(report.bytesRead)} read` : '';
  const tail = report.tail.objects > 0 ? oneLine`, ${counted(report.tail.objects, 'object')} of logs` : '';
  const { needed, covered } = report.lock ?? {};
  const locked = needed === undefined ? '' : oneLine`, ${covered} of ${counted(needed, 'object')} locked`;
  const figures = `${counted(report.snapshots, 'snapshot')}, ${counted(report.packs, 'pack')}, ${counted(report.blobs, 'blob')}${tail}${read}${locked} in ${formatDuration(report.durationMs)}`;
  const errors = report.findings.filter(({ severity }) => severity === 'error').length;
  return [
    `${report.clean ? good('clean') : bad(counted(errors, 'error'))}  ${report.repository}: ${figures}`,
    ...report.findings.map(
      ({ severity, where, message }) =>
        oneLine`  ${severity === 'error' ? bad('error') : faint('note')} ${where}: ${message}`,
    ),
    ...report.notes.map((note) => oneLine`  ${note}`),
  ].join('\n');
}
