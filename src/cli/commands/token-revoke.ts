import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, oneLine } from '../text.ts';

export const tokenRevoke: CommandDefinition = {
  name: 'token revoke',
  arguments: '<name>',
  summary: 'end a token of the API for good',
  description:
    'Ends a token, by its name or id. A `serve` that runs knows of it within 30 seconds, or as soon as it reaches the repository.',
  examples: [{ command: 'holdfast token revoke grafana', does: 'it opens nothing any more' }],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [name], workspace }) {
    const { revokeToken } = await import('../../operations/index.ts');
    const revoked = await revokeToken(await workspace(), { name: name as string });
    return { exit: EXIT.done, json: { revoked }, text: oneLine`${good('revoked')} ${revoked.name}` };
  },
};
