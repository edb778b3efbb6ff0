import { EXIT } from '../../foundation/errors.ts';
import type { Unlocked } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { counted, doubtful, good, oneLine, shortId } from '../text.ts';

export const unlock: CommandDefinition = {
  name: 'unlock',
  arguments: '[repository]',
  summary: 'remove locks that bind nobody any more',
  description: `Removes the locks of processes that are dead on this machine, and those that nobody refreshed for 30 minutes: what every command does to those it meets. With --all also the locks of who is at work, of which you must know that nobody is. ${GOES_ON}`,
  options: [
    { flags: '--all', description: 'also the locks of who seems to be at work' },
    { flags: '--dry-run', description: 'say what would be removed, and remove nothing' },
  ],
  examples: [
    { command: 'holdfast unlock', does: 'in every repository of the plan' },
    { command: 'holdfast unlock primary --all', does: 'after a machine that held a lock is gone for good' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  async run({ arguments: [repository], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const dryRun = options['dryRun'] === true;
    const { repositories, failures } = await operations.unlock(await workspace(), {
      ...(repository !== undefined && { repository: repository as string }),
      all: options['all'] === true,
      dryRun,
    });
    const described = repositories.flatMap((result) => describe(result, dryRun));
    return {
      exit: failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { repositories, failures, dryRun },
      text: [...described, ...failureLines(failures)].join('\n'),
    };
  },
};

function describe({ repository, removed, left }: Unlocked, dryRun: boolean): string[] {
  const done = dryRun ? 'would remove' : good('removed');
  const line = ({ id, holder, since }: Unlocked['left'][number]): string =>
    oneLine`  ${shortId(id)} of ${holder}${since === undefined ? '' : ` since ${since}`}`;
  return [
    `${done} ${counted(removed.length, 'lock')} in ${repository}`,
    ...removed.map(line),
    ...(left.length > 0 ? [doubtful(`left ${counted(left.length, 'lock')} of who is at work`), ...left.map(line)] : []),
  ];
}
