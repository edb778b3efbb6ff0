/**
 * What the ledger records. Every event has a version of its own shape in `version`; kinds that this program does not know
 * are kept and passed over.
 */

import type { AccessEvents } from './events/access.ts';
import type { AlertEvents } from './events/alerts.ts';
import type { ChannelEvents } from './events/channels.ts';
import type { EvidenceEvents } from './events/evidence.ts';
import type { GovernanceEvents } from './events/governance.ts';
import type { KeepingEvents } from './events/keeping.ts';
import type { KitEvents } from './events/kit.ts';
import type { RecoveryEvents } from './events/recovery.ts';
import type { RunEvents } from './events/runs.ts';
import type { WatchEvents } from './events/watch.ts';

export interface EventBodies
  extends RunEvents,
    AlertEvents,
    GovernanceEvents,
    AccessEvents,
    WatchEvents,
    KeepingEvents,
    RecoveryEvents,
    ChannelEvents,
    EvidenceEvents,
    KitEvents {
  'repository.created': { repository: string; store: string };
  'locks.removed': { repository: string; locks: string[]; all: boolean };
  'key.added': { repository: string; key: string };
  'key.removed': { repository: string; key: string };
  'backup.finished': BackupFinished;
  'follow.started': FollowStarted;
  'follow.stopped': FollowStopped;
  'log.released': LogReleased;
  'log.gap': LogGapFound;
  'log.left': LogLeftBehind;
  'log.folded': LogFolded;
  'log.superseded': LogSuperseded;
  'backup.failed': { source: string; only?: readonly string[]; code: string; message: string; durationMs: number };
  'proof.recorded': ProofRecorded;
  'comparison.finished': ComparisonFinished;
  'restore.finished': {
    source?: string;
    snapshot: string;
    target: string;
    /** Whether what the target held, and the snapshot does not, was to be removed. */
    replaced?: boolean;
    /** Which run of a runbook or a rescue it was part of, which knows its own by it. Earlier versions did not write it down. */
    begunBy?: string;
    /** RFC 3339: the moment that came back. Earlier versions did not write it down. */
    time?: string;
    bytes: number;
    durationMs: number;
    outcome: 'complete' | 'partial';
  };
  'restore.failed': {
    source?: string;
    snapshot: string;
    target: string;
    /** Whether what the target held, and the snapshot does not, was to be removed. */
    replaced?: boolean;
    code: string;
    message: string;
    durationMs: number;
  };
  'group.captured': GroupCaptured;
  'group.restored': GroupRestored;
  'group.verified': GroupVerified;
  'retention.decided': RetentionDecided;
  'prune.removing': PruneRemoving;
  /** Which key is about to be removed, recorded before it is. */
  'key.removing': { repository: string; key: string };
  /** Which index files a repair is about to replace, recorded before the first of them goes. */
  'repair.removing': { repository: string; indexes: string[] };
  'prune.finished': {
    repository: string;
    markedPacks: number;
    removedPacks: number;
    removedBytes: number;
    waiting: boolean;
    durationMs: number;
  };
  'repair.finished': {
    repository: string;
    packsIndexed: number;
    packsDropped: string[];
    blobsSalvaged: number;
    blobsLost: number;
    durationMs: number;
  };
  /** In the ledger of the repository that was copied to. */
  'copy.finished': {
    from: string;
    to: string;
    /** Ids in the repository that was copied from, and in the one copied to. */
    snapshots: { from: string; to: string }[];
    bytes: number;
    /** Of the newest part of logs, beside the snapshots. */
    tail?: { objects: number; bytes: number };
    durationMs: number;
    outcome: 'complete' | 'partial';
  };
  'archive.finished': ArchiveFinished;
  /** Nothing was copied to an archive. In its ledger, or where that cannot be had, in that of the repository it copies from. */
  'archive.failed': { archive: string; from: string; code: string; message: string };
  /** Packs of an archive that must be asked for were asked for, to be readable for some days. */
  'content.recalled': { repository: string; snapshots: string[]; packs: number; tier: string; days: number };
  'check.finished': CheckFinished;
  'mirror.finished': MirrorFinished;
  'mirror.failed': { repository: string; mirror: string; code: string; message: string; durationMs: number };
  'missing.accepted': MissingAccepted;
  /** In the ledger of what was a mirror, and is the primary from this epoch on. */
  'repository.promoted': { repository: string; was: string; epoch: number };
  /** Objects of a repository under object lock that somebody hid. */
  'lock.hidden': { repository: string; objects: string[] };
  /** An object that was missing or damaged, and was put back from a mirror. */
  'object.healed': { repository: string; object: string; from: string; reason: string };
}

/** A person said that what is gone from a primary was meant to go. Its mirrors let it go with their next run. */
export interface MissingAccepted {
  repository: string;
  /** The mirror that it was seen by. */
  mirror: string;
  /** Keys of what is gone. */
  objects: string[];
  why: string;
}

/** In the ledger of an archive: what a run brought there, or found there already, and what failed. */
export interface ArchiveFinished {
  archive: string;
  from: string;
  /** RFC 3339: the next copy is due by the schedule's next moment after it. */
  began: string;
  /** Ids in the repository that was copied from, and in the archive; the time that the snapshot is of; bytes that were stored. */
  sources: { source: string; snapshot: string; copy: string; time: string; bytes: number }[];
  failed: { source: string; code: string; message: string }[];
  durationMs: number;
}

/** A mirror has all that its primary had when the run began. */
export interface MirrorFinished {
  repository: string;
  mirror: string;
  copiedObjects: number;
  copiedBytes: number;
  removedObjects: number;
  /** To be removed once their lock has run out. Earlier versions knew of none. */
  heldObjects?: number;
  /** To be removed or replaced by credentials that may: these may not. Earlier versions knew of none. */
  keptObjects?: number;
  /** For how long the oldest snapshot that the mirror lacked had been there, when the run began. */
  lagMs: number;
  durationMs: number;
}

export interface BackupFinished {
  source: string;
  snapshot: string;
  tree: string;
  /** What was asked for, where it was not everything: it is no recovery point of the source then. */
  only?: readonly string[];
  outcome: 'complete' | 'partial';
  /** RFC 3339: the moment the data is of. */
  time: string;
  durationMs: number;
  bytesProcessed: number;
  bytesAdded: number;
  /** What was added, as it is stored. Earlier versions did not write it down. */
  bytesStored?: number;
  problems: number;
  clockOffsetMs?: number;
  /** Where in the source's log the backup lies: it has the log from `start` to `end` itself, and what follows is elsewhere. */
  log?: { system: string; timeline: number; start: string; end: string };
}

/** A source is being captured continuously, from here on; of one with a log, from where in it. */
export interface FollowStarted {
  source: string;
  system?: string;
  timeline?: number;
  lsn?: string;
}

export interface FollowStopped {
  source: string;
  /** All of the log before it is in the repository; absent when nothing was stored. `system` is in newer events only. */
  system?: string;
  timeline?: number;
  lsn?: string;
  /** Why, when nobody asked for it. */
  code?: string;
  message?: string;
}

/** The server kept so much for the follower that it was told to keep nothing: it comes first. */
export interface LogReleased {
  source: string;
  retainedBytes: number;
}

/** A part of a source's log that the server had no more when it was asked for: no moment in it can be restored. */
export interface LogGapFound {
  source: string;
  system: string;
  timeline: number;
  start: string;
  end: string;
  reason: string;
}

/** A failover lost commits: what the log of a timeline has behind `start` is not in the server that went on on `next`. */
export interface LogLeftBehind {
  source: string;
  system: string;
  timeline: number;
  /** Positions of the log. What was kept goes as far as `end`. */
  start: string;
  end: string;
  next: number;
}

/**
 * Whole segments became a snapshot, out of the tail or of smaller snapshots that follow one another. What was the same in
 * the tail went.
 */
export interface LogFolded {
  source: string;
  snapshot: string;
  tree: string;
  system: string;
  timeline: number;
  start: string;
  end: string;
  /** What it added, as it is stored. Earlier versions did not write it down. */
  bytesStored?: number;
}

/** Which snapshots of a log are about to be removed, since a larger one has all that they have. */
export interface LogSuperseded {
  source: string;
  removed: { snapshot: string; tree: string; time: string; by: string }[];
}

export interface CheckFinished {
  repository: string;
  /** Whether bytes of packs were read: all of them, unless `subset` says which. */
  readData: boolean;
  /** As it was asked for: `5%`, `2/7`. */
  subset?: string;
  /** Of a share: the pack that it ended with. The next one begins behind it. */
  readUntil?: string;
  clean: boolean;
  errors: number;
  durationMs: number;
}

/**
 * What is known of a recovery point: of a backup by itself, or with `log` of one moment behind it and of no other. It is keyed by the snapshot's tree and the validator's version, so that other tags on
 * a snapshot, or a copy of it, do not lose the proof.
 */
export interface ProofRecorded {
  source: string;
  snapshot: string;
  tree: string;
  validatorVersion: number;
  /** It is of a backup of a part, and says nothing of the source. */
  part?: true;
  state: 'proven' | 'failed' | 'not-provable';
  /** From the start of the restore until everything was validated: what a recovery would have taken. */
  durationMs: number;
  restoreMs: number;
  validateMs: number;
  bytes: number;
  checksPassed: number;
  /** The checks that did not pass, by name. */
  checksFailed: string[];
  /** Why it could not be proven here, if that is so. */
  reason?: string;
  /** Where the log behind the snapshot was replayed: to where, and the moment that came of it, or was to, where that is known. */
  log?: { target: string; time?: string };
  /** What was restored stays there until then (RFC 3339), for somebody to look at. */
  kept?: { place: string; until: string; host: string };
  /** How much there was, of a cluster: for each database, its system's tables left out. */
  counts?: { database: string; tables: number; rows: number }[];
}

/** The living source, or another place, was held against a recovery point. */
export interface ComparisonFinished {
  source: string;
  snapshot: string;
  tree: string;
  /** The other place; left out for the living source. */
  with?: string;
  /** The schemas and tables that were compared, where that was not all. */
  only?: readonly string[];
  compared: number;
  differences: number;
  durationMs: number;
  /** Where the log behind the snapshot was replayed: to where, and the moment that came of it. */
  log?: { target: string; time: string };
}

/**
 * Which snapshots are about to be removed, recorded before the first of them is: what disappears without having been named
 * was not removed by a plan. A run that died in between is followed by one that names those which are left.
 */
export interface RetentionDecided {
  source: string;
  repository: string;
  kept: number;
  removed: { snapshot: string; tree: string; time: string }[];
}

/** What a prune is about to remove, by id, recorded before the first of it is. */
export interface PruneRemoving {
  repository: string;
  packs: string[];
  indexes: string[];
}

export type EventKind = keyof EventBodies;

/** Backups of the sources of a group that began together, in the ledger of each repository that holds one of them. */
export interface GroupCaptured {
  group: string;
  /** What the snapshots' common tag ends with. */
  run: string;
  sources: { source: string; snapshot?: string; time?: string; code?: string }[];
  /** From the first moment that one of them is of to the last. */
  spreadMs: number;
  outcome: 'complete' | 'partial' | 'failed';
}

/** What became of each source of a group, `skewMs` before the moment that was asked for. */
export interface GroupRestored {
  group: string;
  /** RFC 3339: the moment that was asked for. */
  at: string;
  sources: { source: string; snapshot?: string; time?: string; skewMs?: number; target: string; outcome: string }[];
  outcome: 'complete' | 'partial' | 'failed';
}

/** What was found where all sources of a group were restored side by side; each has a proof of its own beside it. */
export interface GroupVerified {
  group: string;
  /** RFC 3339: the moment that was asked for. */
  at: string;
  sources: { source: string; snapshot?: string; time?: string; skewMs?: number; state: string }[];
  state: 'proven' | 'failed' | 'not-provable';
  checksPassed: number;
  /** The checks of the group that did not pass, by name. */
  checksFailed: string[];
}

/**
 * The version that events are written with. From 2 on, events may lie together in one object: who knows only 1 would take
 * them for missing, so that it must refuse.
 */
export const EVENT_VERSION = 2;

/** The part of an event that every kind has. Member names are part of the stored form. */
export interface EventEnvelope {
  version: 1 | typeof EVENT_VERSION;
  /** A random id of the process that wrote it: no two write one chain. */
  writer: string;
  /** 0, 1, 2 … within the writer. */
  sequence: number;
  /** SHA-256 (hex) of the writer's event before this one. */
  previous: string | null;
  /** Newest events that the writer knew of other writers: SHA-256 (hex) by writer. */
  heads: Record<string, string>;
  /** RFC 3339. */
  time: string;
  /** Who: user@host. */
  actor: string;
}

export type LedgerEvent = { [Kind in EventKind]: EventEnvelope & { kind: Kind; body: EventBodies[Kind] } }[EventKind];
