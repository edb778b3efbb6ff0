import type { HoldfastError } from '../../../foundation/errors.ts';
import type { Plan, Source as PlanSource, ReviewKind } from '../../../plan/index.ts';
import type { ItemCount } from '../../../source/index.ts';
import type { HealedStatus } from '../../mirrors/healed-status.ts';
import type { RepositoryCapacity } from '../../status/capacity.ts';
import type { SourceStatus } from '../../status/status.ts';
import type { RecoveryForecast, Samples } from './samples.ts';

/** All that rules go by, gathered once for all of them. Times are milliseconds since 1970. */
export interface Facts {
  nowMs: number;
  /** When this process began to look. */
  sinceMs: number;
  plan: Plan;
  /** Of each source that could be looked at, now or before: what was seen last then. */
  sources: readonly SourceFacts[];
  repositories: readonly RepositoryFacts[];
  mirrors: readonly MirrorFacts[];
  archives: readonly ArchiveFacts[];
  record: RecordFacts;
  /** Absent where nobody watches. */
  samples?: Samples;
  forecasts: readonly RecoveryForecast[];
  /** Since when no process was seen to run the steps of incidents that are open: by their ids. */
  leftAlone: ReadonlyMap<string, number>;
}

export interface SourceFacts {
  source: PlanSource;
  status: SourceStatus;
  /** Of all of it, oldest first: those that there is a record of. */
  backups: readonly Attempt[];
  /** The newest restore and the newest proof of it. */
  restore?: Attempt;
  proof?: ProofAttempt;
  /** What the last reading of its data by a verification of the plan found wrong, and since when there was no good one. */
  unreadable?: { snapshot: string; sinceMs: number; message: string };
  /** The newest complete recovery points, oldest first, with how large they are: eight at most. */
  points: readonly SizedPoint[];
  /** Snapshots that are there and that nobody should trust unseen. */
  suspects: readonly { snapshot: string; timeMs: number; why: string }[];
  /** Of a log or of files that are followed: when that ended by itself, and why. */
  stopped?: { timeMs: number; message: string };
  /** RFC 3339: when the log's first gap was found, behind the newest backup. */
  gapMs?: number;
}

/** What was tried. */
export interface Attempt {
  /** When it ended. */
  timeMs: number;
  durationMs: number;
  outcome: 'complete' | 'partial' | 'failed';
  snapshot?: string;
  message?: string;
}

export interface ProofAttempt {
  timeMs: number;
  durationMs: number;
  state: 'proven' | 'failed' | 'not-provable';
  snapshot: string;
  /** When the first of those that did not succeed ended, with none that did since. */
  failingMs?: number;
  /** What was not as it should be, in words. */
  reason: string;
}

export interface SizedPoint {
  snapshot: string;
  timeMs: number;
  /** Before anything was deduplicated. */
  bytes?: number;
  /** By table, collection or database; absent where nobody counted. */
  items?: readonly ItemCount[];
}

/** What was found of a store, and why it could not be looked at. */
interface Reached {
  /** Why it cannot be had now, and since when. */
  failure?: { error: HoldfastError; sinceMs: number };
  /** Whether it was ever looked at by this process. */
  isKnown: boolean;
}

export interface RepositoryFacts extends Reached {
  repository: string;
  locks: readonly StandingLockFacts[];
  /** What of it is damaged, in words, with the time of the first where that is known. */
  damage: readonly { what: string; timeMs?: number }[];
  healed?: HealedStatus;
  /** Of itself, its mirrors and its archives, where the plan names one. */
  capacities: readonly RepositoryCapacity[];
}

export interface StandingLockFacts {
  id: string;
  holder: string;
  sinceMs: number;
}

export interface MirrorFacts extends Reached {
  mirror: string;
  of: string;
  lagMs?: number;
  /** What it lacks. */
  snapshots?: number;
  logParts?: number;
  /** The last attempt to bring it up to date, when it failed. */
  failed?: { timeMs: number; message: string };
}

export interface ArchiveFacts extends Reached {
  archive: string;
  from: string;
  failed?: { timeMs: number; message: string };
  /** Sources of which a copy is overdue, and since when. */
  overdue: readonly { source: string; dueMs: number }[];
}

/** What the ledger says of what is to be done again and again. */
export interface RecordFacts {
  /** Whether it could be read, now or before. */
  isKnown: boolean;
  /** When the first of it was written. */
  beganMs?: number;
  /** By the id of the task. */
  runs: ReadonlyMap<string, RunFacts>;
  /** When each review was recorded last. */
  reviews: ReadonlyMap<ReviewKind, number>;
  /** Channels that did not take what was sent to them last. */
  failedChannels: readonly { channel: string; sinceMs: number; message: string }[];
  /** What is to be said of incidents. */
  recoveries: RecoveryFacts;
  /** When a drill of each runbook ended last that did not fail; of a rescue, by its task. */
  drills: ReadonlyMap<string, number>;
  kit: KitFacts;
}

/** The recovery kit. Times are milliseconds since 1970. */
export interface KitFacts {
  /** When the newest was made, and when it was shown last that it opens everything. */
  madeMs?: number;
  goodMs?: number;
  /** Since when the newest is known not to fit what there is, and why. */
  outdated?: { sinceMs: number; why: string };
}

/** Times are milliseconds since 1970. */
export interface RecoveryFacts {
  /** Steps of incidents that are open, which are late and not over. */
  lateSteps: readonly { incident: string; runbook: string; step: string; withinMs: number; lateMs: number }[];
  /** Breaches that are not reported. */
  breaches: readonly { incident: string; sinceMs: number }[];
  /** Those that have steps and are not over. */
  open: readonly { incident: string; runbook: string }[];
  /** Reviews after recoveries that are over, which were not held. */
  dueReviews: readonly { incident: string; runbook: string; dueMs: number }[];
}

export interface RunFacts {
  task: string;
  /** When the newest that has not ended began. */
  runningMs?: number;
  /** When the newest began. */
  startedMs?: number;
  /** The newest that ended. */
  last?: { timeMs: number; outcome: 'done' | 'partial' | 'missed' | 'failed' | 'died'; message?: string };
  /** When the first of those ended that failed, with none since that did not. */
  failingMs?: number;
  /** What nobody was there for, or what was at work took too long for, and when that was found. */
  missed?: { fromMs: number; toMs: number; count: number; foundMs: number; isBusy?: boolean };
}
