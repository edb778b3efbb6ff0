import { EXIT } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { oneLine, shownTime, table } from '../text.ts';

export const ls: CommandDefinition = {
  name: 'ls',
  arguments: '<snapshot> [path]',
  summary: 'list what a snapshot holds',
  description:
    'Lists what a snapshot holds, from a path in it on. The id may be shortened; `latest` is the newest of all.',
  options: [AS_OF, { flags: '--repository <name>', description: 'look into this repository, mirror or archive' }],
  examples: [
    { command: 'holdfast ls 3fa85f64', does: 'everything in it' },
    { command: 'holdfast ls latest /srv/uploads', does: 'one directory of the newest snapshot' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [snapshot, path], options, workspace, tell }) {
    const { listEntries } = await import('../../operations/index.ts');
    const { entries, notes } = await listEntries(await workspace(), {
      id: snapshot as string,
      path: (path as string | undefined) ?? '/',
      repository: options['repository'] as string | undefined,
    });
    for (const note of notes) tell(oneLine`${note}`);
    const rows = entries.map(({ path: shown, node }) => [
      node.type,
      node.type === 'file' ? formatSize(Number(node.size ?? 0)) : '',
      node.mtime === undefined ? '' : shownTime(node.mtime),
      shown,
    ]);
    const json = {
      entries: entries.map(({ path: shown, node }) => ({
        path: shown,
        type: node.type,
        size: node.size ?? 0,
        mode: node.mode ?? 0,
        mtime: node.mtime,
      })),
      notes,
    };
    return { exit: EXIT.done, json, text: table([['type', 'size', 'changed', 'path'], ...rows], { right: [1] }) };
  },
};
