import { type Due, type DueRun, dueOf, type KnownRuns, type Task } from '../operations/index.ts';

/** Who looks later than this after the moment that was said was not there. */
const LATE_MS = 60_000;
/** Nobody need look more seldom: a clock may have been moved, or a schedule made up for. */
const LONGEST_WAIT_MS = 60 * 60_000;

export interface DueTask {
  task: Task;
  run: DueRun;
}

/** Which tasks are due, from what is known of their runs; each is looked at only when its moment comes. */
export class Scheduler {
  readonly #runs: KnownRuns;
  #tasks = new Map<string, Task>();
  #timezone = 'UTC';
  /** When each is to be looked at next. */
  readonly #lookAtMs = new Map<string, number>();
  #presentSinceMs: number;
  #lookedMs: number;
  #expectedMs: number;

  /** @param nowMs since when somebody is there */
  constructor(runs: KnownRuns, nowMs: number) {
    this.#runs = runs;
    this.#presentSinceMs = nowMs;
    this.#lookedMs = nowMs;
    this.#expectedMs = nowMs;
    runs.bringBackTo(nowMs);
  }

  get tasks(): Task[] {
    return [...this.#tasks.values()];
  }

  /** Takes these tasks for those it had: all are looked at anew. */
  take(tasks: readonly Task[], timezone: string): void {
    this.#tasks = new Map(tasks.map((task) => [task.id, task]));
    this.#timezone = timezone;
    this.#lookAtMs.clear();
    for (const { id } of tasks) this.lookAgain(id);
  }

  /** Something became known of a task. */
  lookAgain(id: string): void {
    if (this.#tasks.has(id)) this.#lookAtMs.set(id, Number.NEGATIVE_INFINITY);
  }

  /** What is to run now, of tasks that nothing is done about yet. @param isBusy whether a run of it waits or is under way */
  due(nowMs: number, isBusy: (task: string) => boolean): DueTask[] {
    this.#notice(nowMs);
    const due: DueTask[] = [];
    for (const [id, atMs] of this.#lookAtMs) {
      // A run that ends has its task looked at again.
      if (atMs > nowMs || isBusy(id)) continue;
      const task = this.#tasks.get(id)!;
      const { now, atMs: nextMs } = this.#dueOf(task, nowMs);
      this.#lookAtMs.set(id, nextMs ?? Number.POSITIVE_INFINITY);
      if (now !== undefined) due.push({ task, run: now });
    }
    this.#expectedMs = this.nextMs(nowMs, isBusy);
    return due;
  }

  /** When `due` is to be asked again, at the latest. @param isBusy as there */
  nextMs(nowMs: number, isBusy: (task: string) => boolean): number {
    let nextMs = nowMs + LONGEST_WAIT_MS;
    for (const [id, atMs] of this.#lookAtMs) if (atMs < nextMs && !isBusy(id)) nextMs = Math.max(atMs, nowMs);
    return nextMs;
  }

  #dueOf(task: Task, nowMs: number): Due {
    const context = { nowMs, timezone: this.#timezone, presentSinceMs: this.#presentSinceMs };
    return dueOf(task, this.#runs.of(task.id), context);
  }

  /** A clock that was set, or a machine that slept. */
  #notice(nowMs: number): void {
    if (nowMs < this.#lookedMs) {
      this.#runs.bringBackTo(nowMs);
      this.#presentSinceMs = Math.min(this.#presentSinceMs, nowMs);
      for (const id of this.#tasks.keys()) this.lookAgain(id);
    } else if (nowMs > this.#expectedMs + LATE_MS) {
      this.#presentSinceMs = nowMs;
    }
    this.#lookedMs = nowMs;
  }
}
