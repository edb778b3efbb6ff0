import { HoldfastError } from '../foundation/errors.ts';
import { asId, asRecord } from './sealed-json.ts';
import { parseTimeMs } from './time.ts';

/** A snapshot document. What restic or rustic write beyond this is kept in `unknown` and written back. */
export interface Snapshot {
  /** RFC 3339. */
  time: string;
  parent?: string;
  /** Id (hex) of the root tree. */
  tree: string;
  paths: string[];
  hostname: string;
  username?: string;
  uid?: number;
  gid?: number;
  excludes?: string[];
  tags?: string[];
  original?: string;
  program_version?: string;
  summary?: SnapshotSummary;
  unknown?: Record<string, unknown>;
}

/** The figures that restic 0.17 and newer keep in a snapshot. */
export interface SnapshotSummary {
  backup_start: string;
  backup_end: string;
  files_new: number;
  files_changed: number;
  files_unmodified: number;
  dirs_new: number;
  dirs_changed: number;
  dirs_unmodified: number;
  data_blobs: number;
  tree_blobs: number;
  data_added: number;
  data_added_packed: number;
  total_files_processed: number;
  total_bytes_processed: number;
}

const KNOWN = [
  'time',
  'parent',
  'tree',
  'paths',
  'hostname',
  'username',
  'uid',
  'gid',
  'excludes',
  'tags',
  'original',
  'program_version',
  'summary',
];

export function encodeSnapshot({ unknown, ...known }: Snapshot): unknown {
  return { ...known, ...unknown };
}

/** @throws repository-damaged */
export function decodeSnapshot(document: unknown): Snapshot {
  const record = asRecord(document, 'a snapshot');
  const { time, paths, hostname, tags } = record;
  if (typeof time !== 'string' || parseTimeMs(time) === undefined) {
    throw new HoldfastError('repository-damaged', 'a snapshot has no valid time');
  }
  const isTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((item) => typeof item === 'string');
  if (tags !== undefined && tags !== null && !isTexts(tags)) {
    throw new HoldfastError('repository-damaged', "a snapshot's tags are not a list of texts");
  }
  const known = Object.fromEntries(Object.entries(record).filter(([key]) => KNOWN.includes(key)));
  const unknown = Object.fromEntries(Object.entries(record).filter(([key]) => !KNOWN.includes(key)));
  return {
    ...known,
    time,
    tree: asId(record['tree'], "a snapshot's tree"),
    paths: isTexts(paths) ? paths : [],
    hostname: typeof hostname === 'string' ? hostname : '',
    ...(isTexts(tags) && { tags }),
    ...(Object.keys(unknown).length > 0 && { unknown }),
  } as Snapshot;
}

/** A snapshot's moment in milliseconds since 1970. */
export function snapshotTimeMs(snapshot: Snapshot): number {
  return parseTimeMs(snapshot.time)!;
}
