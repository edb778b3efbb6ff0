/** Runbooks run: incidents and drills. */
import { lazy } from '../foundation/lazy.ts';

export type { DrillRequest } from './drills/hold-drill.ts';
export { isStopped } from './engine/next.ts';
export type { Asked, Note, RunState, StepPhase, StepState } from './engine/state.ts';
export type { ExportedEvidence, ExportedKind } from './evidence/export-evidence.ts';
export type { FenceCompleted } from './fencing/fence-returned.ts';
export type { Answered, AnswerRequest } from './incidents/answer.ts';
export type { BreachRequest } from './incidents/change.ts';
export type { ForeseenRun, ForeseenStep } from './incidents/foresee.ts';
export type { OpenRequest } from './incidents/open.ts';
export type { ResumeRequest, RunOptions } from './incidents/run.ts';
export { type RunView, type StepView, viewOf } from './incidents/view.ts';
export type { Answer, Described, Foreseen, Outputs, Question, StepContext, StepKind, StepResult } from './step.ts';

/* Each loaded when it is first called: what it does is said where it is. */

export const closeDiedDrills = lazy(async () => (await import('./drills/died.ts')).closeDiedDrills);
export const holdDrill = lazy(async () => (await import('./drills/hold-drill.ts')).holdDrill);
export const abortIncident = lazy(async () => (await import('./incidents/change.ts')).abortIncident);
export const acknowledgeIncident = lazy(async () => (await import('./incidents/change.ts')).acknowledgeIncident);
export const alertBehind = lazy(async () => (await import('./incidents/alert.ts')).alertBehind);
export const declareBreach = lazy(async () => (await import('./incidents/change.ts')).declareBreach);
export const noteIncident = lazy(async () => (await import('./incidents/change.ts')).noteIncident);
export const exportEvidence = lazy(async () => (await import('./evidence/export-evidence.ts')).exportEvidence);
export const foreseeRun = lazy(async () => (await import('./incidents/foresee.ts')).foreseeRun);
export const fenceReturned = lazy(async () => (await import('./fencing/fence-returned.ts')).fenceReturned);
export const answerStep = lazy(async () => (await import('./incidents/answer.ts')).answerStep);
export const listIncidents = lazy(async () => (await import('./incidents/list.ts')).listIncidents);
export const processOf = lazy(async () => (await import('./incidents/runner.ts')).processOf);
export const recordReview = lazy(async () => (await import('./incidents/record-review.ts')).recordReview);
export const showRun = lazy(async () => (await import('./incidents/list.ts')).showRun);
export const reportPlaybook = lazy(async () => (await import('./playbook/report-playbook.ts')).reportPlaybook);
export const followRun = lazy(async () => (await import('./incidents/follow.ts')).followRun);
export const reportRun = lazy(async () => (await import('./report/report-run.ts')).reportRun);
export const openIncident = lazy(async () => (await import('./incidents/open.ts')).openIncident);
export const recover = lazy(async () => (await import('./incidents/run.ts')).recover);
export const resume = lazy(async () => (await import('./incidents/run.ts')).resume);
