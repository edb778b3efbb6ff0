import { EXIT, type ExitCode, type HoldfastError } from '../../foundation/errors.ts';
import type { Workspace } from '../../operations/index.ts';
import type { Job } from '../jobs/jobs.ts';

/** What came of a job. `missed`: it ran, and an objective or a validation was missed. */
export interface Worked {
  outcome: 'done' | 'partial' | 'missed' | 'failed';
  /** Why it is not `done`: at least of what failed. */
  error?: HoldfastError;
  /** Where there is no error: what a person should know. */
  message?: string;
}

/**
 * Does the jobs of one kind, as the command of that name does: with the plan as it was when the job began.
 * @throws what kept it from being done
 */
export type Work = (workspace: Workspace, job: Job) => Promise<Worked>;

/** What an operation ended with, as the outcome of a job. */
export function workedOf(exit: ExitCode, errors: readonly HoldfastError[] = [], message?: string): Worked {
  const error = errors[0];
  const why = { ...(error && { error }), ...(message !== undefined && { message }) };
  if (exit === EXIT.done) return { outcome: 'done', ...why };
  if (exit === EXIT.partial) return { outcome: 'partial', ...why };
  return { outcome: exit === EXIT.missed ? 'missed' : 'failed', ...why };
}

/** The worse of two. */
export function worseOf(one: Worked, other: Worked): Worked {
  return ORDER.indexOf(other.outcome) > ORDER.indexOf(one.outcome) ? other : one;
}

const ORDER: readonly Worked['outcome'][] = ['done', 'partial', 'missed', 'failed'];
