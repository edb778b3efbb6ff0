/** What no single key can tell: names that must exist, schedules that must fit, places that must differ. Pure. */
import { durationNotation } from '../foundation/units.ts';
import { isTimezone, longestGapMs, parseSchedule, type Schedule } from '../schedule/index.ts';
import { valueAt } from './issues.ts';
import { nearestName } from './names.ts';
import type { Finding } from './problems.ts';
import { keepsSomething, type RetentionDocument, retentionPolicy } from './retention-schema.ts';
import { type GcsAddress, parseStore, type S3Address } from './store.ts';
import { GCS_CLASSES } from './store-schema.ts';
import { objectiveMs } from './values.ts';

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
    homes: repositories.filter((name) => valueAt(raw, ['repositories', name, 'mirrorOf']) === undefined),
    sources: namesIn(valueAt(raw, ['sources'])),
    standbys: namesIn(valueAt(raw, ['standbys'])),
  };
  return [
    ...emptyFindings(context),
    ...samePlaceFindings(context),
    ...storeOptionFindings(context),
    ...encryptionFindings(context),
    ...context.repositories.flatMap((name) => mirrorFindings(context, name)),
    ...context.sources.flatMap((name) => [
      ...repositoryFindings(context, name),
      ...scheduleFindings(context, name),
      ...retentionFindings(context, name),
      ...logFindings(context, name),
      ...standbyFindings(context, name),
      ...duplicateFindings(context, name),
    ]),
    ...context.standbys.flatMap((name) => originFindings(context, name)),
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
  /** Those of repositories that are no mirrors: where sources may be kept. */
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
  if (sound(...path) !== 'stream' || at('sources', source, 'method') === 'physical') return [];
  const message = 'the log belongs to "method: physical"; a logical backup cannot be continued by it';
  return [{ path, at: 'key', message }];
}

/** What a mirror is a copy of is a repository that has its own life; and it keeps what that keeps. */
function mirrorFindings({ sound, repositories, homes }: Context, name: string): Finding[] {
  const path = ['repositories', name, 'mirrorOf'];
  const given = sound(...path);
  if (typeof given !== 'string') return [];
  const of = { path, at: 'value' as const, found: given };
  const others = homes.length === 0 ? 'a repository that is no mirror' : `one of ${homes.join(', ')}`;
  const own = (['retention', 'copies'] as const)
    .filter((key) => sound('repositories', name, key) !== undefined)
    .map((key): Finding => {
      const message = `a mirror is an exact copy and has no "${key}" of its own; it keeps what "${given}" keeps`;
      return { path: ['repositories', name, key], at: 'key', message };
    });
  if (given === name) return [{ ...of, message: `"${name}" cannot be a mirror of itself; expected ${others}` }, ...own];
  if (!repositories.includes(given)) return [unknownName('repository', path, given, homes), ...own];
  if (homes.includes(given)) return own;
  return [{ ...of, message: `"${given}" is itself a mirror; expected ${others}` }, ...own];
}

function repositoryFindings({ sound, at, repositories, homes }: Context, source: string): Finding[] {
  if (repositories.length === 0) return [];
  const path = ['sources', source, 'repository'];
  const given = sound(...path);
  if (typeof given === 'string' && !repositories.includes(given))
    return [unknownName('repository', path, given, homes)];
  if (typeof given === 'string' && !homes.includes(given)) {
    const message = `"${given}" is a mirror; expected the repository that it is a copy of`;
    return [{ path, at: 'value', found: given, message }];
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

function unknownName(what: string, path: string[], given: string, known: string[]): Finding {
  const nearest = nearestName(given, known);
  const expected = known.length === 0 ? '; the plan names none' : `; expected one of ${known.join(', ')}`;
  const message = `there is no ${what} "${given}"${nearest === undefined ? expected : `; did you mean "${nearest}"?`}`;
  return { path, at: 'value', found: given, message, ...(nearest === undefined ? {} : { nearest }) };
}

function scheduleFindings({ sound, at }: Context, source: string): Finding[] {
  const path = ['sources', source, 'schedule'];
  const written = sound(...path);
  const timezone = sound('timezone') ?? 'UTC';
  if (typeof written !== 'string' || typeof timezone !== 'string' || !isTimezone(timezone)) return [];
  const parsed = parseSchedule(written);
  if ('problem' in parsed) return [];
  const finding = { path, at: 'value' as const, found: written };
  if (parsed.schedule.kind === 'continuous' && sound('sources', source, 'type') === 'postgres') {
    const method = sound('sources', source, 'method') === 'physical' ? 'physical' : 'logical';
    return [{ ...finding, message: `a ${method} backup cannot be continuous; expected a schedule such as hourly` }];
  }
  const gapMs = longestGapMs(parsed.schedule, timezone);
  if (gapMs === undefined) return [{ ...finding, message: `"${written}" is never due; no such day exists` }];
  const ownRpo = ['sources', source, 'objectives', 'rpo'];
  const rpo = at(...ownRpo) === undefined ? sound('objectives', 'rpo') : sound(...ownRpo);
  const rpoMs = typeof rpo === 'string' ? objectiveMs(rpo) : undefined;
  if (rpoMs === undefined || gapMs <= rpoMs) return [];
  return [{ ...finding, message: tooSparse(parsed.schedule, gapMs, String(rpo)) }];
}

function tooSparse(schedule: Schedule, gapMs: number, rpo: string): string {
  const gap = durationNotation(gapMs);
  return `"${schedule.text}" leaves up to ${gap} between backups and cannot meet the RPO of ${rpo}`;
}

function retentionFindings({ sound }: Context, source: string): Finding[] {
  const path = ['sources', source, 'retention'];
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
