/** What no single key can tell: names that must exist, schedules that must fit, places that must differ. Pure. */
import { durationNotation, parseDuration } from '../foundation/units.ts';
import { isTimezone, longestGapMs, parseSchedule, type Schedule } from '../schedule/index.ts';
import { alertFindings } from './alerts/alert-checks.ts';
import { groupFindings } from './group-checks.ts';
import { valueAt } from './issues.ts';
import { nearestName } from './names.ts';
import type { Finding } from './problems.ts';
import { keepsSomething, type RetentionDocument, retentionPolicy } from './retention-schema.ts';
import { runbookFindings } from './runbooks/runbook-checks.ts';
import { type GcsAddress, parseStore, type S3Address } from './store.ts';
import { GCS_CLASSES, isOfflineClass } from './store-schema.ts';

/**
 * The findings across keys in the plan `raw`. Parts that are themselves wrong, as `earlier` says, are passed over, so
 * that one slip is told once and the rest of the plan is checked all the same.
 */
export function crossFindings(raw: unknown, earlier: readonly Finding[], directory: string): Finding[] {
  const unsound = new Set(earlier.flatMap(({ path }) => path.map((_, index) => keyOf(path.slice(0, index + 1)))));
  const repositories = namesIn(valueAt(raw, ['repositories']));
  const context: Context = {
    directory,
    at: (...path) => valueAt(raw, path),
    sound: (...path) => (unsound.has(keyOf(path)) ? undefined : valueAt(raw, path)),
    repositories,
    homes: repositories.filter((name) =>
      ['mirrorOf', 'copies'].every((key) => valueAt(raw, ['repositories', name, key]) === undefined),
    ),
    sources: namesIn(valueAt(raw, ['sources'])),
    standbys: namesIn(valueAt(raw, ['standbys'])),
  };
  return [
    ...emptyFindings(context),
    ...samePlaceFindings(context),
    ...storeOptionFindings(context),
    ...encryptionFindings(context),
    ...context.repositories.flatMap((name) => [...mirrorFindings(context, name), ...archiveFindings(context, name)]),
    ...context.sources.flatMap((name) => [
      ...repositoryFindings(context, name),
      ...scheduleFindings(context, name),
      ...retentionFindings(context, ['sources', name, 'retention']),
      ...logFindings(context, name),
      ...streamFindings(context, name),
      ...standbyFindings(context, name),
      ...duplicateFindings(context, name),
      ...placeOfFilesFindings(context, name),
    ]),
    ...context.standbys.flatMap((name) => originFindings(context, name)),
    ...timesFindings(context),
    ...groupFindings({ ...context, unknown: unknownName }),
    ...alertFindings({ ...context, unknown: unknownName }),
    ...runbookFindings({ ...context, unknown: unknownName }),
  ];
}

interface Context {
  directory: string;
  /** What stands at a path. */
  at(...path: PropertyKey[]): unknown;
  /** What stands at a path, unless something in it is wrong. */
  sound(...path: PropertyKey[]): unknown;
  /** All names, also of what is wrong otherwise. */
  repositories: string[];
  /** Those of repositories that are neither mirrors nor archives: where sources may be kept. */
  homes: string[];
  sources: string[];
  standbys: string[];
}

function emptyFindings(context: Context): Finding[] {
  return (['repositories', 'sources'] as const)
    .filter((key) => context.sound(key) !== undefined && context[key].length === 0)
    .map((key) => ({ path: [key], at: 'key' as const, message: `the plan names no ${key}; expected at least one` }));
}

function samePlaceFindings({ directory, sound, repositories }: Context): Finding[] {
  const byPlace = new Map<string, string>();
  const findings: Finding[] = [];
  for (const name of repositories) {
    const store = sound('repositories', name, 'store');
    const place = typeof store === 'string' ? parseStore(store, directory) : { problem: '' };
    if ('problem' in place) continue;
    const where = place.kind === 'local' ? place.path : bucketWhere(place, sound('repositories', name, place.kind));
    const other = byPlace.get(where);
    if (other === undefined) byPlace.set(where, name);
    else findings.push({ path: ['repositories', name, 'store'], at: 'value', message: `"${other}" is already there` });
  }
  return findings;
}

function bucketWhere({ kind, bucket, prefix }: S3Address | GcsAddress, options: unknown): string {
  const endpoint = isPlainObject(options) ? (options as { endpoint?: unknown }).endpoint : undefined;
  return `${kind}:${JSON.stringify(endpoint ?? '')}/${bucket}/${prefix}`;
}

/** Options of a store, and the kinds of place that have them. */
const STORE_OPTIONS = {
  s3: { kinds: ['s3'], where: 's3://' },
  gcs: { kinds: ['gcs'], where: 'gs://' },
  storageClass: { kinds: ['s3', 'gcs'], where: 's3:// or gs://' },
} as const;

/** What belongs to one kind of store alone. A store that comes from a reference is of a kind that nobody knows yet. */
function storeOptionFindings({ directory, sound, at, repositories }: Context): Finding[] {
  return repositories.flatMap((name) => {
    const store = sound('repositories', name, 'store');
    const place = typeof store === 'string' ? parseStore(store, directory) : undefined;
    if (place === undefined || 'problem' in place) return [];
    const misplaced = Object.entries(STORE_OPTIONS)
      .filter(([key, { kinds }]) => {
        const isKnown = (kinds as readonly string[]).includes(place.kind);
        return !isKnown && at('repositories', name, key) !== undefined;
      })
      .map(([key, { where }]) => ({
        path: ['repositories', name, key],
        at: 'key' as const,
        message: `"${key}" belongs to a store at ${where}`,
      }));
    const isGcs = place.kind === 'gcs';
    return [...misplaced, ...(isGcs ? gcsClassFindings(sound('repositories', name, 'storageClass'), name) : [])];
  });
}

function gcsClassFindings(storageClass: unknown, name: string): Finding[] {
  if (typeof storageClass !== 'string' || GCS_CLASSES.includes(storageClass)) return [];
  const message = `"${storageClass}" is no class of Cloud Storage; expected ${GCS_CLASSES.join(', ')}`;
  return [{ path: ['repositories', name, 'storageClass'], at: 'value', message }];
}

function encryptionFindings({ sound, at, repositories }: Context): Finding[] {
  return repositories.flatMap((name) => {
    const path = ['repositories', name, 's3', 'kmsKeyId'];
    if (at(...path) === undefined || sound('repositories', name, 's3', 'serverSideEncryption') === 'aws:kms') return [];
    return [{ path, at: 'key' as const, message: '"kmsKeyId" belongs to "serverSideEncryption: aws:kms"' }];
  });
}

/** The log continues a physical backup; nothing of a dump can be brought to a later moment by it. */
function logFindings({ sound, at }: Context, source: string): Finding[] {
  const path = ['sources', source, 'wal'];
  const capture = ['sources', source, 'capture'];
  if (at(...capture) !== undefined && at(...path) === undefined) {
    return [{ path: capture, at: 'key', message: '"capture" belongs to "wal: stream"' }];
  }
  if (sound(...path) !== 'stream' || at('sources', source, 'method') === 'physical') return [];
  const message = 'the log belongs to "method: physical"; a logical backup cannot be continued by it';
  return [{ path, at: 'key', message }];
}

/** A scan is not of one moment: no position of the stream belongs to it. */
function streamFindings({ sound, at }: Context, source: string): Finding[] {
  const path = ['sources', source, 'stream'];
  if (sound(...path) !== true || at('sources', source, 'method') !== 'scan') return [];
  return [
    { path, at: 'key', message: 'the stream belongs to "method: replication"; a scan cannot be continued by it' },
  ];
}

/** What a mirror is a copy of is a repository that has its own life; and it keeps what that keeps. */
function mirrorFindings({ sound, repositories, homes }: Context, name: string): Finding[] {
  const path = ['repositories', name, 'mirrorOf'];
  const given = sound(...path);
  if (typeof given !== 'string') return [];
  const of = { path, at: 'value' as const, found: given };
  const others = oneOf(homes);
  const own = (['retention', 'copies'] as const)
    .filter((key) => sound('repositories', name, key) !== undefined)
    .map((key): Finding => {
      const message = `a mirror is an exact copy and has no "${key}" of its own; it keeps what "${given}" keeps`;
      return { path: ['repositories', name, key], at: 'key', message };
    });
  if (given === name) return [{ ...of, message: `"${name}" cannot be a mirror of itself; expected ${others}` }, ...own];
  if (!repositories.includes(given)) return [unknownName('repository', path, given, homes), ...own];
  if (homes.includes(given)) return own;
  return [{ ...of, message: `"${given}" is itself ${kindOf(sound, given)}; expected ${others}` }, ...own];
}

/** What a repository that is no home is. */
function kindOf(sound: Context['sound'], name: string): string {
  return sound('repositories', name, 'mirrorOf') === undefined ? 'an archive' : 'a mirror';
}

/** An archive takes snapshots from where the sources that it names are kept. */
function archiveFindings(context: Context, name: string): Finding[] {
  const { at } = context;
  const path = ['repositories', name];
  if (at(...path, 'mirrorOf') !== undefined) return [];
  if (at(...path, 'copies') === undefined) {
    const orphaned = at(...path, 'retention') !== undefined;
    const message = '"retention" belongs to an archive, which has "copies"; elsewhere each source has its own';
    return [
      ...(orphaned ? [{ path: [...path, 'retention'], at: 'key' as const, message }] : []),
      ...offlineFindings(context, name),
    ];
  }
  return [
    ...originOfCopiesFindings(context, name),
    ...copiedSourceFindings(context, name),
    ...copyingScheduleFindings(context, name),
    ...retentionFindings(context, [...path, 'retention']),
  ];
}

/** What must be asked for hours before can hold copies, and not what backups read again. */
function offlineFindings({ sound }: Context, name: string): Finding[] {
  const path = ['repositories', name, 'storageClass'];
  const found = sound(...path);
  if (!isOfflineClass(found)) return [];
  const message = `what lies in ${String(found)} cannot be read at once, as a repository must; expected STANDARD_IA or GLACIER_IR, say, or an archive, which has "copies"`;
  return [{ path, at: 'value', found: String(found), message }];
}

function originOfCopiesFindings({ sound, repositories, homes }: Context, name: string): Finding[] {
  const path = ['repositories', name, 'copies', 'from'];
  const given = sound(...path);
  if (typeof given !== 'string' || homes.includes(given)) return [];
  const of = { path, at: 'value' as const, found: given };
  if (given === name) return [{ ...of, message: `"${name}" cannot be an archive of itself; expected ${oneOf(homes)}` }];
  if (!repositories.includes(given)) return [unknownName('repository', path, given, homes)];
  return [{ ...of, message: `"${given}" is itself ${kindOf(sound, given)}; expected ${oneOf(homes)}` }];
}

function copiedSourceFindings({ sound, at, homes, sources }: Context, name: string): Finding[] {
  const from = sound('repositories', name, 'copies', 'from');
  const named = sound('repositories', name, 'copies', 'sources');
  if (!Array.isArray(named)) return [];
  return named.flatMap((source: string, index): Finding[] => {
    const path = ['repositories', name, 'copies', 'sources', String(index)];
    const about = { path: [...path.slice(0, -1), index], at: 'value' as const, found: source };
    if (named.indexOf(source) < index) return [{ ...about, message: `"${source}" is named twice` }];
    if (!sources.includes(source)) return [{ ...unknownName('source', path, source, sources), path: about.path }];
    const home = at('sources', source, 'repository') ?? (homes.length === 1 ? homes[0] : undefined);
    // What is no repository of sources is told where it is named.
    if (typeof from !== 'string' || typeof home !== 'string' || home === from) return [];
    if (!homes.includes(from) || !homes.includes(home)) return [];
    return [{ ...about, message: `"${source}" is kept in "${home}", and not in "${from}"` }];
  });
}

function copyingScheduleFindings(context: Context, name: string): Finding[] {
  const planned = scheduleAt(context, ['repositories', name, 'copies', 'schedule']);
  if (planned === undefined) return [];
  if (planned.schedule.kind !== 'continuous') return planned.gapMs === undefined ? [neverDue(planned)] : [];
  const message = 'an archive takes copies at times; expected a schedule such as weekly on sunday at 03:00';
  return [{ ...planned.finding, message }];
}

function repositoryFindings({ sound, at, repositories, homes }: Context, source: string): Finding[] {
  if (repositories.length === 0) return [];
  const path = ['sources', source, 'repository'];
  const given = sound(...path);
  if (typeof given === 'string' && !repositories.includes(given))
    return [unknownName('repository', path, given, homes)];
  if (typeof given === 'string' && !homes.includes(given)) {
    const expected =
      at('repositories', given, 'mirrorOf') === undefined ? oneOf(homes) : 'the repository that it is a copy of';
    return [
      { path, at: 'value', found: given, message: `"${given}" is ${kindOf(sound, given)}; expected ${expected}` },
    ];
  }
  if (at(...path) === undefined && homes.length > 1 && isPlainObject(at('sources', source))) {
    const expected = `one of ${homes.join(', ')}`;
    return [{ path, at: 'key', expected, message: `missing key "repository"; expected ${expected}` }];
  }
  return [];
}

/** A backup is taken of a standby of the same server, and a dump where `url` says. */
function standbyFindings({ sound, at, standbys }: Context, source: string): Finding[] {
  const path = ['sources', source, 'standby'];
  const given = sound(...path);
  if (typeof given !== 'string') return [];
  if (at('sources', source, 'method') !== 'physical') {
    const message = '"standby" belongs to "method: physical"; a logical backup of a standby has its URL in "url"';
    return [{ path, at: 'key', message }];
  }
  if (!standbys.includes(given)) return [unknownName('standby', path, given, standbys)];
  const of = sound('standbys', given, 'of');
  if (typeof of !== 'string' || of === source) return [];
  return [{ path, at: 'value', found: given, message: `"${given}" is a standby of "${of}", and not of "${source}"` }];
}

/** What a standby follows is a source, and a PostgreSQL server. */
function originFindings({ sound, at, sources }: Context, standby: string): Finding[] {
  const path = ['standbys', standby, 'of'];
  const given = sound(...path);
  if (typeof given !== 'string') return [];
  if (!sources.includes(given)) return [unknownName('source', path, given, sources)];
  if (at('sources', given, 'type') === 'postgres') return [];
  return [{ path, at: 'value', found: given, message: `"${given}" is no PostgreSQL server; only one has standbys` }];
}

function unknownName(what: string, path: PropertyKey[], given: string, known: string[]): Finding {
  const nearest = nearestName(given, known);
  const expected = known.length === 0 ? '; the plan names none' : `; expected one of ${known.join(', ')}`;
  const message = `there is no ${what} "${given}"${nearest === undefined ? expected : `; did you mean "${nearest}"?`}`;
  return { path, at: 'value', found: given, message, ...(nearest === undefined ? {} : { nearest }) };
}

interface PlannedSchedule {
  schedule: Schedule;
  /** Undefined when it is never due. */
  gapMs: number | undefined;
  finding: { path: string[]; at: 'value'; found: string };
}

/** The schedule that stands at a path, if it is one. */
function scheduleAt({ sound }: Context, path: string[]): PlannedSchedule | undefined {
  const found = sound(...path);
  const timezone = sound('timezone') ?? 'UTC';
  if (typeof found !== 'string' || typeof timezone !== 'string' || !isTimezone(timezone)) return undefined;
  const parsed = parseSchedule(found);
  if ('problem' in parsed) return undefined;
  const { schedule } = parsed;
  return { schedule, gapMs: longestGapMs(schedule, timezone), finding: { path, at: 'value', found } };
}

/** What is done at times: what is continuous would never be. */
function timesFindings(context: Context): Finding[] {
  const { at } = context;
  const listed = ['verification', 'reports', 'drills'].flatMap((key) => {
    const entries = at(key);
    return Array.isArray(entries) ? entries.map((_, index) => [key, index, 'schedule'] as const) : [];
  });
  const named = ['reviews', 'upkeep'].flatMap((key) => namesIn(at(key)).map((name) => [key, name] as const));
  return [...listed, ...named, ['ledger', 'checkpoints', 'schedule'] as const].flatMap((path): Finding[] => {
    const planned = scheduleAt(context, path.map(String));
    if (planned === undefined) return [];
    const placed = { path: [...path] };
    if (planned.schedule.kind !== 'continuous') {
      return planned.gapMs === undefined ? [{ ...neverDue(planned), ...placed }] : [];
    }
    return [
      { ...planned.finding, ...placed, message: 'this is done at times; expected a schedule such as daily at 05:00' },
    ];
  });
}

function neverDue({ finding }: PlannedSchedule): Finding {
  return { ...finding, message: `"${finding.found}" is never due; no such day exists` };
}

/** What has a schedule and no watch, besides PostgreSQL. */
const UNWATCHED: Readonly<Record<string, string>> = {
  redis: 'a Redis server tells backups',
  firestore: 'Firestore tells backups',
  sqlite: 'a SQLite database tells',
  secrets: 'secrets tell',
};

function scheduleFindings(context: Context, source: string): Finding[] {
  const { sound, at } = context;
  const planned = scheduleAt(context, ['sources', source, 'schedule']);
  if (planned === undefined) return [];
  const { schedule, gapMs, finding } = planned;
  if (schedule.kind === 'continuous' && sound('sources', source, 'type') === 'postgres') {
    const method = sound('sources', source, 'method') === 'physical' ? 'physical' : 'logical';
    return [{ ...finding, message: `a ${method} backup cannot be continuous; expected a schedule such as hourly` }];
  }
  const type = sound('sources', source, 'type');
  if (schedule.kind === 'continuous' && typeof type === 'string' && Object.hasOwn(UNWATCHED, type)) {
    return [{ ...finding, message: `${UNWATCHED[type]} of no changes; expected a schedule such as hourly` }];
  }
  if (gapMs === undefined) return [neverDue(planned)];
  // What is lost then is what its log lacks, however far apart the backups are.
  if (sound('sources', source, 'wal') === 'stream' || sound('sources', source, 'stream') === true) return [];
  const ownRpo = ['sources', source, 'objectives', 'rpo'];
  const rpo = at(...ownRpo) === undefined ? sound('objectives', 'rpo') : sound(...ownRpo);
  const rpoMs = typeof rpo === 'string' ? parseDuration(rpo) : undefined;
  if (rpoMs === undefined || gapMs <= rpoMs) return [];
  return [{ ...finding, message: tooSparse(schedule, gapMs, String(rpo)) }];
}

/** Files lie in directories or in a bucket, and a bucket tells nobody of its changes. */
function placeOfFilesFindings({ at, sound }: Context, source: string): Finding[] {
  const path = ['sources', source];
  if (at(...path, 'type') !== 'files') return [];
  const [paths, bucket] = [at(...path, 'paths'), at(...path, 'bucket')];
  if (paths === undefined && bucket === undefined) {
    const expected = 'a list of absolute paths, or "bucket"';
    return [{ path: [...path, 'paths'], at: 'key', expected, message: `missing key "paths"; expected ${expected}` }];
  }
  if (paths !== undefined && bucket !== undefined) {
    return [
      { path: [...path, 'bucket'], at: 'key', message: '"bucket" takes the place of "paths"; expected one of them' },
    ];
  }
  const [store, schedule] = [sound(...path, 'bucket'), sound(...path, 'schedule')];
  const kind = typeof store === 'string' ? (store.toLowerCase().startsWith('s3:') ? 's3' : 'gcs') : undefined;
  const misplaced = (['s3', 'gcs'] as const)
    .filter((key) => at(...path, key) !== undefined && (bucket === undefined || (kind !== undefined && kind !== key)))
    .map((key): Finding => {
      const message = `"${key}" belongs to a bucket at ${key === 's3' ? 's3' : 'gs'}://`;
      return { path: [...path, key], at: 'key', message };
    });
  if (bucket === undefined || typeof schedule !== 'string' || schedule.trim().toLowerCase() !== 'continuous') {
    return misplaced;
  }
  const message = 'a bucket is not watched; expected a schedule such as every 5m';
  return [...misplaced, { path: [...path, 'schedule'], at: 'value', found: schedule, message }];
}

function tooSparse(schedule: Schedule, gapMs: number, rpo: string): string {
  const gap = durationNotation(gapMs);
  return `"${schedule.text}" leaves up to ${gap} between backups and cannot meet the RPO of ${rpo}`;
}

function retentionFindings({ sound }: Context, path: string[]): Finding[] {
  const retention = sound(...path);
  if (typeof retention !== 'object' || retention === null) return [];
  if (keepsSomething(retentionPolicy(retention as RetentionDocument))) return [];
  const message = 'this keeps nothing; expected at least one rule above zero, or no "retention" to keep everything';
  return [{ path, at: 'key', message }];
}

function duplicateFindings({ sound }: Context, source: string): Finding[] {
  const path = ['sources', source, 'validate'];
  const checks = sound(...path);
  if (!Array.isArray(checks)) return [];
  const names = checks.map((check: { name?: unknown }) => check?.name);
  return names.flatMap((name, index) => {
    if (names.indexOf(name) === index) return [];
    const message = `two checks of this source are called "${String(name)}"`;
    return [{ path: [...path, index, 'name'], at: 'value' as const, found: String(name), message }];
  });
}

function oneOf(names: readonly string[]): string {
  return names.length === 0 ? 'a repository that is no copy' : `one of ${names.join(', ')}`;
}

function namesIn(value: unknown): string[] {
  return isPlainObject(value) ? Object.keys(value) : [];
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A path as one text; no key in a plan holds a zero byte. */
function keyOf(path: readonly PropertyKey[]): string {
  return path.map(String).join('\0');
}
