import { nextDue } from '../../schedule/index.ts';
import type { Task } from './task.ts';

/** Of a task that is due every few minutes, the moments to come are not all listed. */
const LISTED_OF_TASK = 1000;

/** A moment at which a task is due. */
export interface ComingRun {
  task: string;
  kind: string;
  subject: string;
  /** RFC 3339. */
  due: string;
}

/**
 * When tasks are due within a span (milliseconds since 1970, without its beginning and with its end), the soonest first. What
 * is continuous is not among them. Pure.
 */
export function dueWithin(
  tasks: readonly Task[],
  { timezone, fromMs, untilMs }: { timezone: string; fromMs: number; untilMs: number },
): ComingRun[] {
  const coming: ComingRun[] = [];
  for (const { id: task, kind, subject, schedule } of tasks) {
    if (schedule.kind === 'continuous') continue;
    let dueMs = nextDue(schedule, fromMs, timezone);
    for (let listed = 0; dueMs !== undefined && dueMs <= untilMs && listed < LISTED_OF_TASK; listed++) {
      coming.push({ task, kind, subject, due: new Date(dueMs).toISOString() });
      dueMs = nextDue(schedule, dueMs, timezone);
    }
  }
  return coming.sort((a, b) => (a.due < b.due ? -1 : a.due > b.due ? 1 : 0));
}
