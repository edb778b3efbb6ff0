import type { playDemo as play } from './demo/demo.ts';

export type { ArchiveOutcome } from './archives/archive.ts';
export type { ArchiveStatus } from './archives/archive-status.ts';
export type { RecallOptions } from './archives/recall.ts';
export { backup, backupExit, type SourceOutcome } from './backup/backup.ts';
export { type CheckOfRepository, check } from './check/check.ts';
export { type Compared, compare } from './compare/compare.ts';
export { type Copied, copy } from './copy/copy.ts';
export type { DemoReport } from './demo/demo.ts';
export { type Difference, diff, type ListedChange } from './diff/diff.ts';
export { type Diagnosis, diagnose } from './doctor/doctor.ts';
export { follow, followExit } from './follow/follow.ts';
export type { Followed } from './follow/followed-source.ts';
export { type InitResult, initRepositories } from './init/init.ts';
export { addPassword, keysOf, removePassword, replacePassword } from './keys/keys.ts';
export { listEntries } from './ls/ls.ts';
export { acceptMissing, type Missing } from './mirrors/accept-missing.ts';
export type { HealedStatus } from './mirrors/healed-status.ts';
export { HealingWorkspace as Workspace } from './mirrors/healing-workspace.ts';
export type { MirrorStatus } from './mirrors/mirror-status.ts';
export { type Promoted, promote } from './mirrors/promote.ts';
export { type MirrorOutcome, replicate, replicateExit, replicateOpened } from './mirrors/replicate.ts';
export { type KeptLocked, keepLocked } from './object-lock/keep-locked.ts';
export { type PruneOfRepository, prune } from './prune/prune.ts';
export { type Repaired, repair } from './repair/repair.ts';
export { replicateAll, replicateAllExit } from './replicate/replicate-all.ts';
export { type RequestsToStore, requestsByRepository } from './requests/requests.ts';
export { type RestoreRequest, type RestoreResult, restore } from './restore/restore.ts';
export type { DecidedSnapshot, KeepReason } from './retain/decide.ts';
export type { RetentionOfSource } from './retain/decide-all.ts';
export { retain } from './retain/retain.ts';
export { type ListedSnapshot, listAll } from './snapshots/snapshots.ts';
export { parseMoment } from './snapshots-of.ts';
export type { RepositoryCapacity } from './status/capacity.ts';
export { type SourceStatus, status } from './status/status.ts';
export { type Unlocked, unlock } from './unlock/unlock.ts';
export { type Proof, verify } from './verify/verify.ts';
export {
  type Adapters,
  type CacheContext,
  type Environment,
  reportable,
  type StoreContext,
} from './workspace.ts';

/** See the function of this name. What it needs is loaded for it alone: a PostgreSQL client, and a shop. */
export async function playDemo(...parameters: Parameters<typeof play>): ReturnType<typeof play> {
  const demo = await import('./demo/demo.ts');
  return demo.playDemo(...parameters);
}
