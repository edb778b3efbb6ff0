export { backup, backupExit, type SourceOutcome } from './backup/backup.ts';
export { type CheckOfRepository, check } from './check/check.ts';
export { type DemoReport, playDemo } from './demo/demo.ts';
export { type InitResult, initRepositories } from './init/init.ts';
export { type RestoreResult, restore } from './restore/restore.ts';
export { type ListedEntry, type ListedSnapshot, listAll, listEntries } from './snapshots/snapshots.ts';
export { type SourceStatus, status } from './status/status.ts';
export { type Proof, verify } from './verify/verify.ts';
export { type Adapters, type Environment, reportable, Workspace } from './workspace.ts';
