import { parseTimeMs, snapshotTimeMs } from '../format/index.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { parseCalendarDuration, parseDuration } from '../foundation/units.ts';
import {
  latestSnapshots,
  listSnapshots,
  type Repository,
  type StoredSnapshot,
  snapshotKey,
} from '../repository/index.ts';
import { monthsBeforeMs } from '../schedule/index.ts';

/** How Holdfast's snapshots are told apart: the plan's name as host, and these tags. */
export const HOLDFAST_TAG = 'holdfast';
export const PARTIAL_TAG = 'partial';
export const WAL_TAG = 'kind:wal';
/** Of a backup of a part of its source. */
export const PART_TAG = 'part';
const BASE_TAG = 'kind:base';

export function sourceTag(source: string): string {
  return `source:${source}`;
}

/** The snapshots that can be read, and what was wrong with the others. */
export interface ReadableSnapshots {
  /** Oldest first. */
  snapshots: StoredSnapshot[];
  damaged: HoldfastError[];
}

/** One damaged document must not keep the other snapshots from being used; whoever uses them says what was left out. */
export async function readableSnapshots(repository: Repository): Promise<ReadableSnapshots> {
  const damaged: HoldfastError[] = [];
  const snapshots = await listSnapshots(repository, (error) => damaged.push(onlyDamage(error)));
  return { snapshots, damaged };
}

/** @throws what is no damage, which may pass */
function onlyDamage(error: HoldfastError): HoldfastError {
  if (isHoldfastError(error, 'repository-damaged')) return error;
  throw error;
}

/** What the next backup of a source builds on: its snapshot that was stored last. */
export interface Parents {
  bySource: Map<string, StoredSnapshot>;
  damaged: HoldfastError[];
}

/** Reads no more snapshots than it takes to find those of the sources, so that a backup costs the same after many as after few. */
export async function parentsOf(repository: Repository, plan: string, sources: readonly string[]): Promise<Parents> {
  const damaged: HoldfastError[] = [];
  const bySource = new Map<string, StoredSnapshot>();
  for await (const snapshot of latestSnapshots(repository, (error) => damaged.push(onlyDamage(error)))) {
    for (const source of sources) {
      if (!bySource.has(source) && snapshotsOf([snapshot], plan, source).length > 0) bySource.set(source, snapshot);
    }
    if (bySource.size === sources.length) break;
  }
  return { bySource, damaged };
}

/** What to tell people of a snapshot that was left out. */
export function damageNote(error: HoldfastError): string {
  return `a snapshot cannot be read and was left out: ${error.message}; see \`holdfast check\``;
}

/** Whether a snapshot that cannot be read, as this error says, has an id that begins so. */
export function isOfId({ context }: HoldfastError, idPrefix: string): boolean {
  return String(context['key']).startsWith(snapshotKey(idPrefix));
}

/** The recovery points of a source, oldest first: not what holds its log, or only a part that somebody asked for. */
export function snapshotsOf(snapshots: readonly StoredSnapshot[], plan: string, source: string): StoredSnapshot[] {
  return allSnapshotsOf(snapshots, plan, source).filter((snapshot) => !isWal(snapshot) && !isPart(snapshot));
}

/** The same of all sources of a plan, by name: for who goes through many snapshots again and again. */
export function snapshotsBySource(snapshots: readonly StoredSnapshot[], plan: string): Map<string, StoredSnapshot[]> {
  const own = snapshots.filter((each) => each.hostname === plan && !isWal(each) && !isPart(each));
  return Map.groupBy(own, (each) => sourceOf(each) ?? '');
}

/** The snapshots that hold a source's log, oldest first: by themselves they are no recovery point. */
export function walSnapshotsOf(snapshots: readonly StoredSnapshot[], plan: string, source: string): StoredSnapshot[] {
  return allSnapshotsOf(snapshots, plan, source).filter(isWal);
}

/** All snapshots of a source, oldest first. */
export function allSnapshotsOf(snapshots: readonly StoredSnapshot[], plan: string, source: string): StoredSnapshot[] {
  const own = sourceTag(source);
  return snapshots.filter(({ hostname, tags }) => hostname === plan && tags?.includes(own));
}

/** Whether a snapshot holds segments of a log. */
export function isWal({ tags }: StoredSnapshot): boolean {
  return tags?.includes(WAL_TAG) ?? false;
}

/** Whether a snapshot holds a part of its source, which somebody asked for: it is restored where it is named, and never taken for the source. */
export function isPart({ tags }: StoredSnapshot): boolean {
  return tags?.includes(PART_TAG) ?? false;
}

/** Whether a snapshot holds a cluster that a log may be replayed on. */
export function isBase({ tags }: StoredSnapshot): boolean {
  return tags?.includes(BASE_TAG) ?? false;
}

/** Which source of which plan a snapshot is of, if Holdfast made it. */
export function sourceOf({ tags }: StoredSnapshot): string | undefined {
  return tags?.find((tag) => tag.startsWith('source:'))?.slice('source:'.length);
}

/** Whether Holdfast made a snapshot: only those does it ever remove. */
export function isOurs({ tags }: StoredSnapshot): boolean {
  return tags?.includes(HOLDFAST_TAG) ?? false;
}

export function isPartial({ tags }: StoredSnapshot): boolean {
  return tags?.includes(PARTIAL_TAG) ?? false;
}

/**
 * The newest recovery point of a source, not after a moment.
 * @param at RFC 3339, `2h ago`-like moments already resolved; `latest` or undefined for the newest
 * @throws unknown-snapshot when there is none
 */
export function newestSnapshot(
  snapshots: readonly StoredSnapshot[],
  source: string,
  atMs: number | undefined,
): StoredSnapshot {
  const newest = snapshots.findLast((snapshot) => atMs === undefined || snapshotTimeMs(snapshot) <= atMs);
  if (newest !== undefined) return newest;
  const first = snapshots[0];
  throw new HoldfastError(
    'unknown-snapshot',
    first === undefined ? `${source} has no snapshot` : `${source} has no snapshot that old`,
    {
      hint: first === undefined ? `Take one with \`holdfast backup ${source}\`.` : `Its first one is of ${first.time}.`,
    },
  );
}

/** A time as a clock on the wall shows it: which moment that is, nobody can tell. */
const ZONELESS = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d(?:\.\d+)?)?)?$/;
const AGO = /^(.+?)\s+ago$/;

/**
 * A moment as people write it: RFC 3339, `2h ago`, or `latest`.
 * @returns milliseconds since 1970; undefined for `latest`
 * @throws bad-usage
 */
export function parseMoment(text: string, nowMs: number): number | undefined {
  if (text === 'latest') return undefined;
  const [, ago] = AGO.exec(text) ?? [];
  const moment = ago === undefined ? parseTimeMs(text.replace(' ', 'T')) : beforeMs(ago, nowMs);
  if (moment !== undefined) return moment;
  const [, day, time = '00:00', seconds = ':00'] = ZONELESS.exec(text) ?? [];
  if (day !== undefined) {
    throw new HoldfastError('bad-usage', `${JSON.stringify(text)} does not say in which time zone`, {
      hint: `Write ${day}T${time}${seconds}Z for UTC, or the offset of your clock in the place of Z, such as +02:00: where clocks go back, an hour comes twice.`,
    });
  }
  throw new HoldfastError('bad-usage', `${JSON.stringify(text)} is no time`, {
    hint: 'Write a time such as 2026-01-31T14:03:06Z, or `2h ago`, or `latest`.',
  });
}

/** Months and years are those of the calendar. */
function beforeMs(duration: string, nowMs: number): number | undefined {
  const span = parseCalendarDuration(duration);
  if (span !== undefined) return monthsBeforeMs(nowMs, span.months, 'UTC') - span.ms;
  const ms = parseDuration(duration);
  return ms === undefined ? undefined : nowMs - ms;
}
