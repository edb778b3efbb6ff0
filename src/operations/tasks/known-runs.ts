import type { LedgerEvent } from '../../ledger/index.ts';

/** What the ledger says of the runs of one task. Times are milliseconds since 1970. */
export interface TaskRuns {
  /** Since when the plan has it with this schedule, as it was written. */
  planned?: { schedule: string; timezone: string; sinceMs: number };
  /** Nothing that was due up to here is left to be done. */
  coveredMs?: number;
  /** What was missed up to here has been recorded. */
  missedMs?: number;
  /** The last attempt, where it did not succeed: nothing else was done about the moment that it was due at. */
  failed?: FailedRun;
  /** Runs that began, and of which no end is known. */
  open: Map<string, StartedRun>;
  /** The last one that ended. */
  last?: { endedMs: number; outcome: 'done' | 'partial' | 'missed' | 'failed' | 'died'; message?: string };
}

export interface StartedRun {
  startedMs: number;
  /** Absent when somebody asked for it. */
  dueMs?: number;
  attempt: number;
}

export interface FailedRun {
  /** Absent when somebody asked for it. */
  dueMs?: number;
  attempt: number;
  endedMs: number;
  /** When it may be tried again: after a while that grows; after a longer one, since only a person can mend it; at once, since it was not its own fault. */
  retry: 'soon' | 'late' | 'at-once';
}

/** What is known of the runs of all tasks: a fold of events, oldest first, as they come. */
export class KnownRuns {
  readonly #byTask = new Map<string, TaskRuns>();
  /** The duties of the daemon that failed the last time, with the code of the error. */
  readonly failedDuties = new Map<string, string>();
  /** How many runs have ended, or were missed: whoever looks after what they did sees by it that there is something new. */
  ended = 0;

  constructor(events: Iterable<LedgerEvent> = [], known: Iterable<readonly [task: string, runs: TaskRuns]> = []) {
    for (const [task, runs] of known) this.#byTask.set(task, runs);
    for (const event of events) this.add(event);
  }

  of(task: string): Readonly<TaskRuns> {
    return this.#byTask.get(task) ?? { open: new Map() };
  }

  get tasks(): Iterable<readonly [id: string, Readonly<TaskRuns>]> {
    return this.#byTask;
  }

  /** Takes an event in: of those that have nothing to do with runs nothing is kept. */
  add({ kind, body, time }: Pick<LedgerEvent, 'kind' | 'body' | 'time'>): void {
    const atMs = Date.parse(time);
    if (kind === 'daemon.started') this.bringBackTo(atMs);
    const change = CHANGES[kind];
    if (change === undefined) return;
    if (ENDS.has(kind)) this.ended++;
    const { failedDuties } = this;
    change(body as never, { atMs, of: (task) => changing(this.#byTask, task, atMs), failedDuties });
  }

  /** What a clock that was ahead has dated later than now counts as being of now: nothing would be due until then. */
  bringBackTo(nowMs: number): void {
    for (const known of this.#byTask.values()) bringBack(known, nowMs);
  }
}

function changing(byTask: Map<string, TaskRuns>, task: string, atMs: number): TaskRuns {
  const known = byTask.get(task) ?? { open: new Map() };
  byTask.set(task, known);
  // Nothing that came before is later, unless the clock was set back.
  bringBack(known, atMs);
  return known;
}

/** The tasks that an event tells something of; undefined for what tells something of all that are known. */
export function tasksOf(event: LedgerEvent): readonly string[] | undefined {
  if (event.kind === 'daemon.started') return undefined;
  const tasks: string[] = [];
  const nobody: TaskRuns = { open: new Map() };
  const of = (task: string): TaskRuns => {
    tasks.push(task);
    return nobody;
  };
  CHANGES[event.kind]?.(event.body as never, { atMs: 0, of, failedDuties: new Map() });
  return tasks;
}

/** What one task comes to by a further event of those that tell something of it. */
export function advanceTask(task: string, known: TaskRuns, { kind, body, time }: LedgerEvent): void {
  const atMs = Date.parse(time);
  if (kind === 'daemon.started') bringBack(known, atMs);
  const others = new Map<string, TaskRuns>();
  const of = (each: string): TaskRuns => changing(each === task ? new Map([[task, known]]) : others, each, atMs);
  CHANGES[kind]?.(body as never, { atMs, of, failedDuties: new Map() });
}

function bringBack(known: TaskRuns, nowMs: number): void {
  const { planned, coveredMs, missedMs, failed, open } = known;
  if (planned !== undefined) planned.sinceMs = Math.min(planned.sinceMs, nowMs);
  if (coveredMs !== undefined) known.coveredMs = Math.min(coveredMs, nowMs);
  if (missedMs !== undefined) known.missedMs = Math.min(missedMs, nowMs);
  if (failed !== undefined) failed.endedMs = Math.min(failed.endedMs, nowMs);
  if (failed?.dueMs !== undefined) failed.dueMs = Math.min(failed.dueMs, nowMs);
  for (const started of open.values()) {
    started.startedMs = Math.min(started.startedMs, nowMs);
    if (started.dueMs !== undefined) started.dueMs = Math.min(started.dueMs, nowMs);
  }
}

const ENDS = new Set<LedgerEvent['kind']>(['run.finished', 'run.died', 'run.missed']);

interface At {
  atMs: number;
  failedDuties: Map<string, string>;
  of(task: string): TaskRuns;
}

type BodyOf<Kind extends LedgerEvent['kind']> = Extract<LedgerEvent, { kind: Kind }>['body'];
type Changes = { [Kind in LedgerEvent['kind']]?: (body: BodyOf<Kind>, at: At) => void };

const CHANGES: Changes = {
  'tasks.changed': ({ timezone, planned, removed }, { atMs, of }) => {
    for (const { task, schedule } of planned) of(task).planned = { schedule, timezone, sinceMs: atMs };
    for (const task of removed) delete of(task).planned;
  },
  'run.started': ({ run, task, due, attempt }, { atMs, of }) => {
    of(task).open.set(run, { startedMs: atMs, attempt, ...(due !== undefined && { dueMs: Date.parse(due) }) });
  },
  'run.finished': ({ run, task, outcome, code, message, retryable }, { atMs, of }) => {
    const known = of(task);
    const started = end(known, run);
    known.last = { endedMs: atMs, outcome, ...(message !== undefined && { message }) };
    if (outcome !== 'failed') cover(known, started?.dueMs ?? started?.startedMs ?? atMs);
    else fail(known, started, atMs, code === 'interrupted' ? 'at-once' : retryable === true ? 'soon' : 'late');
  },
  'run.died': ({ run, task }, { atMs, of }) => {
    const known = of(task);
    const started = end(known, run);
    known.last = { endedMs: atMs, outcome: 'died' };
    // What takes the process with it each time must not do so all the time.
    fail(known, started, atMs, (started?.attempt ?? 1) > 1 ? 'soon' : 'at-once');
  },
  'run.missed': ({ task, to }, { of }) => {
    const known = of(task);
    known.missedMs = Math.max(known.missedMs ?? Number.NEGATIVE_INFINITY, Date.parse(to));
  },
  'duty.failed': ({ duty, code }, { failedDuties }) => void failedDuties.set(duty, code),
  'duty.recovered': ({ duty }, { failedDuties }) => void failedDuties.delete(duty),
  'backup.finished': ({ source, only, durationMs }, { atMs, of }) => {
    if (only === undefined) cover(of(`backup:${source}`), atMs - durationMs);
  },
  'archive.finished': ({ archive, began, failed }, { of }) => {
    if (failed.length === 0) cover(of(`archive:${archive}`), Date.parse(began));
  },
};

function end(known: TaskRuns, run: string): StartedRun | undefined {
  const started = known.open.get(run);
  known.open.delete(run);
  return started;
}

function cover(known: TaskRuns, untilMs: number): void {
  known.coveredMs = Math.max(known.coveredMs ?? Number.NEGATIVE_INFINITY, untilMs);
  const { failed } = known;
  if (failed !== undefined && (failed.dueMs ?? failed.endedMs) <= untilMs) delete known.failed;
}

/** A run that succeeded nonetheless, as a backup that was recorded before its process died, has nothing to be tried again. */
function fail(known: TaskRuns, started: StartedRun | undefined, endedMs: number, retry: FailedRun['retry']): void {
  const { dueMs, attempt = 1 } = started ?? {};
  if (dueMs !== undefined && dueMs <= (known.coveredMs ?? Number.NEGATIVE_INFINITY)) return;
  known.failed = { attempt, endedMs, retry, ...(dueMs !== undefined && { dueMs }) };
}
