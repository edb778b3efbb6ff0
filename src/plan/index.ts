/**
 * The plan: its schema, loading it with all that is wrong with it at once, and fetching the values it refers to.
 */
export type { FindOptions } from './find.ts';
export { type GitAddress, parseGitUrl } from './git-url.ts';
export type { Group, GroupCheck } from './group-schema.ts';
export { type JsonSchema, planJsonSchema } from './json-schema.ts';
export { type LoadedPlan, loadPlan } from './load.ts';
export { formatProblem, type Problem } from './problems.ts';
export type { SecretReference, TextOrReference } from './reference-schema.ts';
export type { Sandbox } from './sandboxes.ts';
export type { PlanDocument, PlanInput } from './schema.ts';
export {
  type ReferenceContext,
  type Resolved,
  resolveReferences,
  resolveSecret,
} from './secrets.ts';
export { showPlan, showPlanYaml } from './show.ts';
export type { DatabaseCheck, Objectives, ValidateCheck } from './sources/common.ts';
export type { FilesSource } from './sources/files.ts';
export type { GitCredentials } from './sources/git.ts';
export { hasLog, isWatched, type Source, type SourceType } from './sources/index.ts';
export type { PostgresSource } from './sources/postgres.ts';
export type { RedisCheck, RedisSource } from './sources/redis.ts';
export type { SecretPlaces } from './sources/secrets.ts';
export type { SqliteSource } from './sources/sqlite.ts';
export { type GcsPlace, type S3Place, type StorePlace, storePlace } from './store-place.ts';
export type { Archive, Capacity, LockPolicy, Mirror, Plan, Repository, StorePlan } from './view.ts';
