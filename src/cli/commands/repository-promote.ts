import { EXIT } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Promoted } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { counted, doubtful, good, oneLine } from '../text.ts';

export const repositoryPromote: CommandDefinition = {
  name: 'repository promote',
  arguments: '<mirror>',
  summary: 'make a mirror the repository',
  description:
    'Makes a mirror the repository: what it was a copy of is from then on never brought over it, whatever a plan says. Then change the plan, which the command does not do: what was the mirror takes the place and the password, and what it was a copy of, should it come back, may become a mirror of it. Nothing is removed anywhere.',
  examples: [{ command: 'holdfast repository promote eu', does: 'go on with the mirror, when its primary is lost' }],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [mirror], workspace }) {
    const { promote } = await import('../../operations/index.ts');
    const promoted = await promote(await workspace(), mirror as string);
    return { exit: EXIT.done, json: promoted, text: describe(promoted) };
  },
};

function describe({ repository, was, store, epoch, snapshots, behind, notes }: Promoted): string {
  const lines = [
    `${good('promoted')} ${repository} at ${store}: ${counted(snapshots, 'snapshot')}, epoch ${epoch}; ${was} is never brought over it from now on`,
  ];
  if (behind !== undefined && behind.snapshots + behind.logParts > 0) {
    lines.push(
      `  ${doubtful('behind')} ${was} has ${counted(behind.snapshots, 'snapshot')} and ${counted(behind.logParts, 'part')} of logs that ${repository} lacks, the oldest for ${formatDuration(behind.lagMs)}`,
    );
  }
  lines.push(...notes.map((note) => oneLine`  ${note}`));
  lines.push(
    `Now change the plan: give ${repository} the \`password\` of ${was} and take \`mirrorOf\` away from it, and let the sources that named ${was} name ${repository}. Keep ${was} out of the plan, or make it \`mirrorOf: ${repository}\`.`,
  );
  return lines.join('\n');
}
