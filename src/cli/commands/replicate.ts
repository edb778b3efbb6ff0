import { EXIT } from '../../foundation/errors.ts';
import { describeArchive } from '../archive-text.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { describeMirror } from '../mirror-text.ts';

export const replicate: CommandDefinition = {
  name: 'replicate',
  arguments: '[repository...]',
  summary: 'bring mirrors up to date, and copy to archives what is due',
  description:
    'Brings the mirrors of these repositories, or these mirrors, or all, up to date: exact copies, in an order that makes each of them a whole repository at every instant. It also happens by itself after every command that changes a repository. What was copied is not copied again, so that one that was interrupted goes on where it was. What is gone from a repository goes from its mirrors only when the ledger says that it was to be removed; anything else that is gone is an error, and the mirror keeps it. Then the newest complete snapshot of each source is copied to the archives where the schedule of the plan has made that due; to an archive that is named itself, in any case. Run it as often as the shortest of these schedules.',
  examples: [
    { command: 'holdfast replicate', does: 'every mirror of the plan, and every archive that is due' },
    { command: 'holdfast replicate eu', does: 'this mirror, or the mirrors and archives of this repository' },
    { command: 'holdfast replicate archive', does: 'a copy to this archive now' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  async run({ arguments: [names], workspace }) {
    const operations = await import('../../operations/index.ts');
    const replicated = await operations.replicateAll(await workspace(), (names ?? []) as string[]);
    const { mirrors, archives } = replicated;
    const text = [...mirrors.map(describeMirror), ...archives.map(describeArchive)].join('\n');
    return { exit: operations.replicateAllExit(replicated), json: replicated, text };
  },
};
