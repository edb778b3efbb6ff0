import { EXIT } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Compared } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { bad, counted, doubtful, good, oneLine, shortId, shownTime } from '../text.ts';

export const compare: CommandDefinition = {
  name: 'compare',
  arguments: '<source>',
  summary: 'say what differs between the living source and a recovery point',
  description:
    'Holds the living source, or another place, against a recovery point, and names what differs: of a database, every table that is missing, is not in the snapshot, or has more, fewer or other rows, and every definition; of files, every entry by its content and metadata. All of it is read once; nothing is written there. A database is read at one moment. With a difference the exit code is 4. A table with rows that came after the recovery point differs. A physical backup recovers in a sandbox of this machine first, with `wal: stream` to the very moment of --at, or to the end of its log, and the database that the plan names is compared.',
  options: [
    {
      flags: '--at <time>',
      description:
        'the newest recovery point not after this time; of a source with `wal: stream` or `stream: true`, this very moment, or a position in its log as `restore` takes it',
    },
    { flags: '--snapshot <id>', description: 'this snapshot' },
    {
      flags: '--with <target>',
      description: 'another database, by its URL (without a password in it: use PGPASSWORD or ~/.pgpass), or directory',
    },
    {
      flags: '--only <pattern...>',
      description:
        'of PostgreSQL, these schemas or tables, with what a restore of them brings: `sales`, `public.orders`',
    },
    { flags: '--repository <name>', description: 'read from this repository, mirror or archive' },
    ...RECALL_OPTIONS,
  ],
  examples: [
    { command: 'holdfast compare omni-db', does: 'what changed since the newest recovery point' },
    { command: 'holdfast compare omni-db --at "2h ago" --json', does: 'since two hours ago, for a program' },
    {
      command: 'holdfast compare omni-db --with postgres://localhost/omni_restored',
      does: 'whether a restored database is what was captured',
    },
    {
      command: 'holdfast compare omni-db --only public.orders --with postgres://localhost/omni_orders',
      does: 'the same of one table that was restored',
    },
  ],
  exits: [...LOCKING_EXITS, EXIT.missed],
  writes: true,
  async run({ arguments: [source], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const optional = (name: string): object => (options[name] === undefined ? {} : { [name]: options[name] });
    const request = {
      source: source as string,
      ...optional('at'),
      ...optional('snapshot'),
      ...optional('with'),
      ...optional('only'),
      ...optional('repository'),
      ...recallOf(options),
    };
    const result = await operations.compare(await workspace(), request);
    return { exit: result.equal ? EXIT.done : EXIT.missed, json: result, text: describe(result) };
  },
};

type Kind = Compared['differences'][number]['kind'];

/** As `diff` marks them. */
const MARKS: Record<Kind, string> = {
  missing: bad('-'),
  extra: good('+'),
  rows: doubtful('M'),
  content: doubtful('M'),
  definition: doubtful('M'),
  metadata: 'U',
  unreadable: bad('!'),
};

function describe(result: Compared): string {
  const { source, snapshot, time, differences, compared, durationMs } = result;
  const state = result.equal ? good('equal') : bad('different');
  const part = result.only === undefined ? '' : `${result.only.join(', ')} of `;
  const what = `${part}${result.with === undefined ? source : `${result.with}, as ${source},`}`;
  return [
    oneLine`${state}  ${what} and the recovery point of ${shownTime(time)} (snapshot ${shortId(snapshot)})`,
    ...differences.map(({ item, kind, detail }) => oneLine`  ${MARKS[kind]}  ${item} ${detail}`),
    oneLine`  ${counted(compared, 'item')} compared in ${formatDuration(durationMs)}, ${counted(differences.length, 'difference')}`,
    ...result.notes.map((note) => oneLine`  ${note}`),
  ].join('\n');
}
