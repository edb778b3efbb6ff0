/** Runbooks run: incidents and drills. */
export type { Foreseen, Outputs, StepContext, StepKind, StepResult } from './step.ts';
