import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { NEW_PASSWORD_OPTIONS, newPassword } from '../new-password.ts';
import { good, shortId } from '../text.ts';

export const keyAdd: CommandDefinition = {
  name: 'key add',
  summary: 'add a password to a repository',
  description:
    'Adds a password that opens a repository as well. It is asked for on the terminal unless an option or HOLDFAST_NEW_PASSWORD says where it is.',
  options: [
    { flags: '--repository <name>', description: 'this repository; needed when the plan has several' },
    ...NEW_PASSWORD_OPTIONS,
  ],
  examples: [
    { command: 'holdfast key add', does: 'asks for the new password' },
    { command: 'holdfast key add --new-password-file ./second', does: 'takes it from a file of mode 0600' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { addPassword } = await import('../../operations/index.ts');
    const workspace = await invocation.workspace();
    const repository = workspace.repositoryName(invocation.options['repository'] as string | undefined);
    await workspace.open(repository);
    const change = await addPassword(workspace, repository, await newPassword(invocation));
    return { exit: EXIT.done, json: change, text: `${good('added')} key ${shortId(change.added!)} to ${repository}` };
  },
};
