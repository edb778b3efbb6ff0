import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { describeMirror } from '../mirror-text.ts';

export const replicate: CommandDefinition = {
  name: 'replicate',
  arguments: '[repository...]',
  summary: 'bring mirrors up to date',
  description:
    'Brings the mirrors of these repositories, or these mirrors, or all, up to date: exact copies, in an order that makes each of them a whole repository at every instant. It also happens by itself after every command that changes a repository. What was copied is not copied again, so that one that was interrupted goes on where it was. What is gone from a repository goes from its mirrors only when the ledger says that it was to be removed; anything else that is gone is an error, and the mirror keeps it.',
  examples: [
    { command: 'holdfast replicate', does: 'every mirror of the plan' },
    { command: 'holdfast replicate eu', does: 'this mirror, or the mirrors of this repository' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  async run({ arguments: [names], workspace }) {
    const operations = await import('../../operations/index.ts');
    const mirrors = await operations.replicate(await workspace(), (names ?? []) as string[]);
    const exit = operations.replicateExit(mirrors);
    return { exit, json: { mirrors }, text: mirrors.map(describeMirror).join('\n') };
  },
};
