import { lazy } from '../foundation/lazy.ts';

export type { CheckedPoints } from './check/check-points.ts';
export type { CheckReport, DamagedLog, Finding } from './check/report.ts';
export { parseSubset, type Subset, selectPacks } from './check/subset.ts';
export type { CopiedSnapshot } from './copy/copy.ts';
export { type Change, type ChangeKind, diffTrees } from './diff.ts';
export { isMarked } from './extract/marker.ts';
export { notesOf } from './extract/notes.ts';
export type { IndexedRepository } from './indexed.ts';
export { addKey, changePassword, listKeys, type RepositoryKey, removeKey } from './keys.ts';
export {
  CHECKPOINTS_PREFIX,
  CLAIMS_PREFIX,
  EPOCH_KEY,
  indexKey,
  LEDGER_PREFIX,
  packKey,
  SNAPSHOTS_PREFIX,
  snapshotKey,
  TAIL_PREFIX,
  TOKENS_PREFIX,
} from './layout.ts';
export { EpochLease, type LeaseHolder } from './lease/epoch-lease.ts';
export { loadIndex } from './load-index.ts';
export { type HeldLock, lockRepository } from './locks.ts';
export { readEpoch, succeeds, writeNextEpoch } from './mirror/epoch.ts';
export type { Suspect } from './mirror/heal.ts';
export type { MirrorLag } from './mirror/lag.ts';
export type { MirrorReport } from './mirror/mirror.ts';
export { isBulk, readAuthentic } from './mirror/objects.ts';
export { checkCoverage, findingOfHidden } from './object-lock/coverage.ts';
export type { ExtendOptions } from './object-lock/extend.ts';
export { heldUntilMs } from './object-lock/held.ts';
export type { HiddenObject } from './object-lock/hidden.ts';
export { HIDDEN_AT_ONCE, isLocked, isRemovedLocked } from './object-lock/locked-objects.ts';
export type { KeptSnapshots } from './object-lock/needed-objects.ts';
export { noteLooked } from './object-lock/record.ts';
export { lockIn, versionsBelow, versionsByKey } from './object-lock/versions.ts';
export type { PruneReport } from './prune/prune.ts';
export { Reader } from './read/reader.ts';
export type { RepairOptions } from './repair/repair.ts';
export type { RepairReport } from './repair/report.ts';
export { createRepository, type Healer, holdsRepository, openRepository, type Repository } from './repository.ts';
export type * from './snapshot-io.ts';
export {
  findSnapshot,
  KnownSnapshots,
  latestSnapshots,
  listSnapshots,
  readRecentSnapshot,
  readSnapshot,
  removeSnapshot,
  type StoredSnapshot,
} from './snapshots.ts';
export { describeHolder, removeLocks, type StandingLock, standingLocks } from './standing-locks.ts';
export {
  compareRanges,
  earlier,
  isCovered,
  type LogPosition,
  type LogRange,
  later,
  lsnText,
  mergeRanges,
  parseLsnText,
} from './tail/log-range.ts';
export { decodeStamps, encodeStamps, type Stamp, stampsWithin } from './tail/stamps.ts';
export {
  type Covered,
  type HistoryFile,
  LogTail,
  listTails,
  lsnDigits,
  parseTailKey,
  type SealedObject,
  type TailEntry,
  type TailHistory,
  type TailListing,
  type TailOwner,
  type TailPart,
} from './tail/tail.ts';
export type { LogHeader } from './tail/tail-object.ts';
export { LARGE_FILE_BYTES, MAX_GROWTH_BYTES } from './write/file-reader.ts';
export { startWorkersAhead } from './write/pipeline.ts';
export { WriteSession } from './write/session.ts';

/* What few commands do is loaded when it is first called. */

export const checkPoints = lazy(async () => (await import('./check/check-points.ts')).checkPoints);
export const checkRepository = lazy(async () => (await import('./check/check.ts')).checkRepository);
export const copySnapshots = lazy(async () => (await import('./copy/copy.ts')).copySnapshots);
export const objectsIn = lazy(async () => (await import('./mirror/heal.ts')).objectsIn);
export const findSuspects = lazy(async () => (await import('./mirror/heal.ts')).findSuspects);
export const measureLag = lazy(async () => (await import('./mirror/lag.ts')).measureLag);
export const assertMirrorOf = lazy(async () => (await import('./mirror/assert-mirror.ts')).assertMirrorOf);
export const findGone = lazy(async () => (await import('./mirror/listings.ts')).findGone);
export const mirrorLedger = lazy(async () => (await import('./mirror/mirror.ts')).mirrorLedger);
export const mirrorRepository = lazy(async () => (await import('./mirror/mirror.ts')).mirrorRepository);
export const putOrKeep = lazy(async () => (await import('./mirror/put-or-keep.ts')).putOrKeep);
export const findUnopenable = lazy(async () => (await import('./mirror/opening.ts')).findUnopenable);
export const ownerOf = lazy(async () => (await import('./mirror/opening.ts')).ownerOf);
export const clearVersions = lazy(async () => (await import('./object-lock/clear.ts')).clearVersions);
export const extendLocks = lazy(async () => (await import('./object-lock/extend.ts')).extendLocks);
export const findHidden = lazy(async () => (await import('./object-lock/hidden.ts')).findHidden);
export const reveal = lazy(async () => (await import('./object-lock/hidden.ts')).reveal);
export const mergeIndex = lazy(async () => (await import('./prune/merge-index.ts')).mergeIndex);
export const pruneRepository = lazy(async () => (await import('./prune/prune.ts')).pruneRepository);
export const repairRepository = lazy(async () => (await import('./repair/repair.ts')).repairRepository);
