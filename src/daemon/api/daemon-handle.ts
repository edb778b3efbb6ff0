import { HoldfastError } from '../../foundation/errors.ts';
import { dueWithin } from '../../operations/index.ts';
import type { LoadedPlan, Plan } from '../../plan/index.ts';
import type { Daemon } from '../daemon.ts';
import type { DaemonHandle, KnownRun } from './context.ts';

/** Plans as they were loaded, each found again by what became of it. */
export class LoadedPlans {
  readonly #load: () => Promise<LoadedPlan>;
  readonly #byPlan = new WeakMap<Plan, LoadedPlan>();

  constructor(load: () => Promise<LoadedPlan>) {
    this.#load = load;
  }

  /** @throws plan-not-found, plan-invalid */
  readonly load = async (): Promise<LoadedPlan> => {
    const loaded = await this.#load();
    this.#byPlan.set(loaded.plan, loaded);
    return loaded;
  };

  of(plan: Plan): LoadedPlan {
    const loaded = this.#byPlan.get(plan);
    if (loaded === undefined) throw new TypeError('a plan that nobody loaded is at work');
    return loaded;
  }
}

/** A daemon, as the API sees it. */
export function handleOf(daemon: Daemon, plans: LoadedPlans, holdsLease: () => boolean): DaemonHandle {
  return {
    loaded: () => plans.of(daemon.workspace.plan),
    workspace: () => daemon.workspace,
    start: async (id) => {
      const task = daemon.tasks.find((each) => each.id === id);
      if (task !== undefined) return daemon.ask(task.kind, task.subject);
      throw new HoldfastError('unknown-task', `the plan has no task ${JSON.stringify(id)}`, {
        hint: `It has: ${daemon.tasks.map((each) => each.id).join(', ')}.`,
      });
    },
    schedule: (untilMs) => {
      const { plan, environment } = daemon.workspace;
      return dueWithin(daemon.tasks, { timezone: plan.timezone, fromMs: environment.clock.nowMs(), untilMs });
    },
    runs: () => runsOf(daemon),
    recoveries: daemon.recoveries,
    holdsLease,
    get unwritten() {
      return daemon.record.unwritten;
    },
  };
}

function runsOf({ tasks, record }: Daemon): KnownRun[] {
  return tasks.map(({ id }) => {
    const { open, last } = record.runs.of(id);
    const underWay = [...open].map(([run, { startedMs, dueMs, attempt }]) => ({
      ...{ run, startedAt: timeText(startedMs), attempt },
      ...(dueMs !== undefined && { due: timeText(dueMs) }),
    }));
    if (last === undefined) return { task: id, underWay };
    const { endedMs, outcome, message } = last;
    const ended = { endedAt: timeText(endedMs), outcome, ...(message !== undefined && { message }) };
    return { task: id, underWay, last: ended };
  });
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
