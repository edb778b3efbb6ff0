import { createHash } from 'node:crypto';
import { lastDue, nextDue } from '../../schedule/index.ts';
import type { FailedRun, TaskRuns } from './known-runs.ts';
import type { Task } from './task.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** More moments than these are not counted one by one. */
const COUNTED_MOMENTS = 400;
const FIRST_RETRY_MS: Record<FailedRun['retry'], number> = { 'at-once': 0, soon: MINUTE_MS, late: 15 * MINUTE_MS };
const LONGEST_RETRY_MS = HOUR_MS;
/** So much of a back-off is left to chance, so that what failed together does not come again together. */
const JITTER = 0.2;

export interface Due {
  /** What is to run now. */
  now?: DueRun;
  /** When it is to be looked at again, if nothing else happens; undefined when it is never due. */
  atMs: number | undefined;
}

export interface DueRun {
  /** The moment that it is for: the newest of those that passed. */
  dueMs: number;
  /** From 1: how often it was tried for this moment. */
  attempt: number;
  /** The moments that nothing was done about when they came, or will be but by this run. */
  missed?: Missed;
}

export interface Missed {
  fromMs: number;
  toMs: number;
  /** 400, where there are more. */
  count: number;
  reason: 'away' | 'busy';
}

export interface DueContext {
  nowMs: number;
  timezone: string;
  /** Since when somebody has been there to see what is due, without a break. */
  presentSinceMs: number;
}

/**
 * What a task is to do now, and when it is to be looked at again. Pure; nothing that is known of it may be later than now
 * (`KnownRuns.bringBackTo`).
 *
 * Of the moments that passed since the last run, however many, one run makes up for all. A source that was never backed up
 * is so at once. What failed is tried again for the same moment, later each time, until the next moment takes its place.
 */
export function dueOf(task: Task, runs: Readonly<TaskRuns>, context: DueContext): Due {
  const { nowMs, timezone } = context;
  const { planned, failed } = runs;
  if (task.schedule.kind === 'continuous' || planned === undefined) return { atMs: undefined };
  const newestMs = newestMoment(task, runs, context);
  const nextMs = nextDue(task.schedule, nowMs, timezone);
  if (newestMs === undefined) return { atMs: nextMs };
  if (failed === undefined || failed.dueMs !== newestMs) {
    const missed = missedOf(task, runs, { ...context, newestMs });
    return { now: { dueMs: newestMs, attempt: 1, ...(missed && { missed }) }, atMs: nextMs };
  }
  const retryMs = failed.endedMs + backOffMs(task.id, failed);
  if (retryMs <= nowMs) return { now: { dueMs: newestMs, attempt: failed.attempt + 1 }, atMs: nextMs };
  return { atMs: nextMs === undefined ? retryMs : Math.min(retryMs, nextMs) };
}

/** The newest moment that a run is to be made for. */
function newestMoment(
  { kind, schedule }: Task,
  { planned, coveredMs }: Readonly<TaskRuns>,
  { nowMs, timezone }: DueContext,
): number | undefined {
  const sinceMs = coveredMs ?? planned!.sinceMs;
  const lastMs = lastDue(schedule, nowMs, timezone);
  if (lastMs !== undefined && lastMs > sinceMs) return lastMs;
  return coveredMs === undefined && kind === 'backup' ? sinceMs : undefined;
}

function missedOf(
  { schedule }: Task,
  { planned, coveredMs, missedMs, failed }: Readonly<TaskRuns>,
  { timezone, presentSinceMs, newestMs }: DueContext & { newestMs: number },
): Missed | undefined {
  const knownMs = [coveredMs, missedMs, failed?.dueMs, planned?.sinceMs].filter((each) => each !== undefined);
  const isLate = newestMs < presentSinceMs;
  const toMs = isLate ? newestMs : lastDue(schedule, newestMs - 1, timezone);
  const fromMs = nextDue(schedule, Math.max(...knownMs), timezone);
  if (fromMs === undefined || toMs === undefined || fromMs > toMs) return undefined;
  let count = 1;
  for (
    let at = nextDue(schedule, fromMs, timezone);
    at !== undefined && at <= toMs && count < COUNTED_MOMENTS;
    count++
  ) {
    at = nextDue(schedule, at, timezone);
  }
  return { fromMs, toMs, count, reason: fromMs < presentSinceMs ? 'away' : 'busy' };
}

/** How long to wait after an attempt that failed, in milliseconds: the same whoever asks, and whenever. Pure. */
export function backOffMs(task: string, { attempt, retry, dueMs = 0 }: FailedRun): number {
  const doubledMs = FIRST_RETRY_MS[retry] * 2 ** Math.min(attempt - 1, 20);
  const chance = createHash('sha256').update(`${task} ${dueMs} ${attempt}`).digest().readUInt32BE() / 2 ** 32;
  return Math.round(Math.min(LONGEST_RETRY_MS, doubledMs) * (1 - JITTER * chance));
}
