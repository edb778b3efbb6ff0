import type { StepContext } from '../../step.ts';

export type RestoreContext = StepContext<'restore'>;

/** By what a step knows again what it left half filled when it was killed: no other run has the same. */
export function begunBy({ run, step }: RestoreContext): string {
  return `${run.kind} ${run.id}, step ${step.id}`;
}
