import { randomBytes } from 'node:crypto';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError } from '../foundation/errors.ts';
import { reportable, type Workspace } from '../operations/index.ts';
import type { DaemonRecord } from './daemon-record.ts';
import type { Job } from './jobs/jobs.ts';
import type { Log } from './log.ts';
import type { Work, Worked } from './work/work.ts';

export interface RunContext {
  workspace: Workspace;
  record: DaemonRecord;
  clock: Clock;
  log: Log;
}

/**
 * Does a job, and records that it began and what came of it: whoever finds a run that began and did not end, and whose
 * process is gone, knows that it died.
 */
export async function runJob(job: Job, work: Work, context: RunContext): Promise<Worked> {
  const { record, clock, log } = context;
  const { task = `${job.kind}:${job.subject}`, due, attempt } = job;
  const run = randomBytes(16).toString('hex');
  const startedMs = clock.monotonicMs();
  await record.append('run.started', { run, task, attempt, ...(due !== undefined && { due }) });
  log.info('run started', { run, task, due, attempt });
  const worked = await attempted(job, work, context);
  const { outcome, error } = worked;
  const message = error?.message ?? worked.message;
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  const ended = { run, task, outcome, durationMs, ...(error && { code: error.code, retryable: error.retryable }) };
  await record.append('run.finished', { ...ended, ...(message !== undefined && { message }) });
  log[outcome === 'done' ? 'info' : 'error']('run finished', { ...ended, error: message });
  return worked;
}

async function attempted(job: Job, work: Work, { workspace }: RunContext): Promise<Worked> {
  const { signal } = workspace.environment;
  try {
    const worked = await work(workspace, job);
    // What an abort cut short says of the source nothing.
    if (worked.outcome !== 'failed' || !signal.aborted) return worked;
    return { outcome: 'failed', error: interrupted(worked.error) };
  } catch (thrown) {
    return { outcome: 'failed', error: reportable(thrown, signal) };
  }
}

function interrupted(cause: unknown): HoldfastError {
  return new HoldfastError('interrupted', 'the daemon stopped before it was done', { retryable: true, cause });
}
