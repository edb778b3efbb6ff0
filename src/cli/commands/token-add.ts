import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { good, shownTime } from '../text.ts';

export const tokenAdd: CommandDefinition = {
  name: 'token add',
  arguments: '<name>',
  summary: 'make a token for the API',
  description:
    'Makes a token for the API of `serve` and shows it, once: only its hash is kept, sealed in the first repository of the plan. A viewer reads; an operator also starts runs, acknowledges and mutes, holds snapshots and records reviews; an approver also releases what is held and agrees to what takes two persons; an admin also has to do with tokens and applies the plan.',
  options: [
    { flags: '--role <role>', description: 'viewer, operator, approver or admin (viewer, when left out)' },
    { flags: '--expires <time>', description: 'after a duration such as 90d, or at a time' },
  ],
  examples: [
    { command: 'holdfast token add grafana --expires 365d', does: 'a token that may read for a year' },
    { command: 'holdfast token add oncall --role operator', does: 'one that may acknowledge and start backups' },
  ],
  exits: REPOSITORY_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [name], options, workspace }) {
    const { addToken } = await import('../../operations/index.ts');
    const { token, added } = await addToken(await workspace(), {
      name: name as string,
      role: (options['role'] ?? 'viewer') as string,
      ...(options['expires'] !== undefined && { expires: options['expires'] as string }),
    });
    const until = added.expiresAt === undefined ? 'until it is revoked' : `until ${shownTime(added.expiresAt)}`;
    return {
      exit: EXIT.done,
      json: { token, added },
      text: [
        `${good('added')} ${added.name}, ${added.role}, ${until}. This is the only time that the token is shown:`,
        token,
      ].join('\n'),
    };
  },
};
