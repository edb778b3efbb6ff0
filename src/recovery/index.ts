/** Runbooks run: incidents and drills. */
import { lazy } from '../foundation/lazy.ts';

export type { Asked, Note, RunState, StepPhase, StepState } from './engine/state.ts';
export type { Answered, AnswerRequest } from './incidents/answer.ts';
export type { OpenRequest } from './incidents/open.ts';
export type { RunOptions } from './incidents/run.ts';
export type { Answer, Foreseen, Outputs, Question, StepContext, StepKind, StepResult } from './step.ts';

/* Each loaded when it is first called: what it does is said where it is. */

export const answerStep = lazy(async () => (await import('./incidents/answer.ts')).answerStep);
export const listIncidents = lazy(async () => (await import('./incidents/list.ts')).listIncidents);
export const showRun = lazy(async () => (await import('./incidents/list.ts')).showRun);
export const reportRun = lazy(async () => (await import('./report/report-run.ts')).reportRun);
export const recover = lazy(async () => (await import('./incidents/run.ts')).recover);
export const resume = lazy(async () => (await import('./incidents/run.ts')).resume);
