import { EXIT } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import type { ListedSnapshot } from '../../operations/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { bad, good, oneLine, shortId, shownTime, table } from '../text.ts';

export const snapshots: CommandDefinition = {
  name: 'snapshots',
  arguments: '[source]',
  summary: 'list the snapshots',
  description: `Lists the snapshots of a source, or all that the repositories of the plan hold, whoever wrote them, oldest first. ${GOES_ON}`,
  options: [AS_OF, { flags: '--repository <name>', description: 'look into this repository, mirror or archive' }],
  examples: [
    { command: 'holdfast snapshots', does: 'everything there is' },
    { command: 'holdfast snapshots omni-db --json', does: 'those of one source, for a program' },
  ],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ arguments: [source], options, workspace }) {
    const { listAll } = await import('../../operations/index.ts');
    const {
      snapshots: listed,
      damaged,
      failures,
      latestClean,
    } = await listAll(await workspace(), source as string | undefined, options['repository'] as string | undefined);
    const rows = listed.map((snapshot) => [
      shortId(snapshot.id),
      shownTime(snapshot.time),
      snapshot.hostname,
      snapshot.tags?.join(' ') ?? '',
      snapshot.summary === undefined ? '' : formatSize(snapshot.summary.total_bytes_processed),
      [snapshot.paths.join(' '), ...marksText(snapshot)].join('  '),
    ]);
    const text =
      rows.length === 0
        ? failures.length === 0
          ? 'There is no snapshot yet. Take one with `holdfast backup`.'
          : 'There is no snapshot in what could be read.'
        : table([['id', 'time', 'host', 'tags', 'size', 'paths'], ...rows], { right: [4] });
    return {
      exit: damaged.length + failures.length === 0 ? EXIT.done : EXIT.failed,
      json: {
        snapshots: listed,
        ...(latestClean !== undefined && { latestClean }),
        damaged: damaged.map(({ code, message }) => ({ code, message })),
        // As the API has it, which has an error in its place.
        ...(failures.length > 0 && { failures }),
      },
      text: [
        text,
        ...cleanText(listed, latestClean),
        ...damaged.map(({ message }) => oneLine`${bad('damaged')} ${message}`),
        ...failureLines(failures),
      ].join('\n'),
    };
  },
};

function marksText({ held, suspected }: ListedSnapshot): string[] {
  return [
    ...(held === undefined ? [] : [good(oneLine`held: ${held.why}`)]),
    ...(suspected === undefined ? [] : [bad(oneLine`suspect: ${suspected.why}`)]),
  ];
}

function cleanText(listed: readonly ListedSnapshot[], latestClean: string | undefined): string[] {
  const isSuspected = listed.some(({ suspected }) => suspected !== undefined);
  return latestClean === undefined || !isSuspected
    ? []
    : [`the newest from before what is suspect: ${shortId(latestClean)}`];
}
