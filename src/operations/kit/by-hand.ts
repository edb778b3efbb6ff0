/** How each kind of source is brought back with stock restic and its own programs: lines that a person types as they are. */
import { shellWord } from '../../foundation/shell-word.ts';
import { type FirestoreSource, hasLog, type Source as PlanSource } from '../../plan/index.ts';
import { type KitPlace, type KitRepository, passwordFile } from './kit-content.ts';
import { fetchCommand, resticPlace } from './places.ts';

/** What is done by hand, and what is to be known before. */
export interface ByHand {
  lines: string[];
  words?: string;
}

/** Where everything goes, relative to the directory in which the kit was opened. */
const TARGET = 'back';

/** Opens the kit, in a new directory. @param file the sealed kit, in the directory that the lines are typed in */
export function openingLines(file: string): string[] {
  return ['umask 077', `age -d -o kit.tar ${shellWord(file)}`, 'tar -xf kit.tar', 'cat kit/README.md'];
}

/**
 * Has restic work with one copy of a repository, and says whether it answers.
 * @param plan the name of the plan
 * @param hasTail whether sources of the repository have a log whose newest part is read from `$TAIL`
 */
export function repositoryLines({ name, place }: KitRepository, plan: string, hasTail: boolean): string[] {
  const region =
    place.kind === 's3' && place.region !== undefined ? [`export AWS_DEFAULT_REGION=${shellWord(place.region)}`] : [];
  return [
    ...region,
    `export RESTIC_REPOSITORY=${shellWord(resticPlace(place))}`,
    `export RESTIC_PASSWORD_FILE="$PWD/kit/${passwordFile(name)}"`,
    ...(hasTail ? answeringWithTail(place, `holdfast/tail/${plan}`) : ['restic snapshots']),
  ];
}

/** The last line fails where the copy does not answer. */
function answeringWithTail(place: KitPlace, directory: string): string[] {
  const fetch = fetchCommand(place, directory, 'tail');
  if (fetch === undefined) return [`export TAIL="$RESTIC_REPOSITORY/${directory}"`, 'restic snapshots'];
  return ['export TAIL=tail', `restic snapshots && ${fetch}`];
}

/** Whether it has a log whose newest part lies where restic does not look. */
export function hasTail(source: PlanSource): boolean {
  return hasLog(source);
}

/** Brings one source back, its newest recovery point. @param plan the name of the plan */
export function sourceLines(plan: string, source: PlanSource): ByHand {
  const { name } = source;
  const to = `${TARGET}/${name}`;
  const newest = (kind: string): string =>
    `restic restore latest --host ${plan} --tag source:${name},kind:${kind} --target ${to}`;
  switch (source.type) {
    case 'postgres':
      return source.method === 'logical' ? logical(newest('dump'), to, name) : cluster(plan, source, newest);
    case 'redis':
      return redis(plan, source, newest);
    case 'files':
      return { lines: [newest('tree')], words: `The files are below ${to}, at the paths that they had.` };
    case 'git':
      return { lines: [newest('tree'), `git clone ${to}/data ${TARGET}/${name}-work`] };
    case 'sqlite':
      return { lines: [newest('dump')], words: `The database is the file in ${to}/data.` };
    case 'secrets':
      return { lines: [newest('tree')], words: `Each value is a file below ${to}/data.` };
    case 'firestore':
      return firestore(source, newest('dump'), to);
  }
}

function logical(newest: string, to: string, name: string): ByHand {
  return {
    lines: [newest, `createdb ${shellWord(name)}`, `pg_restore --exit-on-error --dbname ${shellWord(name)} ${to}/data`],
    words: 'On a running server of the same major version or newer; make the roles first that own something.',
  };
}

/** Into a database of its own: what is in the old one may be needed to see what happened. */
function firestore({ name, project, method }: FirestoreSource, newest: string, to: string): ByHand {
  const own = typeof project === 'string' ? shellWord(project) : '"$PROJECT"';
  const database = `restored-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`.slice(0, 60).replace(/-$/, '');
  const made = `gcloud firestore databases create --project=${own} --database=${database} --location=LOCATION`;
  const words = `Into an empty database, which is made before by ${made}; its indexes are in ${to}/data, for firebase deploy --only firestore:indexes.`;
  if (method === 'documents') {
    return {
      lines: [newest, `sh kit/write-firestore.sh ${to}/data/documents projects/${own}/databases/${database}`],
      words,
    };
  }
  const place = `"$(grep -o 'gs://[^"]*' ${to}/data/export.json)"`;
  return { lines: [newest, `gcloud firestore import ${place} --project=${own} --database=${database}`], words };
}

/** The data directory, the log that came behind it, and the newest part of that. */
function cluster(plan: string, source: PlanSource, newest: (kind: string) => string): ByHand {
  const { name } = source;
  const to = `${TARGET}/${name}`;
  const data = `${to}/data`;
  const start = `pg_ctl -D ${data} -l ${to}/server.log -w start`;
  const words =
    'With the programs of the same major version of PostgreSQL in PATH, and not as root. See that no port or directory in its configuration belongs to another server.';
  if (!hasLog(source)) return { words, lines: [newest('base'), `chmod 700 ${data}`, start] };
  return {
    words: `${words} It has recovered once \`SELECT pg_is_in_recovery()\` gives false.`,
    lines: [
      newest('base'),
      ...logLines(plan, name, to),
      `echo "restore_command = 'cp \\"$PWD/${to}/wal/%f\\" \\"%p\\"'" >>${data}/postgresql.auto.conf`,
      `touch ${data}/recovery.signal`,
      `chmod 700 ${data}`,
      start,
    ],
  };
}

/** What came behind a backup, into `wal` beside it. */
function logLines(plan: string, name: string, to: string): string[] {
  return [
    `restic snapshots --host ${plan} --tag source:${name},kind:wal --json | grep -o '"id":"[0-9a-f]*"' | cut -d '"' -f 4 >${to}.log-snapshots`,
    `while read -r id; do restic restore "$id" --include /wal --target ${to}; done <${to}.log-snapshots`,
    `sh kit/read-tail.sh "$TAIL/${name}" ${to}/wal`,
  ];
}

function redis(plan: string, source: PlanSource, newest: (kind: string) => string): ByHand {
  const to = `${TARGET}/${source.name}`;
  const start = (directory: string, how: string): string =>
    `redis-server --dir "$PWD/${directory}" ${how} --daemonize yes`;
  const words = 'Of the same major version as the server, or newer; on another port where one runs.';
  if (!hasLog(source)) {
    return { words, lines: [newest('dump'), start(`${to}/data`, '--dbfilename dump.rdb')] };
  }
  const server = `${to}/server`;
  return {
    words,
    lines: [
      newest('base'),
      ...logLines(plan, source.name, to),
      `sh kit/join-stream.sh ${to} ${server}`,
      start(server, '--appendonly yes'),
    ],
  };
}
