import { createHash, randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { HoldfastError, messageOf } from '../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../foundation/pause.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import {
  type DueRun,
  type Environment,
  type KnownRuns,
  readRuns,
  reportable,
  type Task,
  type TaskKind,
  tasksOfPlan,
  Workspace,
} from '../operations/index.ts';
import { formatProblem, type Problem } from '../plan/index.ts';
import { DaemonRecord } from './daemon-record.ts';
import { DUTIES } from './duties.ts';
import type { MakeDuties } from './duty.ts';
import { Generation, type PlanAtWork } from './generation.ts';
import { JobQueue } from './jobs/job-queue.ts';
import type { Job } from './jobs/jobs.ts';
import { isLoaded, machineState } from './jobs/machine-load.ts';
import type { Log } from './log.ts';
import { Recoveries } from './recoveries.ts';
import { runJob } from './run.ts';
import { Scheduler } from './scheduler.ts';
import type { Sole } from './sole.ts';
import { WORK } from './work/index.ts';
import type { Work } from './work/work.ts';

export interface DaemonOptions {
  /** Its signal is not looked at: `stop` ends the daemon. */
  environment: Environment;
  loaded: PlanAtWork;
  log: Log;
  /** What keeps another daemon from running the same plan; nothing does without it. */
  sole?: Sole;
  /** Reads the plan's file again. @throws plan-not-found, plan-invalid */
  load?(): Promise<PlanAtWork>;
  /** Whether what is continuous is followed by this process. */
  isFollowing?: boolean;
  /** Those of all parts, unless others are given. */
  duties?: readonly MakeDuties[];
  /** Who does the jobs of each kind, instead of what the commands do. */
  work?: Readonly<Partial<Record<TaskKind, Work>>>;
  /** So many jobs at once; by the number of processors, when left out. */
  atOnce?: number;
  isLoaded?(): boolean;
  /** Told that something happened by itself: `tick` is to be called. */
  woken?(): void;
  pause?: Pause;
}

/** At most and at least so many jobs are under way, whatever the number of processors. */
const MOST_AT_ONCE = 4;
const LEAST_AT_ONCE = 2;
/** What has not ended so long after it was told to is left: whoever starts next finds that it died. */
const STOP_MS = 20_000;
/** So long the repository may take to have the lease back. */
const RELEASE_MS = 5000;

/** Runs a plan: what is due is done, and recorded. Time passes by `tick` alone. */
export class Daemon {
  readonly record: DaemonRecord;
  /** The incidents whose steps it runs. */
  readonly recoveries: Recoveries;
  readonly #options: DaemonOptions;
  readonly #stopping = new AbortController();
  readonly #jobs: JobQueue;
  readonly #scheduler: Scheduler;
  /** Tasks of which a run that was due waits or is under way. */
  readonly #busy = new Set<string>();
  #generation: Generation;
  #reloading: Promise<unknown> | undefined;
  #ticking: Promise<void> = Promise.resolve();

  /** Reads what the ledgers of the plan's repositories say of runs. @throws what keeps the first of them from being read */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const { environment, loaded, log } = options;
    // What is recorded is written though all else has been told to stop.
    const records = new Workspace(loaded, { ...environment, signal: new AbortController().signal });
    await records.recorder().flush();
    const runs = await readRuns(records, (repository, error) => {
      log.warn('a ledger cannot be read: what was done by hand there may be done again', { repository, error });
    });
    return new Daemon(options, records, runs);
  }

  private constructor(options: DaemonOptions, records: Workspace, runs: KnownRuns) {
    const { environment, log, loaded } = options;
    const { clock } = environment;
    this.#options = options;
    this.record = new DaemonRecord({ runs, recorder: records.recorder(), clock, log });
    this.#scheduler = new Scheduler(runs, clock.nowMs());
    this.#jobs = new JobQueue({
      clock,
      atOnce: options.atOnce ?? Math.min(MOST_AT_ONCE, Math.max(LEAST_AT_ONCE, availableParallelism())),
      isLoaded: options.isLoaded ?? (() => isLoaded(machineState())),
      failed: (job, error) => log.error('a job could not be done', { job: job.id, error: messageOf(error) }),
    });
    this.recoveries = new Recoveries({ workspace: () => this.workspace, log });
    this.#generation = this.#generationOf(loaded);
  }

  /** The plan at work. */
  get workspace(): Workspace {
    return this.#generation.workspace;
  }

  /** What is due from time to time. What is known of it is in `record.runs`. */
  get tasks(): Task[] {
    return this.#scheduler.tasks;
  }

  /** What is being done. */
  get underWay(): Job[] {
    return this.#jobs.underWay;
  }

  /** Records that it is there, and which runs died with the process before it. From then on `tick` has an effect. */
  async start(): Promise<void> {
    const { environment, loaded } = this.#options;
    await this.record.append('daemon.started', { version: environment.version, plan: sha256(loaded.text) });
    for (const [task, { open }] of [...this.record.runs.tasks]) {
      for (const run of [...open.keys()]) await this.record.append('run.died', { run, task });
    }
    await this.#takeTasks();
    await this.#generation.duties.forgetOthers();
    await this.#jobs.work((job) => this.#work(job));
  }

  /** Has all begun that is due now; while the plan is loaded again only the lease is kept, however long that takes. */
  async tick(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#options.sole?.keep();
    if (this.#reloading !== undefined) return;
    this.#ticking = this.#beginDue();
    await this.#ticking;
  }

  async #beginDue(): Promise<void> {
    const nowMs = this.#options.environment.clock.nowMs();
    if (this.record.unwritten > 0 || this.record.nextMs <= nowMs) await this.record.write();
    const due = this.#scheduler.due(nowMs, this.#isBusy);
    if (due.length > 0) await this.#generation.planFile.look();
    for (const { task, run } of due) await this.#enqueue(task, run);
    this.#jobs.look();
    this.#generation.duties.begin(nowMs);
    this.#generation.followers.begin(nowMs);
  }

  /** When `tick` is to be called next, in milliseconds since 1970, if nothing happens before. */
  nextMs(): number {
    const nowMs = this.#options.environment.clock.nowMs();
    const leaseMs = this.#options.sole?.nextMs(nowMs) ?? Number.POSITIVE_INFINITY;
    if (this.#reloading !== undefined) return leaseMs;
    const { duties, followers } = this.#generation;
    return Math.min(
      this.#scheduler.nextMs(nowMs, this.#isBusy),
      this.#jobs.nextMs(nowMs) ?? Number.POSITIVE_INFINITY,
      duties.nextMs(nowMs),
      followers.nextMs(),
      this.record.nextMs,
      leaseMs,
    );
  }

  /** Resolves when no job and no duty is under way. What is followed goes on. */
  async idle(): Promise<void> {
    await this.#jobs.idle();
    await this.#generation.duties.idle();
    await this.#options.sole?.idle();
  }

  /**
   * Has something done now, though it is not due.
   * @returns the id of the job
   * @throws bad-usage where the plan has no such task
   */
  async ask(kind: TaskKind, subject: string): Promise<string> {
    const task = tasksOfPlan(this.workspace.plan).find((each) => each.kind === kind && each.subject === subject);
    if (task === undefined || this.#workOf(kind) === undefined) {
      throw new HoldfastError('bad-usage', `the plan has no ${kind} of ${JSON.stringify(subject)}`, {
        hint: 'See what it has with `holdfast schedule`.',
      });
    }
    const { id: taskId, priority, sources } = task;
    const id = `${taskId}@${randomBytes(8).toString('hex')}`;
    await this.#jobs.enqueue({ id, kind, task: taskId, subject, priority, sources, attempt: 1 });
    return id;
  }

  /**
   * Loads the plan again, and goes by it from then on. Where that fails the one that it has stays, and that is recorded.
   * @throws plan-not-found, plan-invalid; bad-usage for what takes a new start
   */
  async reload(): Promise<void> {
    const reloading = settled(this.#reloading ?? this.#ticking).then(() => this.#reload());
    const ended = settled(reloading).then(() => {
      if (this.#reloading === ended) this.#reloading = undefined;
      this.#options.woken?.();
    });
    this.#reloading = ended;
    await reloading;
    await ended;
  }

  /**
   * Ends what is under way in good order, and records that the daemon stopped.
   * @returns whether all has ended. Else nobody else may run the plan before this process is over: the lease stays with it
   */
  async stop(reason: string): Promise<boolean> {
    if (this.#stopping.signal.aborted) return true;
    this.#stopping.abort();
    const { log, sole } = this.#options;
    if (!(await this.#isOverIn(STOP_MS, this.#stopped(reason)))) {
      log.error('not all has ended; what has not is known to have died at the next start', { reason });
      return false;
    }
    try {
      if (sole === undefined || (await this.#isOverIn(RELEASE_MS, sole.release()))) return true;
      log.warn('the lease could not be given back in time: it runs out in four minutes');
      return false;
    } catch (error) {
      log.warn('the lease could not be given back: it runs out in four minutes', { error: messageOf(error) });
      return true;
    }
  }

  async #stopped(reason: string): Promise<void> {
    await this.#reloading;
    await Promise.all([this.#jobs.stop(), this.#generation.end(), this.recoveries.idle()]);
    await this.record.append('daemon.stopped', { reason });
  }

  /** Whether something has ended within so long. @throws what it failed with in that time */
  async #isOverIn(milliseconds: number, ending: Promise<void>): Promise<boolean> {
    const over = new AbortController();
    const { pause = pauseUntilAborted(over.signal) } = this.#options;
    const ended = awaitedLater(ending).then(() => true);
    try {
      return await Promise.race([ended, settled(pause(milliseconds)).then(() => false)]);
    } finally {
      over.abort();
    }
  }

  async #reload(): Promise<void> {
    const { load, log } = this.#options;
    if (load === undefined || this.#stopping.signal.aborted) return;
    let loaded: PlanAtWork;
    try {
      loaded = await load();
      this.#assertReloadable(loaded);
    } catch (thrown) {
      const error = reportable(thrown, this.#stopping.signal);
      const problems = problemsOf(error);
      log.error('the plan was refused; the one that was loaded before still holds', { problems });
      await this.record.append('plan.refused', { problems });
      throw error;
    }
    const next = this.#generationOf(loaded);
    // What hangs keeps nobody from going by the new plan: it was told to end, and begins nothing more.
    if (!(await this.#isOverIn(STOP_MS, this.#generation.end()))) {
      log.error('what belongs to the plan before has not ended; the new one holds all the same');
    }
    this.#generation = next;
    for (const { task } of this.#jobs.forget(({ due }) => due !== undefined)) this.#busy.delete(task ?? '');
    await this.record.append('plan.reloaded', { sha256: sha256(loaded.text) });
    await this.#takeTasks();
    await this.#generation.duties.forgetOthers();
    log.info('the plan was loaded again', { plan: loaded.path, tasks: this.tasks.length });
  }

  /** @throws bad-usage where the ledger and the lease of this daemon would lie elsewhere */
  #assertReloadable({ plan }: PlanAtWork): void {
    const before = this.workspace.plan;
    const homeOf = ({ name, repositories }: typeof plan) => {
      const home = [...repositories.values()].find(({ archive }) => archive === undefined);
      return JSON.stringify([name, home?.name, home?.store]);
    };
    if (homeOf(plan) === homeOf(before)) return;
    throw new HoldfastError('bad-usage', 'the name of the plan, or its first repository, is another one', {
      hint: 'Stop the daemon and start it anew: its ledger and its lease lie there.',
    });
  }

  #generationOf(loaded: PlanAtWork): Generation {
    const { environment, log, duties = DUTIES, isFollowing = false, woken = () => {} } = this.#options;
    return new Generation({
      ...{ environment, loaded, record: this.record, recoveries: this.recoveries, log, duties, woken },
      tasks: isFollowing ? tasksOfPlan(loaded.plan) : [],
      stopping: this.#stopping.signal,
    });
  }

  readonly #isBusy = (task: string): boolean => this.#busy.has(task);

  #workOf(kind: TaskKind): Work | undefined {
    return (this.#options.work ?? WORK)[kind];
  }

  /** Takes the tasks of the plan, and records what is not as it was. */
  async #takeTasks(): Promise<void> {
    const { plan } = this.workspace;
    const tasks = tasksOfPlan(plan).filter(({ kind }) => this.#workOf(kind) !== undefined);
    const ids = new Set(tasks.map(({ id }) => id));
    const { runs } = this.record;
    const planned = tasks.filter(({ id, schedule }) => {
      const known = runs.of(id).planned;
      return known?.schedule !== schedule.text || known.timezone !== plan.timezone;
    });
    const removed = [...runs.tasks].flatMap(([id, known]) => (known.planned !== undefined && !ids.has(id) ? [id] : []));
    if (planned.length + removed.length > 0) {
      await this.record.append('tasks.changed', {
        timezone: plan.timezone,
        planned: planned.map(({ id, schedule }) => ({ task: id, schedule: schedule.text })),
        removed,
      });
    }
    this.#scheduler.take(tasks, plan.timezone);
  }

  async #enqueue({ id, kind, subject, priority, sources }: Task, { dueMs, attempt, missed }: DueRun): Promise<void> {
    const due = new Date(dueMs).toISOString();
    if (missed !== undefined) {
      const [from, to] = [missed.fromMs, missed.toMs].map((ms) => new Date(ms).toISOString()) as [string, string];
      const { count, reason } = missed;
      await this.record.append('run.missed', { task: id, from, to, count, reason });
      this.#options.log.warn('runs were missed', { task: id, from, to, count, reason });
    }
    this.#busy.add(id);
    const job = { id: `${id}@${due}`, kind, task: id, subject, due, priority, sources, attempt };
    if (!(await this.#jobs.enqueue(job))) this.#busy.delete(id);
  }

  async #work(job: Job): Promise<void> {
    const { environment, log, sole } = this.#options;
    const work: Work = async (workspace, asked) => {
      await sole?.assertHeld();
      return this.#workOf(asked.kind as TaskKind)!(workspace, asked);
    };
    try {
      await runJob(job, work, { workspace: this.workspace, record: this.record, clock: environment.clock, log });
    } finally {
      if (job.due !== undefined) this.#busy.delete(job.task ?? '');
      this.#scheduler.lookAgain(job.task ?? '');
      this.#options.woken?.();
    }
  }
}

/** Everything that is wrong with a plan, a line each. */
export function problemsOf(error: HoldfastError): string[] {
  const { problems } = error as { problems?: readonly Problem[] };
  return problems?.map(formatProblem) ?? [error.message];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
