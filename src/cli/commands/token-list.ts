import { EXIT } from '../../foundation/errors.ts';
import type { ListedToken } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, doubtful, faint, good, oneLine, shownTime, table } from '../text.ts';

const PAINTED: Record<ListedToken['state'], string> = {
  valid: good('valid'),
  expired: doubtful('expired'),
  revoked: bad('revoked'),
};

export const tokenList: CommandDefinition = {
  name: 'token list',
  summary: 'list the tokens of the API',
  description:
    'Lists who has a token for the API, with what role, until when, and when it was last used, as far as the ledger says.',
  examples: [{ command: 'holdfast token list', does: 'who may still do what?' }],
  exits: [...REPOSITORY_EXITS, EXIT.failed],
  writes: false,
  async run({ workspace }) {
    const { listTokens } = await import('../../operations/index.ts');
    const { tokens, damaged } = await listTokens(await workspace());
    const rows = tokens.map(({ id, name, role, state, createdAt, createdBy, expiresAt, lastUsedAt }) => [
      ...[id, name, role, PAINTED[state], shownTime(createdAt), createdBy],
      expiresAt === undefined ? faint('-') : shownTime(expiresAt),
      lastUsedAt === undefined ? faint('-') : shownTime(lastUsedAt),
    ]);
    const heading = ['id', 'name', 'role', 'state', 'made', 'by', 'expires', 'last used'];
    const listed =
      rows.length === 0 ? 'There is no token. Make one with `holdfast token add`.' : table([heading, ...rows]);
    return {
      exit: damaged.length === 0 ? EXIT.done : EXIT.failed,
      json: { tokens, damaged: damaged.map(({ code, message }) => ({ code, message })) },
      text: [listed, ...damaged.map(({ message }) => oneLine`${bad('damaged')} ${message}`)].join('\n'),
    };
  },
};
