import { type LedgerEvent, mergedByTime, type Summary } from '../../ledger/index.ts';
import { advanceTask, KnownRuns, type TaskRuns, tasksOf } from './known-runs.ts';

/** So many of the newest events of a task are remembered one by one at least, for ledgers that are put together. */
const NEWEST = 50;

/** What one ledger says of a task: what all but its newest events come to, and those, oldest first. */
interface TaskHistory {
  before: TaskRuns;
  newest: LedgerEvent[];
}

/** What one ledger says of tasks, by their ids, and of duties: the newest event of each, by their names. */
export interface TaskHistories {
  tasks: Map<string, TaskHistory>;
  duties: Map<string, DutyEvent>;
}

type DutyEvent = Extract<LedgerEvent, { kind: 'duty.failed' | 'duty.recovered' }>;

export const taskSummary: Summary<TaskHistories> = {
  name: 'tasks-1',
  initial: () => ({ tasks: new Map(), duties: new Map() }),
  add(histories, event) {
    if (event.kind === 'duty.failed' || event.kind === 'duty.recovered') histories.duties.set(event.body.duty, event);
    for (const task of tasksOf(event) ?? histories.tasks.keys()) {
      const { before, newest } = historyOf(histories, task);
      newest.push(event);
      if (newest.length <= 2 * NEWEST) continue;
      for (const old of newest.splice(0, newest.length - NEWEST)) advanceTask(task, before, old);
    }
  },
  copy: ({ tasks, duties }) => ({
    tasks: new Map(
      [...tasks].map(([task, { before, newest }]) => [task, { before: copyOf(before), newest: [...newest] }]),
    ),
    duties: new Map(duties),
  }),
};

function historyOf({ tasks }: TaskHistories, task: string): TaskHistory {
  const known = tasks.get(task) ?? { before: { open: new Map() }, newest: [] };
  tasks.set(task, known);
  return known;
}

function copyOf(runs: TaskRuns): TaskRuns {
  return structuredClone(runs);
}

/**
 * What is known of runs from several ledgers, the events of each in its own order, which may not be that of their times, and
 * those of several by their times. What one of them does not remember one by one came before all that the others do.
 */
export function knownRunsOf(ledgers: readonly TaskHistories[]): KnownRuns {
  const tasks = new Set(ledgers.flatMap((histories) => [...histories.tasks.keys()]));
  const known = [...tasks].map((task) => {
    const own = ledgers.flatMap((histories) => histories.tasks.get(task) ?? []);
    const runs = together(own.map(({ before }) => copyOf(before)));
    for (const event of mergedByTime(own.map(({ newest }) => newest))) advanceTask(task, runs, event);
    return [task, runs] as const;
  });
  const duties = ledgers.flatMap((histories) => [...histories.duties.values()]);
  return new KnownRuns(mergedByTime(duties.map((event) => [event])), known);
}

/** What several ledgers say of the same task. */
function together([first = { open: new Map() }, ...others]: readonly TaskRuns[]): TaskRuns {
  return others.reduce((one, other) => {
    const coveredMs = largest(one.coveredMs, other.coveredMs);
    const failed = newest(one.failed, other.failed);
    const isCovered =
      failed !== undefined && (failed.dueMs ?? failed.endedMs) <= (coveredMs ?? Number.NEGATIVE_INFINITY);
    const last = newest(one.last, other.last);
    const missedMs = largest(one.missedMs, other.missedMs);
    const planned =
      (one.planned?.sinceMs ?? 0) > (other.planned?.sinceMs ?? 0) ? one.planned : (other.planned ?? one.planned);
    return {
      open: new Map([...one.open, ...other.open]),
      ...(planned && { planned }),
      ...(coveredMs !== undefined && { coveredMs }),
      ...(missedMs !== undefined && { missedMs }),
      ...(failed && !isCovered && { failed }),
      ...(last && { last }),
    };
  }, first);
}

function largest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function newest<Ended extends { endedMs: number }>(
  one: Ended | undefined,
  other: Ended | undefined,
): Ended | undefined {
  return one === undefined || (other !== undefined && other.endedMs > one.endedMs) ? other : one;
}
