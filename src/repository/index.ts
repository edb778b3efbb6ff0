export { checkRepository } from './check/check.ts';
export type { CheckReport, DamagedLog, Finding } from './check/report.ts';
export { parseSubset, type Subset, selectPacks } from './check/subset.ts';
export { type CopiedSnapshot, copySnapshots } from './copy/copy.ts';
export { type Change, type ChangeKind, diffTrees } from './diff.ts';
export { notesOf } from './extract/notes.ts';
export type { IndexedRepository } from './indexed.ts';
export { addKey, changePassword, listKeys, type RepositoryKey, removeKey } from './keys.ts';
export { EPOCH_KEY, LEDGER_PREFIX, packKey } from './layout.ts';
export { loadIndex } from './load-index.ts';
export { type HeldLock, lockRepository } from './locks.ts';
export { readEpoch, writeEpoch } from './mirror/epoch.ts';
export { copiesOfObjects, findSuspects, readAuthentic, type Suspect } from './mirror/heal.ts';
export { type MirrorLag, measureLag } from './mirror/lag.ts';
export { assertMirrorOf, type MirrorReport, mirrorLedger, mirrorRepository } from './mirror/mirror.ts';
export { clearVersions } from './object-lock/clear.ts';
export { checkCoverage, findingOfHidden } from './object-lock/coverage.ts';
export { type ExtendOptions, extendLocks } from './object-lock/extend.ts';
export { heldUntilMs } from './object-lock/held.ts';
export { findHidden, type HiddenObject, reveal } from './object-lock/hidden.ts';
export { HIDDEN_AT_ONCE, isLocked, isRemovedLocked } from './object-lock/locked-objects.ts';
export type { KeptSnapshots } from './object-lock/needed-objects.ts';
export { noteLooked } from './object-lock/record.ts';
export { lockIn, versionsBelow, versionsByKey } from './object-lock/versions.ts';
export { type PruneReport, pruneRepository } from './prune/prune.ts';
export { Reader } from './read/reader.ts';
export { type RepairOptions, repairRepository } from './repair/repair.ts';
export type { RepairReport } from './repair/report.ts';
export { createRepository, type Healer, holdsRepository, openRepository, type Repository } from './repository.ts';
export type * from './snapshot-io.ts';
export { findSnapshot, latestSnapshots, listSnapshots, removeSnapshot, type StoredSnapshot } from './snapshots.ts';
export { describeHolder, removeLocks, type StandingLock } from './standing-locks.ts';
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
} from './tail/tail.ts';
export { WriteSession } from './write/session.ts';
