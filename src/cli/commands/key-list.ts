import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON } from '../failure-text.ts';
import { bad, shortId, shownTime, table } from '../text.ts';

export const keyList: CommandDefinition = {
  name: 'key list',
  summary: 'list the passwords of repositories, by their keys',
  description: `Lists the keys of every repository of the plan, or of one. The one in use is marked with a star. ${GOES_ON}`,
  options: [{ flags: '--repository <name>', description: 'only of this repository' }],
  examples: [{ command: 'holdfast key list', does: 'who made which key, and when' }],
  exits: REPOSITORY_EXITS,
  writes: false,
  async run({ options, workspace }) {
    const { keysOf } = await import('../../operations/index.ts');
    const { repositories, failures } = await keysOf(await workspace(), options['repository'] as string | undefined);
    const rows = repositories.flatMap(({ repository, keys }) =>
      keys.map(({ id, current, created, username, hostname, damaged }) => [
        current ? '*' : '',
        shortId(id),
        repository,
        damaged ? bad('damaged') : shownTime(created),
        damaged ? '' : `${username}@${hostname}`,
      ]),
    );
    const listed = table([['', 'id', 'repository', 'made', 'by'], ...rows]);
    return {
      exit: failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { repositories, failures },
      text: [listed, ...failureLines(failures)].join('\n'),
    };
  },
};
