/** Runbooks run: incidents and drills. */
export type { Answer, Foreseen, Outputs, Question, StepContext, StepKind, StepResult } from './step.ts';
