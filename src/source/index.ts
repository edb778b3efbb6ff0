export { runCommandCheck } from './command-check.ts';
export { type Finding, findingOfError, type Mend } from './finding.ts';
export type * from './log.ts';
export { MANIFEST_DIRECTORY, MANIFEST_NAME, readManifest } from './manifest.ts';
export type * from './source.ts';
export type * from './watch.ts';
