import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { good, shortId } from '../text.ts';

export const keyRemove: CommandDefinition = {
  name: 'key remove',
  arguments: '<id>',
  summary: "take one of a repository's passwords away",
  description:
    'Removes a key, by its id or the beginning of it. The key in use cannot be removed, so that one always remains. Who has opened the repository before may have kept what the keys protect: taking a password away does not shut them out.',
  options: [
    { flags: '--repository <name>', description: 'of this repository; needed when the plan has several' },
    { flags: '--dry-run', description: 'say which key would be removed, and remove none' },
  ],
  examples: [{ command: 'holdfast key remove 3fa85f64', does: 'that password opens the repository no more' }],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [id], options, workspace: openWorkspace }) {
    const { removePassword } = await import('../../operations/index.ts');
    const workspace = await openWorkspace();
    const repository = workspace.repositoryName(options['repository'] as string | undefined);
    const dryRun = options['dryRun'] === true;
    const change = await removePassword(workspace, repository, { key: id as string, dryRun });
    const text = `${dryRun ? 'would remove' : good('removed')} key ${shortId(change.removed!)} from ${repository}`;
    return { exit: EXIT.done, json: { ...change, dryRun }, text };
  },
};
