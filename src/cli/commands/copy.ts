import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { Copied } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { counted, doubtful, faint, good, oneLine, shortId } from '../text.ts';

export const copy: CommandDefinition = {
  name: 'copy',
  arguments: '[snapshot...]',
  summary: 'copy snapshots to another repository',
  description:
    'Copies snapshots, or all, from one repository of the plan to another, which may have another password, another format and another chunking. Each blob is authenticated on the way. What is there already is not copied again, so that a copy which was interrupted goes on where it was. Unless snapshots are named, the newest part of a log that is followed comes along, so that a restore from there reaches as far.',
  options: [
    { flags: '--from <name>', description: 'the repository to copy from' },
    { flags: '--to <name>', description: 'the repository to copy to' },
    { flags: '--source <name>', description: 'only snapshots of this source' },
    ...RECALL_OPTIONS,
  ],
  examples: [
    { command: 'holdfast copy --from primary --to archive', does: 'all that the archive does not have yet' },
    { command: 'holdfast copy 3fa85f64 --from primary --to archive', does: 'one snapshot' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ arguments: [snapshots], options, workspace: openWorkspace }) {
    const [from, to, source] = ['from', 'to', 'source'].map((name) => options[name] as string | undefined);
    if (from === undefined || to === undefined) {
      throw new HoldfastError('bad-usage', 'copy needs a repository to copy from and one to copy to', {
        hint: 'Add --from and --to with names of repositories of the plan.',
      });
    }
    const operations = await import('../../operations/index.ts');
    const workspace = await openWorkspace();
    const result = await operations.copy(workspace, {
      from: workspace.repositoryName(from),
      to: workspace.repositoryName(to),
      snapshots: (snapshots as string[] | undefined) ?? [],
      ...(source !== undefined && { source }),
      ...recallOf(options),
    });
    return { exit: result.outcome === 'complete' ? EXIT.done : EXIT.partial, json: result, text: describe(result) };
  },
};

function describe({ from, to, snapshots, tail, outcome, bytes, notes, durationMs }: Copied): string {
  const fresh = snapshots.filter(({ existed }) => !existed).length;
  return [
    `${outcome === 'complete' ? good('copied') : doubtful('copied in part:')} ${counted(fresh, 'snapshot')} from ${from} to ${to}, ${formatSize(bytes)} in ${formatDuration(durationMs)}`,
    ...snapshots.map((each) =>
      each.existed
        ? faint(`  ${shortId(each.from)} was there already as ${shortId(each.to)}`)
        : `  ${shortId(each.from)} is ${shortId(each.to)} there: ${counted(each.blobs, 'blob')}, ${formatSize(each.bytes)}`,
    ),
    ...(tail.objects === 0
      ? []
      : [oneLine`  ${counted(tail.objects, 'object')} of the newest part of logs, ${formatSize(tail.bytes)} of log`]),
    ...notes.map((note) => oneLine`  ${note}`),
  ].join('\n');
}
