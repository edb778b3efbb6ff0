import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { good } from '../text.ts';

export const init: CommandDefinition = {
  name: 'init',
  summary: 'create the repositories that the plan names',
  description:
    'Creates the repositories and archives that the plan names and that do not exist yet. One that exists is never touched; when all of them exist, that is an error.',
  examples: [{ command: 'holdfast init', does: 'create what the plan in this directory names' }],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ workspace }) {
    const { initRepositories } = await import('../../operations/index.ts');
    const result = await initRepositories(await workspace());
    const lines = result.repositories.map(({ name, store, created, mirrorOf }) =>
      mirrorOf !== undefined
        ? `mirror ${name} of ${mirrorOf} is made at ${store} with the first backup`
        : created
          ? `${good('created')} repository ${name} at ${store}`
          : `repository ${name} at ${store} exists already; it was left as it is`,
    );
    if (result.signingKey !== undefined) {
      const { file, publicFile } = result.signingKey;
      lines.push(`${good('created')} ${file}, which signs the ledger, and ${publicFile}: keep that one elsewhere.`);
    }
    lines.push('Keep its password somewhere else as well: without it, nobody can read the repository.');
    return { exit: EXIT.done, json: result, text: lines.join('\n') };
  },
};
