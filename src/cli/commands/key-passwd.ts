import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { NEW_PASSWORD_OPTIONS, newPassword } from '../new-password.ts';
import { good, shortId } from '../text.ts';

export const keyPasswd: CommandDefinition = {
  name: 'key passwd',
  summary: 'change the password of a repository',
  description:
    'Puts a new password in the place of the one that the plan refers to. The new one is tried before the old one goes. Then change what the plan refers to: the old password opens the repository no more.',
  options: [
    { flags: '--repository <name>', description: 'of this repository; needed when the plan has several' },
    ...NEW_PASSWORD_OPTIONS,
  ],
  examples: [{ command: 'holdfast key passwd', does: 'asks for the new password' }],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run(invocation) {
    const { replacePassword } = await import('../../operations/index.ts');
    const workspace = await invocation.workspace();
    const repository = workspace.repositoryName(invocation.options['repository'] as string | undefined);
    await workspace.open(repository);
    const change = await replacePassword(workspace, repository, await newPassword(invocation));
    const text = [
      `${good('changed')} the password of ${repository}: key ${shortId(change.added!)} in place of ${shortId(change.removed!)}`,
      'Now put it where the plan takes the password from.',
    ].join('\n');
    return { exit: EXIT.done, json: change, text };
  },
};
