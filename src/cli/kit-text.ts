import { relative } from 'node:path';
import { formatDuration } from '../foundation/units.ts';
import type { CheckedKit, MadeKit } from '../operations/index.ts';
import { bad, doubtful, good, strong, table } from './text.ts';

/** What was made, for a person: the passphrase is shown this once. */
export function describeMadeKit(made: MadeKit): string[] {
  const { file, page, passphrase, bits, shares, threshold, notes, problems } = made;
  return [
    `${good('wrote')} the recovery kit: ${shownFile(file)}, and the page to print: ${shownFile(page.html)} (${shownFile(page.markdown)})`,
    ...(passphrase === undefined
      ? []
      : [
          `Its passphrase has ${bits} random bits, and this is the only time that it is shown. Write it down, and keep it away from the kit:`,
          `  ${strong(passphrase)}`,
        ]),
    ...(shares === undefined
      ? []
      : [
          `Any ${threshold} of these ${shares.length} shares open it. This is the only time that they are shown: give each to another person.`,
          ...shares.map((share, at) => `  ${at + 1}.  ${strong(share)}`),
        ]),
    ...notes.map((note) => doubtful(note)),
    ...problems.map((problem) => bad(problem)),
    'Bring the file and the page to where nothing of this can reach them, and try them with `holdfast kit check`.',
  ];
}

export function describeCheckedKit({
  file,
  madeAt,
  ageMs,
  outcome,
  repositories,
  problems,
  notes,
}: CheckedKit): string {
  const state = outcome === 'current' ? good('current') : bad('outdated');
  const rows = repositories.map(({ repository, place, result, detail = '' }) => [
    (result === 'opens' ? good : result === 'empty' ? doubtful : bad)(result),
    repository,
    place,
    detail,
  ]);
  return [
    `${state}  ${shownFile(file)}, made ${formatDuration(ageMs)} ago, at ${madeAt}`,
    table([["the kit's key", 'repository', 'place', ''], ...rows]),
    ...problems.map((problem) => bad(problem)),
    ...notes,
    ...(outcome === 'current' ? [] : ['Make a new one with `holdfast kit`, and bring it to where this one is kept.']),
  ].join('\n');
}

/** As it is named from here, where that is shorter. */
function shownFile(path: string): string {
  const here = relative(process.cwd(), path);
  return here.startsWith('..') ? path : here;
}
