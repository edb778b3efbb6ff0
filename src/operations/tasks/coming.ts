import type { Workspace } from '../workspace.ts';
import { dueOf } from './due.ts';
import { type ComingRun, dueWithin } from './due-within.ts';
import type { TaskRuns } from './known-runs.ts';
import { readRuns } from './read-runs.ts';
import { tasksOfPlan } from './tasks-of-plan.ts';

/** A task of the plan, with what is known of its runs and when it is due next. Times are RFC 3339. */
export interface ScheduledTask {
  task: string;
  kind: string;
  subject: string;
  /** As it was written. */
  schedule: string;
  /** How the last run ended, and when; absent where none is known. */
  last?: { ended: string; outcome: NonNullable<TaskRuns['last']>['outcome']; message?: string };
  /** Up to when nothing is left to be done. */
  covered?: string;
  /** Absent for what is followed all the time. A moment that has passed is made up for as soon as a daemon is there. */
  next?: string;
}

export interface ComingWeek {
  timezone: string;
  tasks: ScheduledTask[];
  /** The soonest first. */
  runs: ComingRun[];
  /** What a person should know: of a ledger that cannot be read, say. */
  notes: string[];
}

/** What the plan has done by itself, when it was done last and will be next. @throws what keeps the ledger from being read */
export async function coming(workspace: Workspace, withinMs: number): Promise<ComingWeek> {
  const { plan, environment } = workspace;
  const nowMs = environment.clock.nowMs();
  const notes: string[] = [];
  const known = await readRuns(workspace, (name, why) => notes.push(`the ledger of ${name} cannot be read: ${why}`));
  known.bringBackTo(nowMs);
  const planned = tasksOfPlan(plan);
  const tasks = planned.map((task): ScheduledTask => {
    const { id, kind, subject, schedule } = task;
    const runs = known.of(id);
    const { last, coveredMs } = runs;
    const context = { nowMs, timezone: plan.timezone, presentSinceMs: nowMs };
    const started = runs.planned ?? { schedule: schedule.text, timezone: plan.timezone, sinceMs: nowMs };
    const due = dueOf(task, { ...runs, planned: started }, context);
    const nextMs = due.now?.dueMs ?? due.atMs;
    return {
      ...{ task: id, kind, subject, schedule: schedule.text },
      ...(last && { last: { ended: textOf(last.endedMs), outcome: last.outcome, ...messageIn(last) } }),
      ...(coveredMs !== undefined && { covered: textOf(coveredMs) }),
      ...(nextMs !== undefined && { next: textOf(nextMs) }),
    };
  });
  const { timezone } = plan;
  return { timezone, tasks, runs: dueWithin(planned, { timezone, fromMs: nowMs, untilMs: nowMs + withinMs }), notes };
}

function messageIn({ message }: { message?: string }): { message?: string } {
  return message === undefined ? {} : { message };
}

function textOf(ms: number): string {
  return new Date(ms).toISOString();
}
