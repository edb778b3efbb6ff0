import { EXIT } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Repaired } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, counted, good, oneLine } from '../text.ts';

export const repair: CommandDefinition = {
  name: 'repair',
  arguments: '[repository]',
  summary: 'make a damaged repository consistent again, and say what is lost',
  description:
    'Makes the index say what the packs hold, by their own headers; stores what can be read of damaged packs anew; and names what is nowhere any more: blobs, snapshots and paths. No snapshot is altered. No pack is deleted: a damaged one is put aside under holdfast/damaged/ in the repository. With --read-data damage within packs is found as well. It may be interrupted and run again.',
  options: [
    { flags: '--read-data', description: 'read and authenticate every byte of every pack' },
    { flags: '--dry-run', description: 'say what would be done and what is lost, and change nothing' },
  ],
  examples: [
    { command: 'holdfast repair --dry-run', does: 'what is wrong, and what is lost?' },
    { command: 'holdfast repair primary --read-data', does: 'mends one repository after its disk was damaged' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ arguments: [repository], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const results = await operations.repair(await workspace(), {
      ...(repository !== undefined && { repository: repository as string }),
      readData: options['readData'] === true,
      dryRun: options['dryRun'] === true,
    });
    const exit = results.every(({ whole }) => whole) ? EXIT.done : EXIT.partial;
    return { exit, json: { repositories: results }, text: results.map(describe).join('\n') };
  },
};

function describe(result: Repaired): string {
  const { repository, dryRun, whole, packsIndexed, packsDropped, blobsSalvaged, blobsLost, findings } = result;
  const verb = (text: string): string => (dryRun ? `to be ${text}` : text);
  const changes = packsIndexed.length + packsDropped.length + result.damagedIndexFiles.length;
  const state = whole ? good(changes === 0 ? 'whole' : verb('repaired')) : bad('lost in part');
  return [
    `${state}  ${repository}: ${counted(result.snapshots, 'snapshot')} looked at in ${formatDuration(result.durationMs)}`,
    ...result.healed.map(({ note }) => oneLine`  ${good('put back')}: ${note}`),
    ...result.damagedIndexFiles.map((key) => `  ${verb('removed')}: ${key}, which cannot be read`),
    ...packsIndexed.map((pack) => `  ${verb('indexed')}: pack ${pack}`),
    ...packsDropped.map(
      ({ pack, reason, readable, unreadable, keptAs }) =>
        oneLine`  ${verb('dropped from the index')}: pack ${pack}: ${reason}; ${counted(readable, 'blob')} readable, ${unreadable} not${keptAs === undefined ? '' : `; kept as ${keptAs}`}`,
    ),
    ...(blobsSalvaged > 0 ? [`  ${verb('saved from damaged packs')}: ${counted(blobsSalvaged, 'blob')}`] : []),
    ...blobsLost.map(({ id, type, pack }) => `  ${bad('lost')}: ${type} blob ${id} of pack ${pack}`),
    ...findings.map(({ where, message }) => oneLine`  ${bad('lost')}: ${where}: ${message}`),
  ].join('\n');
}
