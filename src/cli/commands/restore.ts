import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { RestoreRequest, RestoreResult } from '../../operations/index.ts';
import type { DocumentChanges } from '../../source/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition, Invocation, Outcome } from '../command.ts';
import { describeCost } from '../estimate-text.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { describeGroupRestored, describePoints } from '../group-text.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { bad, counted, doubtful, good, oneLine, shortId, shownTime } from '../text.ts';

export const restore: CommandDefinition = {
  name: 'restore',
  arguments: '[source]',
  summary: 'bring a source, or any snapshot, back to a new place',
  description:
    'Brings a recovery point of a source back: files to a directory, a database to a database URL or as files to a directory. The target must be empty or not exist; nothing else is written to. Of a database, --only brings tables or schemas with what belongs to them and the types, functions and sequences that they need; what would need another table (a foreign key) is left out and named. With --as, the target may hold anything else: the one table or schema comes beside it under another name, with all that belongs to it, or not at all; a name that is taken is refused, types and functions that are there are used, and foreign keys of others go on leading to the table that was there. A physical backup restored to a database URL recovers in a sandbox of this machine first, and the database that the plan names, or a part of it, is copied from there. A restore to a directory that was interrupted goes on when the same command is run again. Of files, what the repository has lost is left out and named, and the rest comes back, with exit code 3. With --replace, a directory may hold anything and is made what the snapshot is: files that are right already are left alone, others are made right, and what the snapshot does not have is removed, of a selection only what it means. --confirm takes the last part of the path of the target. It stops at other file systems that are mounted in the target, and refuses /, home directories, and what holds the repository, the plan or the paths that the snapshot is of. A PostgreSQL cluster with `wal: stream` comes back at any moment that its log covers: a server of this machine replays the log on the restored directory, and is stopped again; where there is none, the log is laid beside it for the first server that starts there, which is said, with exit code 3. A Redis server with `stream: true` comes back so as well: on a running, empty server, or as the dump.rdb that one of this machine makes of it. A Firestore database comes back to an empty one, in any project, or one that --create makes; with --diff or --replace to one that holds anything, where only what differs is written, and --dry-run shows that first. Without a source, --snapshot takes any snapshot, whoever wrote it, to a directory.',
  options: [
    AS_OF,
    {
      flags: '--to <target>',
      description:
        'a directory, a database URL (without a password in it: use PGPASSWORD or ~/.pgpass), or a Firestore database (`firestore://PROJECT/DATABASE`); of a group a directory, in which each source gets one of its own, and SOURCE=TARGET for each that goes elsewhere',
      repeats: true,
    },
    {
      flags: '--at <time>',
      description:
        'the newest recovery point not after this time: 2026-01-31T14:03:06Z, `2h ago`, or `latest`; of a source with `wal: stream` or `stream: true`, this very moment, or a position (16/B374D848); of PostgreSQL also a transaction (xid:1234) or a restore point (name:…)',
    },
    {
      flags: '--group <name>',
      description:
        'all sources of a group of the plan as they were at one moment, by the recovery point of each that is nearest to --at and not after it; one that fails stops no other, and the exit code is 3 then',
    },
    { flags: '--snapshot <id>', description: 'this snapshot' },
    {
      flags: '--only <pattern...>',
      description:
        'of files, only these with all that is in them: `*.jpg`, `uploads/2026`, or a whole path from `/` on; of a database, these schemas or tables: `sales`, `public.orders`; of Firestore, these documents with all below them: `/companies`, `/companies/acme`, `deals`',
    },
    {
      flags: '--as <name>',
      description:
        'of a database, beside what the target has: the one table or schema that --only names, under this name (`orders_restored`, or for a table `archive.orders`)',
    },
    { flags: '--include <pattern...>', description: "the same as --only, by restic's name" },
    { flags: '--exclude <pattern...>', description: 'of files, not these' },
    { flags: '--repository <name>', description: 'read from this repository, mirror or archive' },
    {
      flags: '--replace',
      description: 'make a directory, or a Firestore database, that is not empty what the snapshot is',
    },
    {
      flags: '--diff',
      description: 'of Firestore: write what is missing or differs in a database that is not empty, and remove nothing',
    },
    {
      flags: '--confirm <name>',
      description:
        "with --replace: the name of the directory, which is the last part of the target's path; of Firestore, with --diff too, the project, or PROJECT/DATABASE where it is not the default one",
    },
    {
      flags: '--dry-run',
      description: 'with --replace or --diff: only say what would be removed, and of Firestore what would be written',
    },
    {
      flags: '--estimate',
      description: 'of Firestore: only say how many documents would be written, and what that would cost',
    },
    { flags: '--create', description: 'of Firestore: make the database if there is none, with the indexes first' },
    {
      flags: '--location <id>',
      description: "with --create: where, such as nam5 or europe-west1; the source's own, when left out",
    },
    {
      flags: '--ramp-up',
      description:
        'of Firestore: begin with 500 writes a second and let them grow by half every five minutes, for a database that is in use',
    },
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
    {
      command: 'holdfast restore crm --to firestore://omni-restored --create',
      does: 'a Firestore database, in another project, made where it is missing',
    },
    {
      command: 'holdfast restore crm --to firestore://omni --only /companies/acme --diff --dry-run',
      does: 'which documents of a company would be written back into the living database',
    },
    {
      command: 'holdfast restore --group omni --at "2h ago" --to /srv/back --to omni-db=postgres://localhost/omni_back',
      does: 'several sources as they were at one moment, one of them into a database and the rest into directories',
    },
    { command: 'holdfast restore --snapshot 3fa85f64 --to ./look', does: 'any snapshot, as stock restic would' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  async run(invocation) {
    const {
      arguments: [source],
      options,
      workspace,
    } = invocation;
    const given = (name: string): string | undefined => options[name] as string | undefined;
    if (options['group'] !== undefined) return restoreGroup(invocation);
    const [to, ...others] = (options['to'] ?? []) as string[];
    if (to === undefined || others.length > 0) {
      throw new HoldfastError('bad-usage', to === undefined ? 'restore needs a target' : 'restore takes one target', {
        hint: 'Add `--to` with a directory or a database URL. Several belong to `--group`.',
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
    const request: RestoreRequest = {
      to,
      ...(source !== undefined && { source: source as string }),
      ...optional('at'),
      ...optional('as'),
      ...optional('snapshot'),
      ...optional('repository'),
      ...optional('confirm'),
      ...(options['replace'] === true && { replace: true }),
      ...(options['diff'] === true && { diff: true }),
      ...(options['dryRun'] === true && { dryRun: true }),
      ...(options['estimate'] === true && { estimate: true }),
      ...(options['rampUp'] === true && { rampUp: true }),
      ...createOf(options),
      ...selectionOf(options),
      ...recallOf(options),
    };
    const result = await operations.restore(await workspace(), request);
    return { exit: result.outcome === 'complete' ? EXIT.done : EXIT.partial, json: result, text: describe(result) };
  },
};

/** @throws bad-usage */
function createOf(options: Record<string, unknown>): Pick<RestoreRequest, 'create'> {
  const location = options['location'] as string | undefined;
  if (options['create'] === true) return { create: location === undefined ? {} : { location } };
  if (location === undefined) return {};
  throw new HoldfastError('bad-usage', '--location belongs to --create', {
    hint: 'Add `--create` to have the database made there.',
  });
}

/** What belongs to one source. */
const OF_ONE_SOURCE = [
  ...['snapshot', 'only', 'include', 'exclude', 'as', 'replace', 'diff', 'confirm', 'dryRun'],
  ...['estimate', 'create', 'location', 'rampUp'],
];

async function restoreGroup({ arguments: [source], options, workspace, tell }: Invocation): Promise<Outcome> {
  const misplaced = OF_ONE_SOURCE.filter((name) => options[name] !== undefined);
  if (source !== undefined || misplaced.length > 0) {
    const option = misplaced[0]?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const found = source === undefined ? `--${option}` : 'a source';
    throw new HoldfastError('bad-usage', `--group brings back whole sources, and takes no ${found}`, {
      hint: 'Give the name of a group with `--group`, a moment with `--at`, and targets with `--to`.',
    });
  }
  const optional = (name: string): object => (options[name] === undefined ? {} : { [name]: options[name] });
  const request = {
    ...{ group: options['group'] as string, to: (options['to'] ?? []) as string[] },
    ...{ ...optional('at'), ...optional('repository'), ...recallOf(options) },
  };
  const operations = await import('../../operations/index.ts');
  const result = await operations.restoreGroup(await workspace(), request, (points) => {
    for (const line of describePoints(points)) tell(line);
  });
  return { exit: operations.groupExit(result), json: result, text: describeGroupRestored(result) };
}

/** What is asked for, where not everything is. */
function selectionOf(options: Record<string, unknown>): Pick<RestoreRequest, 'selection'> {
  const patterns = (...names: string[]): string[] =>
    names.flatMap((name) => (options[name] as string[] | undefined) ?? []);
  const [only, exclude] = [patterns('only', 'include'), patterns('exclude')];
  if (only.length + exclude.length === 0) return {};
  return { selection: { ...(only.length > 0 && { only }), ...(exclude.length > 0 && { exclude }) } };
}

function describe(result: RestoreResult): string {
  const { snapshot, time, target, bytes, items, durationMs, surplus, changes } = result;
  if (changes !== undefined) return describeChanges(result, changes);
  if (result.estimate !== undefined) return describeCost(result.source ?? 'it', result.estimate);
  if (surplus !== undefined) {
    const of = `${result.source ?? 'snapshot'} of ${shownTime(time)} (snapshot ${shortId(snapshot)})`;
    return [
      oneLine`would make ${target} ${of}, ${counted(items, 'item')}, and remove ${surplus.length.toLocaleString('en')}`,
      ...[...surplus, ...result.notes].map((line) => oneLine`  ${line}`),
    ].join('\n');
  }
  const state = result.outcome === 'complete' ? good('restored') : doubtful('restored in part');
  return [
    oneLine`${state} ${result.source ?? 'snapshot'} of ${shownTime(time)} (snapshot ${shortId(snapshot)}) to ${target}`,
    `  ${counted(items, 'item')}, ${formatSize(bytes)} in ${formatDuration(durationMs)}`,
    ...result.notes.map((note) => oneLine`  ${note}`),
    ...result.problems.map(({ path, message }) => oneLine`  ${path}: ${message}`),
  ].join('\n');
}

const CHANGES: Partial<Record<DocumentChanges['named'][number]['kind'], string>> = {
  missing: good('+'),
  content: doubtful('M'),
  extra: bad('-'),
};

function describeChanges(result: RestoreResult, { missing, content, extra, equal, named }: DocumentChanges): string {
  const total = missing + content + extra;
  const more = total - named.length;
  return [
    `would write ${counted(missing + content, 'document')} to ${result.target} (${counted(missing, 'missing one', 'missing ones')}), remove ${counted(extra, 'document')}, and leave ${counted(equal, 'document')} alone`,
    ...named.map(({ item, kind, detail }) => oneLine`  ${CHANGES[kind] ?? ' '}  ${item} ${detail}`),
    ...(more > 0 ? [`  and ${more.toLocaleString('en')} more`] : []),
    ...result.notes.map((note) => oneLine`  ${note}`),
  ].join('\n');
}
