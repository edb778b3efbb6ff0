/**
 * The plan: its schema, loading it with all that is wrong with it at once, and fetching the values it refers to.
 */
export type { Alerting, Route, Rung } from './alerts/alerts-schema.ts';
export type { ChannelPlan } from './alerts/channel-schema.ts';
export type { Contact } from './alerts/contact-schema.ts';
export { RULE_NAMES, RULES, type Rule, type RuleName, type Severity } from './alerts/rule-schema.ts';
export type { ApprovedAction } from './approval-schema.ts';
export { diffPlans, type PlanChange } from './changes/diff-plans.ts';
export { type Weakening, weakenedBy } from './changes/weakened.ts';
export { FRAMEWORKS, type Framework } from './compliance-schema.ts';
export type { FindOptions } from './find.ts';
export { type GitAddress, parseGitUrl } from './git-url.ts';
export type { Group, GroupCheck } from './group-schema.ts';
export type { EarlierVersion } from './history-schema.ts';
export { type JsonSchema, planJsonSchema } from './json-schema.ts';
export { type LoadedPlan, loadPlan, parsePlan } from './load.ts';
export { formatProblem, type Problem } from './problems.ts';
export type { SecretReference, TextOrReference } from './reference-schema.ts';
export type { PlannedReport, ReportKind, ReviewKind, Upkeep } from './report-schema.ts';
export { type Comparison, holds, parseCondition } from './runbooks/condition.ts';
export type { PlannedDrill } from './runbooks/drill-schema.ts';
export type { Maintenance, MaintenanceCall } from './runbooks/maintenance-schema.ts';
export {
  buildStep,
  type DrillFaults,
  type Parameter,
  type PlannedStep,
  type Runbook,
} from './runbooks/runbook-schema.ts';
export type { OnFailure } from './runbooks/steps/common.ts';
export type { Choice } from './runbooks/steps/data.ts';
export { type StepDocument, type StepKindName, type StepOf, step as stepSchema } from './runbooks/steps/index.ts';
export { fillTemplate, namesInTemplate, textsIn } from './runbooks/template.ts';
export type { Sandbox } from './sandboxes.ts';
export type { PlanDocument, PlanInput } from './schema.ts';
export {
  describeReference,
  type ReferenceContext,
  type Resolved,
  resolveReferences,
  resolveSecret,
  withoutReferences,
} from './secrets.ts';
export type { Service } from './service-schema.ts';
export { showPlan, showPlanYaml } from './show.ts';
export type { DatabaseCheck, Objectives, ValidateCheck } from './sources/common.ts';
export type { FilesSource } from './sources/files.ts';
export type { FirestoreSource } from './sources/firestore.ts';
export type { GitCredentials } from './sources/git.ts';
export { hasLog, isWatched, type Source, type SourceType } from './sources/index.ts';
export type { PostgresSource } from './sources/postgres.ts';
export type { RedisCheck, RedisSource } from './sources/redis.ts';
export type { SecretPlaces } from './sources/secrets.ts';
export type { SqliteSource } from './sources/sqlite.ts';
export { type GcsPlace, type S3Place, type StorePlace, storePlace } from './store-place.ts';
export { type UnderstoodPlan, understoodPlan } from './understood.ts';
export type { Verification } from './verification-schema.ts';
export type { Archive, Capacity, LockPolicy, Mirror, Plan, PlannedStandby, Repository, StorePlan } from './view.ts';
