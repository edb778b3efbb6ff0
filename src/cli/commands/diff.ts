import { EXIT } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import type { Difference, ListedChange } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, doubtful, good, oneLine, shortId } from '../text.ts';

/** As restic marks them. */
const MARKS: Record<ListedChange['kind'], string> = {
  added: good('+'),
  removed: bad('-'),
  content: doubtful('M'),
  metadata: 'U',
  type: doubtful('T'),
};

export const diff: CommandDefinition = {
  name: 'diff',
  arguments: '<snapshot> <snapshot>',
  summary: 'say what differs between two snapshots',
  description:
    'Lists what was added (+), removed (-), changed in its content (M), in its metadata only (U) or in its type (T) from the first snapshot to the second, with the sizes of files. Directories that are equal are not read. Ids may be shortened; `latest` is the newest of all.',
  options: [{ flags: '--repository <name>', description: 'of this repository' }],
  examples: [
    { command: 'holdfast diff 3fa85f64 latest', does: 'what happened since' },
    { command: 'holdfast diff 3fa85f64 9c5e2684 --json', does: 'the same for a program' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ arguments: [before, after], options, workspace, tell }) {
    const operations = await import('../../operations/index.ts');
    const repository = options['repository'] as string | undefined;
    const result = await operations.diff(await workspace(), {
      before: before as string,
      after: after as string,
      ...(repository !== undefined && { repository }),
    });
    for (const note of result.notes) tell(oneLine`${note}`);
    return { exit: EXIT.done, json: result, text: describe(result) };
  },
};

function describe({ before, after, changes, summary }: Difference): string {
  const { added, removed, content, metadata, type } = summary.counts;
  return [
    `from ${shortId(before)} to ${shortId(after)}`,
    ...changes.map(line),
    `${added} added, ${removed} removed, ${content} changed, ${metadata} in metadata only, ${type} in type; ${formatSize(summary.bytesAdded)} more, ${formatSize(summary.bytesRemoved)} less`,
  ].join('\n');
}

function line({ kind, path, type, sizeBefore, sizeAfter }: ListedChange): string {
  const sizes = [sizeBefore, sizeAfter].filter((size) => size !== undefined).map(formatSize);
  const shown = sizes.length === 0 || kind === 'metadata' ? '' : `  ${sizes.join(' → ')}`;
  return oneLine`${MARKS[kind]}  ${path}${type === 'dir' ? '/' : ''}${shown}`;
}
