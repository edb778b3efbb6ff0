import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { RestoreRequest, RestoreResult } from '../../operations/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { doubtful, good, shortId, shownTime } from '../text.ts';

export const restore: CommandDefinition = {
  name: 'restore',
  arguments: '[source]',
  summary: 'bring a source, or any snapshot, back to a new place',
  description:
    'Brings a recovery point of a source back: files to a directory, a database to a database URL or as files to a directory. The target must be empty or not exist; nothing else is written to. Of a database, --only brings tables or schemas with what belongs to them and the types, functions and sequences that they need; what would need another table (a foreign key) is left out and named. With --as, the target may hold anything else: the one table or schema comes beside it under another name, with all that belongs to it, or not at all; a name that is taken is refused, types and functions that are there are used, and foreign keys of others go on leading to the table that was there. A physical backup restored to a database URL recovers in a sandbox of this machine first, and the database that the plan names, or a part of it, is copied from there. A restore to a directory that was interrupted goes on when the same command is run again. With --replace, a directory may hold anything and is made what the snapshot is: files that are right already are left alone, others are made right, and what the snapshot does not have is removed, of a selection only what it means. --confirm takes the last part of the path of the target. It stops at other file systems that are mounted in the target, and refuses /, home directories, and what holds the repository, the plan or the paths that the snapshot is of. A PostgreSQL cluster with `wal: stream` comes back at any moment that its log covers: a server of this machine replays the log on the restored directory, and is stopped again; where there is none, the log is laid beside it for the first server that starts there, which is said, with exit code 3. A Redis server with `stream: true` comes back so as well: on a running, empty server, or as the dump.rdb that one of this machine makes of it. Without a source, --snapshot takes any snapshot, whoever wrote it, to a directory.',
  options: [
    AS_OF,
    {
      flags: '--to <target>',
      description: 'a directory, or a database URL (without a password in it: use PGPASSWORD or ~/.pgpass)',
    },
    {
      flags: '--at <time>',
      description:
        'the newest recovery point not after this time: 2026-01-31T14:03:06Z, `2h ago`, or `latest`; of a source with `wal: stream` or `stream: true`, this very moment, or a position (16/B374D848); of PostgreSQL also a transaction (xid:1234) or a restore point (name:…)',
    },
    { flags: '--snapshot <id>', description: 'this snapshot' },
    {
      flags: '--only <pattern...>',
      description:
        'of files, only these with all that is in them: `*.jpg`, `uploads/2026`, or a whole path from `/` on; of a database, these schemas or tables: `sales`, `public.orders`',
    },
    {
      flags: '--as <name>',
      description:
        'of a database, beside what the target has: the one table or schema that --only names, under this name (`orders_restored`, or for a table `archive.orders`)',
    },
    { flags: '--include <pattern...>', description: "the same as --only, by restic's name" },
    { flags: '--exclude <pattern...>', description: 'of files, not these' },
    { flags: '--repository <name>', description: 'read from this repository, mirror or archive' },
    { flags: '--replace', description: 'make a directory that is not empty what the snapshot is' },
    {
      flags: '--confirm <name>',
      description: "with --replace: the name of the directory, which is the last part of the target's path",
    },
    { flags: '--dry-run', description: 'with --replace: only say what would be removed' },
    ...RECALL_OPTIONS,
  ],
  examples: [
    {
      command: 'holdfast restore uploads --to /srv/uploads-restored',
      does: 'the newest recovery point of a directory',
    },
    {
      command: 'holdfast restore omni-db --to postgres://localhost/omni_restored --at "2h ago"',
      does: 'a database as it was two hours ago',
    },
    {
      command: 'holdfast restore uploads --to ./invoices --only "/srv/uploads/2026/*.pdf"',
      does: 'some of its files',
    },
    {
      command: 'holdfast restore omni-db --to postgres://localhost/omni_orders --only public.orders',
      does: 'one table, with its indexes and what it needs',
    },
    {
      command:
        'holdfast restore omni-db --to postgres://localhost/omni --only public.orders --as orders_restored --at "1h ago"',
      does: 'the same table as it was, beside the one that is there or was dropped',
    },
    {
      command: 'holdfast restore uploads --to /srv/uploads-restored --replace --dry-run',
      does: 'what is in that directory, and would be removed since it is not in the snapshot',
    },
    {
      command: 'holdfast restore uploads --to /srv/uploads-restored --replace --confirm uploads-restored',
      does: 'the same directory again, with what has changed since and without what is not in the snapshot',
    },
    {
      command: 'holdfast restore omni-db --to /srv/restored --at 2026-01-31T14:03:06Z',
      does: 'a cluster whose log is captured, as it was at that moment',
    },
    { command: 'holdfast restore --snapshot 3fa85f64 --to ./look', does: 'any snapshot, as stock restic would' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  async run({ arguments: [source], options, workspace }) {
    const given = (name: string): string | undefined => options[name] as string | undefined;
    const to = given('to');
    if (to === undefined) {
      throw new HoldfastError('bad-usage', 'restore needs a target', {
        hint: 'Add `--to` with a directory or a database URL.',
      });
    }
    if (source === undefined && given('snapshot') === undefined) {
      throw new HoldfastError('bad-usage', 'restore needs a source or a snapshot', {
        hint: 'Name a source of the plan, or add `--snapshot` with an id.',
      });
    }
    const operations = await import('../../operations/index.ts');
    const optional = (name: 'at' | 'as' | 'snapshot' | 'repository' | 'confirm'): object =>
      given(name) === undefined ? {} : { [name]: given(name) };
    const request = {
      to,
      ...(source !== undefined && { source: source as string }),
      ...optional('at'),
      ...optional('as'),
      ...optional('snapshot'),
      ...optional('repository'),
      ...optional('confirm'),
      ...(options['replace'] === true && { replace: true }),
      ...(options['dryRun'] === true && { dryRun: true }),
      ...selectionOf(options),
      ...recallOf(options),
    };
    const result = await operations.restore(await workspace(), request);
    return { exit: result.outcome === 'complete' ? EXIT.done : EXIT.partial, json: result, text: describe(result) };
  },
};

/** What is asked for, where not everything is. */
function selectionOf(options: Record<string, unknown>): Pick<RestoreRequest, 'selection'> {
  const patterns = (...names: string[]): string[] =>
    names.flatMap((name) => (options[name] as string[] | undefined) ?? []);
  const [only, exclude] = [patterns('only', 'include'), patterns('exclude')];
  if (only.length + exclude.length === 0) return {};
  return { selection: { ...(only.length > 0 && { only }), ...(exclude.length > 0 && { exclude }) } };
}

function describe(result: RestoreResult): string {
  const { snapshot, time, target, bytes, items, durationMs, surplus } = result;
  if (surplus !== undefined) {
    const of = `${result.source ?? 'snapshot'} of ${shownTime(time)} (snapshot ${shortId(snapshot)})`;
    return [
      `would make ${target} ${of}, ${items.toLocaleString('en')} items, and remove ${surplus.length.toLocaleString('en')}`,
      ...[...surplus, ...result.notes].map((line) => `  ${line}`),
    ].join('\n');
  }
  const state = result.outcome === 'complete' ? good('restored') : doubtful('restored in part');
  return [
    `${state} ${result.source ?? 'snapshot'} of ${shownTime(time)} (snapshot ${shortId(snapshot)}) to ${target}`,
    `  ${items.toLocaleString('en')} items, ${formatSize(bytes)} in ${formatDuration(durationMs)}`,
    ...result.notes.map((note) => `  ${note}`),
    ...result.problems.map(({ path, message }) => `  ${path}: ${message}`),
  ].join('\n');
}
