export { type CheckedPlace, checkedPath, runCommandCheck } from './command-check.ts';
export { type Finding, findingOfError, type Mend } from './finding.ts';
export type * from './log.ts';
export { logEndOf, MANIFEST_DIRECTORY, MANIFEST_NAME, manifestLog, readManifest } from './manifest.ts';
export { NamedPaths } from './named-paths.ts';
export { overConnections } from './reconnecting.ts';
export type * from './replication.ts';
export type * from './source.ts';
export type * from './watch.ts';
