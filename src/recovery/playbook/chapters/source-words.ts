/** A source in words: what of it is captured and how, and how that is done by hand. Pure. */
import { shellWord } from '../../../foundation/shell-word.ts';
import { hasLog, isWatched, type Source } from '../../../plan/index.ts';
import { describeValue } from '../../steps/calls/references.ts';
import { atPlaces, nounWords, placeWords } from '../words.ts';

const FAMILIES = {
  databases: ['postgres', 'redis', 'firestore', 'sqlite'],
  code: ['git', 'secrets'],
  files: ['files'],
} as const satisfies Record<string, readonly Source['type'][]>;

export type Family = keyof typeof FAMILIES;

export function ofFamily(sources: Iterable<Source>, family: Family): Source[] {
  return [...sources].filter(({ type }) => (FAMILIES[family] as readonly string[]).includes(type));
}

/** What it is, and where. */
export function subjectWords(source: Source): string {
  switch (source.type) {
    case 'postgres':
      return `PostgreSQL ${source.method === 'physical' ? 'server' : 'database'}, ${placeWords(source.url)}${source.standby === undefined ? '' : `, read from its standby ${source.standby.name}`}`;
    case 'redis':
      return `Redis server, ${placeWords(source.url)}`;
    case 'firestore':
      return `Firestore database ${placeWords(source.database)} of the project ${placeWords(source.project)}`;
    case 'sqlite':
      return `SQLite database, ${placeWords(source.path)}`;
    case 'git':
      return `git repository, ${placeWords(source.url)}`;
    case 'files':
      return source.bucket === undefined
        ? `files ${atPlaces(source.paths)}${source.exclude.length === 0 ? '' : `, without ${source.exclude.join(', ')}`}`
        : `objects ${atPlaces([source.bucket.store])}`;
    case 'secrets':
      return `secrets: ${secretPlaces(source)}`;
  }
}

function secretPlaces({ from: { gcp, files = [], directory, env } }: Extract<Source, { type: 'secrets' }>): string {
  return [
    ...(gcp === undefined ? [] : [`Secret Manager, project ${placeWords(gcp.project)}`]),
    ...files.map(placeWords),
    ...(directory === undefined ? [] : [placeWords(directory)]),
    ...(env === undefined ? [] : [`the variables ${env.join(', ')}`]),
  ].join('; ');
}

/** How it is captured. */
export function captureWords(source: Source): string {
  const continued = 'all that comes after it is added within seconds, so that any moment can be restored';
  switch (source.type) {
    case 'postgres':
      if (source.method === 'logical') return 'full each time: one consistent dump';
      return hasLog(source)
        ? `full, as its data directory, and incremental: its log; ${continued}`
        : 'full, as its data directory';
    case 'redis':
      return source.stream
        ? `full, as a file that a server loads, and its stream of commands; ${continued}`
        : 'full, as a file that a server loads';
    case 'firestore':
      return source.method === 'managed'
        ? `by Google's own export, to ${nounWords('bucket', source.bucket ?? '')}`
        : 'full: every document as of one moment';
    case 'sqlite':
      return 'full: the file of the database, consistent';
    case 'git':
      return `a mirror with all references, what was rewritten kept as well${isWatched(source) ? ', as it changes' : ''}`;
    case 'files':
      return isWatched(source)
        ? 'watched, and in the repository within seconds of a change'
        : 'incremental: only what changed is read';
    case 'secrets':
      return 'every version that is enabled, encrypted with all else in the repository';
  }
}

/** How it is captured where Holdfast is not at hand: lines of a shell. */
export function captureByHand(source: Source): string[] {
  switch (source.type) {
    case 'postgres':
      return source.method === 'physical'
        ? [`pg_basebackup -d ${describeValue(source.url)} -D ./${source.name} --wal-method=stream --checkpoint=fast`]
        : [`pg_dump -Fd -f ./${source.name} -d ${describeValue(source.url)}`];
    case 'redis':
      return [`redis-cli -u ${describeValue(source.url)} --rdb ./${source.name}.rdb`];
    case 'firestore':
      return [
        `gcloud firestore export gs://BUCKET/${source.name} --project=${describeValue(source.project)}${source.collections === undefined ? '' : ` \\\n  --collection-ids=${source.collections.join(',')}`}`,
      ].flatMap((line) => line.split('\n'));
    case 'sqlite':
      return [`sqlite3 ${describeValue(source.path)} ".backup ./${source.name}.sqlite"`];
    case 'git':
      return [`git clone --mirror ${describeValue(source.url)} ./${source.name}.git`];
    case 'files':
      return source.bucket === undefined
        ? [
            `restic -r REPOSITORY backup --tag ${shellWord(`source:${source.name}`)} ${source.paths.map(describeValue).join(' ')}`,
          ]
        : [`rclone sync ${describeValue(source.bucket.store)} ./${source.name}`];
    case 'secrets':
      return ['gcloud secrets versions access VERSION --secret SECRET   # of each, into a place that is encrypted'];
  }
}

/** Where a restore of it may go. */
export function targetWords(source: Source): string {
  switch (source.type) {
    case 'postgres':
      return 'DIRECTORY_OR_URL';
    case 'redis':
      return 'DIRECTORY_OR_URL';
    case 'firestore':
      return 'firestore://PROJECT/DATABASE';
    default:
      return 'DIRECTORY';
  }
}

/** What is done once it was restored by stock restic to `./restored`. */
export function afterRestic(source: Source): string[] {
  switch (source.type) {
    case 'postgres':
      return source.method === 'physical'
        ? ['pg_verifybackup ./restored/data', 'pg_ctl -D ./restored/data start   # the same major version']
        : ['createdb NAME', 'pg_restore --exit-on-error --dbname NAME ./restored/data'];
    case 'redis':
      return [
        '# Stop the server, put ./restored/data/dump.rdb where it looks for it, owned by its user, and start it.',
      ];
    case 'firestore':
      return [
        '# As the page of the recovery kit has it, with the script that lies in the kit:',
        'sh kit/write-firestore.sh ./restored/data/documents projects/PROJECT/databases/DATABASE',
      ];
    case 'sqlite':
      return ['# ./restored/data holds the file of the database: stop what uses it, and put it in its place.'];
    case 'git':
      return ['git clone ./restored/data code   # a bare repository; git push --mirror brings it to a server'];
    case 'files':
      return ['# The files lie below ./restored at the paths that they had.'];
    case 'secrets':
      return ['# Each value is a file below ./restored/data: put it back where it belongs, and remove ./restored.'];
  }
}
