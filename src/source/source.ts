import type { TreeNode } from '../format/index.ts';
import type { Clock } from '../foundation/clock.ts';
import type { HoldfastError } from '../foundation/errors.ts';
import type { Progress } from '../foundation/progress.ts';
import type { Target } from '../foundation/target.ts';
import type { SourceType } from '../plan/index.ts';
import type { LogPosition, LogRange, Selection, SnapshotReader, SnapshotWriter } from '../repository/index.ts';
import type { Finding } from './finding.ts';
import type { LogGuard, LogSource } from './log.ts';
import type { WatchedSource } from './watch.ts';

/**
 * One thing to protect: how to see what is there, capture it into a snapshot, bring it back to a target, and say
 * whether what is at a target is what was captured.
 *
 * A source holds no connection between calls. All of its methods may be called on a fresh object of the same plan entry:
 * a restore does not need the living source, nor the process that captured it.
 */
export interface Source {
  readonly name: string;
  readonly type: SourceType;

  /** Whether `capture` takes a selection. A source that does not is never asked for a part. */
  readonly capturesParts?: boolean;

  /**
   * Says of everything that a backup of this source needs whether it is there. It changes nothing. What keeps a backup from
   * being taken is a finding and not an exception.
   * @throws the reason of the signal
   */
  examine(context: ExamineContext): Promise<Finding[]>;

  /**
   * Captures the source at one moment. Throws when there is nothing worth keeping; what could not be read beside what
   * could is returned in `problems`, and makes the backup partial.
   * @throws source-unreachable, source-refused, source-lost, program-missing, program-too-old, path-missing, also where a
   *   pattern of the selection names nothing; the reason of the signal, also where that comes while the last of it is read
   */
  capture(writer: SnapshotWriter, context: CaptureContext): Promise<Capture>;

  /**
   * Brings a snapshot back to a target that is empty, or does not exist and is then made, or that may be replaced. Writes
   * nowhere else.
   * A restore that fails throws and says what it left behind.
   * @throws target-not-empty, target-unsuitable, target-failed, repository-damaged, not-provable
   */
  restore(reader: SnapshotReader, target: Target, context: RestoreContext): Promise<Restored>;

  /**
   * Takes away what marks a server or a database as one that `restore` fills, where that left it there (`keepsMark`); in a
   * directory the reader does (`SnapshotReader.release`). Called once it is recorded that all of it is there: who is killed
   * before goes on with the restore, or begins it anew. Harmless where there is no mark, or another restore's.
   * @param reader as `restore` was given it
   * @throws target-failed, target-unsuitable
   */
  release?(
    reader: SnapshotReader,
    target: Target,
    context: Pick<RestoreContext, 'selection' | 'as' | 'replace' | 'diff' | 'begunBy' | 'signal'>,
  ): Promise<void>;

  /**
   * Says before a long way to a target what `restore` would say at its end: that the target cannot take it, or that a
   * program for it is missing. Only of databases.
   * @throws target-not-empty, target-unsuitable, target-failed, bad-usage, program-missing, program-too-old
   */
  refuse?(
    reader: SnapshotReader,
    target: Extract<Target, { kind: 'database' }>,
    context: Pick<RestoreContext, 'selection' | 'as' | 'begunBy' | 'signal'>,
  ): Promise<void>;

  /**
   * Holds what is at a target against the snapshot's manifest, and runs the plan's validations there.
   * A difference is a failed check, not an exception; an exception means that it could not be looked at.
   */
  validate(reader: SnapshotReader, target: Target, context: ValidateContext): Promise<Validation>;

  /**
   * Runs the plan's own checks on what is at a target, and nothing else: it need not be what a snapshot is. Only of what can
   * be asked without one.
   */
  checkPlanned?(target: Target, context: Pick<ValidateContext, 'signal' | 'timeMs'>): Promise<Check[]>;

  /**
   * Holds the living source, or what is at another place, against a snapshot. It only reads there, all at one moment where
   * the source has such a thing. A difference is a part of the result; an exception means that it could not be looked at.
   * @throws source-unreachable, source-refused, source-lost, timed-out; target-unsuitable, target-failed of another place
   */
  compare(reader: SnapshotReader, other: Target | undefined, context: RestoreContext): Promise<Comparison>;

  /**
   * What a backup would take, of a source that is charged for. It reads next to nothing.
   * @throws source-unreachable, source-refused, source-unsupported
   */
  estimate?(context: EstimateContext): Promise<Estimate>;

  /**
   * The first column of each row that a query gives, as text, at a target that a snapshot was restored to. It only reads.
   * Only of a database that understands SQL.
   * @throws target-failed
   */
  query?(target: Target, sql: string, signal: AbortSignal): AsyncIterable<string | null>;

  /**
   * How much a snapshot has of each thing that people look for by name (tables, collections, directories, branches), by
   * its manifest, its trees and lists that it holds. May be called for many snapshots, one after the other; what two have alike is looked at once.
   * @param item one thing by its name; it is left out of the result where the snapshot does not have it
   * @returns undefined where the snapshot does not say
   */
  contents?(reader: SnapshotReader, item: string | undefined): Promise<ItemCount[] | undefined>;

  /**
   * Changes one thing of what was restored to a sandbox's server, as rot or a fault does, for a control of `validate` and
   * `compare`, which have to find it. Only of servers.
   * @returns undefined where nothing is there that could be
   * @throws target-failed
   */
  damage?(target: Extract<Target, { kind: 'database' }>, context: DamageContext): Promise<Damaged | undefined>;

  /** Only where the plan wants the source's log to be kept. */
  follow?: LogSource['follow'];
  findMark?: LogSource['findMark'];
  /** Only where a replay of the log may write outside of what it is replayed on: begins to look at one that is to be replayed. */
  guardReplay?(): LogGuard;
  /** Only of what can tell of its changes. */
  watch?: WatchedSource['watch'];
}

/** What was changed on purpose. */
export interface Damaged {
  /** In words. */
  what: string;
  /** One of these is in what a failed check of it, or a difference, says. */
  items: readonly string[];
}

export interface DamageContext {
  signal: AbortSignal;
  /** Has something done to the server's data directory while it does not run. */
  whileStopped(work: (dataDirectory: string) => Promise<void>): Promise<void>;
}

export interface ExamineContext {
  signal: AbortSignal;
  /** The longest time between two backups by the plan's schedule; undefined without one. */
  longestGapMs: number | undefined;
}

export type EstimateContext = Pick<CaptureContext, 'clock' | 'signal'>;

/** What something takes before it is done. */
export interface Estimate {
  /** How much there is, and what is counted. */
  items: number;
  unit: 'documents';
  /** Operations that are charged for. */
  reads: number;
  writes: number;
  deletes: number;
  /** In the currency of the plan's prices. */
  cost: number;
  durationMs: number;
  notes: string[];
}

export interface CaptureContext {
  clock: Clock;
  progress: Progress;
  signal: AbortSignal;
  /** A directory of this run's own, mode 0700, removed afterwards whatever happens. */
  scratchDirectory: string;
  /** The newest complete snapshot of this source, if there is one. */
  previous: SnapshotReader | undefined;
  /**
   * What is wanted of the source; everything, when left out. In the patterns that its restore takes with `--only`. Only of
   * a source with `capturesParts`, which throws path-missing where one of them names nothing.
   */
  selection?: { only: readonly string[] };
  /** What the source's watch told of since `previous` was captured: all else is as it is there. Without it, everything may differ. */
  changed?: ReadonlySet<string>;
  /** Files and objects are read again, also those that the source could take over from `previous` as they are. */
  readAll?: boolean;
}

export interface Capture {
  /** The entries of the snapshot's root directory: `data` for a database, the real paths' first parts for files. */
  roots: TreeNode[];
  /** The snapshot's `paths`, as restic means them. */
  paths: string[];
  /** The moment that the data is of, milliseconds since 1970 on Holdfast's clock. */
  timeMs: number;
  manifest: Manifest;
  /** What could not be read, or changed while it was: each makes the backup partial. */
  problems: Problem[];
  /** Of a source that is watched: the places to be looked at again, changed or not, since they were not captured whole. */
  again?: string[];
  /** The part of the source's log that is in the snapshot itself; of a source with a log. */
  log?: LogRange & { system: string };
  counts: { filesNew: number; filesChanged: number; filesUnmodified: number; dirs: number; bytesProcessed: number };
}

export interface Problem {
  /** A path or the name of a table or other item, fit to be shown. */
  item: string;
  error: HoldfastError;
}

/** `/.holdfast/manifest.json`: what was captured. Kept small: it is read whole. */
export interface Manifest {
  /** Version of this file's format. */
  version: 1;
  source: string;
  type: Source['type'];
  /** When the capture began and ended, and the moment the data is of: RFC 3339. */
  startedAt: string;
  finishedAt: string;
  time: string;
  /** How far the server's clock was ahead of Holdfast's, if there is a server. */
  clockOffsetMs?: number;
  tool: { name: 'holdfast'; version: string };
  /** Where the source's log goes on from here; of a source with a log. */
  log?: ManifestLog;
  /** What belongs to this type of source: versions, positions, counts, digests. */
  details: Record<string, unknown>;
  /** What was asked for, where it was not everything: the snapshot has no more than that. Written down by the operation. */
  only?: readonly string[];
  /** Items that were not captured whole. Empty for a complete backup. */
  problems: { item: string; code: string; message: string }[];
}

export interface ManifestLog {
  /** See `LogCluster`. */
  system: string;
  timeline: number;
  /** As `lsnText` writes it: what comes before it is in the snapshot. */
  end: string;
  /** RFC 3339, the server's clock: nothing of what happened later is in the snapshot. */
  time: string;
}

/** The part of a source's stream that leads from a snapshot to a recovery point. */
export interface LogToReplay {
  bytes: number;
  /** Where it is cut: behind a command, or a transaction. */
  end: LogPosition;
  /** All of it, in its order; a repository that is away is waited for. */
  read(): AsyncGenerator<Buffer, void>;
}

export interface RestoreContext {
  clock: Clock;
  progress: Progress;
  signal: AbortSignal;
  scratchDirectory: string;
  /** What is wanted, of a database schemas and tables by name; everything, when left out. */
  selection?: Selection;
  /** Of a database: the name that what is selected gets, in a target that may hold anything else. */
  as?: string;
  /**
   * A database in a sandbox, for what takes a server. Where the snapshot is of a whole cluster it is the one that recovered
   * there, and what is restored, or compared with, comes from it; elsewhere it is empty, and needed with `as`, or to replay
   * `log` for a directory: where it is left out then, no server of this machine can.
   */
  sandbox?: Extract<Target, { kind: 'database' }>;
  /**
   * Which run fills a database or a server, where one goes on that was killed: what this very run left there half filled is
   * removed, and it begins anew. What it did not begin is refused as ever.
   */
  begunBy?: string;
  /** What marks the target as one that is being filled stays once all of it is there: `Source.release` takes it away. */
  keepsMark?: boolean;
  /** Of files: the target may hold anything, and is made what the snapshot is. See `ExtractOptions`. */
  replace?: boolean;
  /** Of documents: the target may hold anything, and of what is restored only what differs is written. Nothing is removed. */
  diff?: boolean;
  /** With `replace` or `diff`: nothing is changed, and what would be is said. */
  dryRun?: boolean;
  /** Nothing is done nor asked of the target, and what it would take is said. Of what is charged for by operations. */
  estimate?: boolean;
  /** Of a database that does not exist: it is made, in this location, or that of the source. */
  create?: { location?: string };
  /** Writes begin slowly, for a database that has had no traffic. */
  rampUp?: boolean;
  /** The source's log is going to be replayed on what is restored. */
  isReplayed?: boolean;
  /** Of a source with a stream: is to be replayed on what is restored, by the source itself. */
  log?: LogToReplay;
  /** Of a cluster whose log is replayed by a server of somebody else: what that server is to be configured with. */
  recoverySettings?: Readonly<Record<string, string>>;
}

export interface Restored {
  bytes: number;
  items: number;
  /** What a person should know: roles that were made, a locale that another stood in for. */
  notes: string[];
  /** What is there but not as it was: an owner or a time that could not be set. Each makes the restore partial. */
  problems: { path: string; message: string }[];
  /** The log lies there with the backup, and the first server that starts there replays it: with what a person does next. */
  laid?: { log: string; next: string };
  /** What would be removed, where it was a dry run: absolute paths. */
  surplus?: string[];
  /** Of documents, where it was a dry run. */
  changes?: DocumentChanges;
  /** Where nothing but that was asked for. */
  estimate?: Estimate;
}

/** How many documents would be written because they are missing or differ, removed, and left alone. */
export interface DocumentChanges {
  missing: number;
  content: number;
  extra: number;
  equal: number;
  /** Some of those that are not equal. */
  named: Discrepancy[];
}

export interface ValidateContext extends RestoreContext {
  /** The moment of the recovery point, milliseconds since 1970. */
  timeMs: number;
}

export interface Validation {
  checks: Check[];
  /** What a person should know: what could not be looked at on this machine, though the rest could. */
  notes: string[];
  /** How much there is, where it was counted. */
  counts?: RowCount[];
}

/** How much a database has, its system's catalogues left out. */
export interface RowCount {
  database: string;
  tables: number;
  rows: number;
}

/** How much there is of one thing in a snapshot. */
export interface ItemCount {
  /** `public.orders`, a collection, the path of a directory. */
  item: string;
  count: number;
  /** What is counted: rows, documents, keys, files. */
  unit: string;
  bytes?: number;
  /** The item that it is a part of, where that is listed as well. */
  within?: string;
}

/** The result of one check. */
export interface Check {
  /** `schema`, `rows public.orders`, `validate: customers exist` … */
  name: string;
  result: 'passed' | 'failed' | 'not-provable';
  /** What was expected and what was found, in one line. */
  detail: string;
}

/** What differs between a snapshot and what is somewhere now. */
export interface Comparison {
  /** How many tables, or entries of directories, were held against each other. */
  compared: number;
  /** Nothing differs where there are none. */
  differences: Discrepancy[];
  notes: string[];
}

/** One thing that is not as the snapshot has it. */
export interface Discrepancy {
  /** `table public.orders`, `INDEX public by_name`, a path: fit to be shown. */
  item: string;
  /**
   * `missing`: only the snapshot has it. `extra`: the snapshot does not have it. `rows`: there are more or fewer.
   * `content`: as much of it, and other. `definition`: a table's columns, or whatever else a schema says. `metadata`: a
   * file's owner, permissions, times. `unreadable`: it could not be looked at.
   */
  kind: 'missing' | 'extra' | 'rows' | 'content' | 'definition' | 'metadata' | 'unreadable';
  /** In one line, to follow the item. */
  detail: string;
  /** Of a table whose rows were counted. */
  rows?: { snapshot: number; found: number };
}
