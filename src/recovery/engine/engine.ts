import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import type { EventBodies, EventKind, NewEvent, RecoveryEnded, StepFinished } from '../../ledger/index.ts';
import { reportable, type Workspace } from '../../operations/index.ts';
import type { PlannedStep } from '../../plan/index.ts';
import type { Answer, Question, StepContext, StepKind, StepResult } from '../step.ts';
import { loadStepKind, type StepKinds } from '../steps/index.ts';
import { runAttempt } from './attempt.ts';
import { Claims } from './claims.ts';
import { leaveRunning, leftRunning } from './left-work.ts';
import { type Action, nextOf } from './next.ts';
import { outcomeOf } from './outcome.ts';
import type { RunEvent } from './run-events.ts';
import { type RunRecord, unmirroredText } from './run-record.ts';
import { Sole } from './sole.ts';
import { type RunState, type StepState, stateOf, tally } from './state.ts';
import { fillStep, lookupOf } from './values.ts';

/** How often it is looked at what others have said: answers, and an end. */
const LOOK_EVERY_MS = 1000;
/** Who only waits for answers, and could look nowhere for so long, ends: its lease has run out as well. */
const BLIND_MS = 3 * 60_000;

export interface EngineOptions {
  workspace: Workspace;
  record: RunRecord;
  /** The id of the incident or drill, whose beginning is recorded. */
  run: string;
  isResumed: boolean;
  /** A person says that no other process runs it, where no store can tell. */
  isAlone?: boolean;
  /** Ends the work in good order, and leaves the run open. */
  signal: AbortSignal;
  /** What each step may say of what it is at. */
  tell?(line: string): void;
  /** Called once it alone runs it, and whenever something has changed. */
  onState?(state: RunState): void;
  /** Of drills, which have kinds of their own, and of tests. */
  kinds?: StepKinds;
  /** Who has seen to it already that this engine alone runs it, and gives it back; it takes one of its own, when left out. */
  sole?: Sole;
  clock?: Clock;
  pauseFor?(signal: AbortSignal): Pause;
}

/** Runs the steps of an incident or a drill, from wherever its events say that it is. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #pauseFor: (signal: AbortSignal) => Pause;
  readonly #claims = new Claims();
  readonly #kinds = new Map<string, StepKind<never>>();
  readonly #underWay = new Map<string, Promise<void>>();
  /** Ends what is under way: somebody interrupted, aborted, or took over. */
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #read: RunEvent[] = [];
  /** What this engine has recorded, which a copy that is read may not have yet. */
  readonly #own: RunEvent[] = [];
  /** What comes of both; undefined when something came to them. */
  #known: RunState | undefined;
  #plans: PlannedStep[] | undefined;
  readonly #waiters: (() => void)[] = [];
  #failure: unknown;
  #sole: Sole | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? options.workspace.environment.clock;
    this.#pauseFor = options.pauseFor ?? pauseUntilAborted;
    this.#signal = AbortSignal.any([options.signal, this.#ending.signal]);
  }

  /**
   * Runs until all steps are over, or one failed and nothing goes on before a person has said how.
   * @returns the run as it is then: it has ended, or is open still
   * @throws unknown-incident, step-not-supported, before anything is done; incident-running; the reason of the signal, when
   *   the run is left open; what kept something from being recorded; store-unreachable where only answers are waited for, and
   *   nothing that has them could be read for three minutes
   */
  async run(): Promise<RunState> {
    const { record, run, isResumed, isAlone = false, sole } = this.#options;
    await this.#look();
    this.#refuseDrill();
    await this.#loadKinds();
    const pause = this.#pauseFor(this.#signal);
    this.#sole = sole ?? (await Sole.take({ run, record, clock: this.#clock, pause, isAlone, isResumed }));
    const kept = awaitedLater(this.#sole.keep(pause).catch((error: unknown) => this.#fail(error)));
    const looking = awaitedLater(this.#keepLooking().catch((error: unknown) => this.#fail(error)));
    try {
      // Behind the lease: what another engine recorded last is known.
      await this.#look();
      await this.#settleDead();
      this.#changed();
      return await this.#advance();
    } finally {
      this.#end(new HoldfastError('interrupted', 'the engine has ended'));
      await settled(Promise.all([kept, looking, ...this.#underWay.values()]));
      await this.#leave();
    }
  }

  /** What others have to know of how it ended: nothing of it changes what became of the run. */
  async #leave(): Promise<void> {
    const { record, run, tell, sole } = this.#options;
    const own = sole === undefined ? this.#sole : undefined;
    const [released, unmirrored] = await Promise.allSettled([own?.release(), record.mirrored()]);
    if (released.status === 'rejected') {
      tell?.(`the lease of ${run} could not be given back: another process may go on in four minutes`);
    }
    if (unmirrored.status === 'rejected') throw unmirrored.reason;
    for (const each of unmirrored.value) tell?.(unmirroredText(each));
  }

  get #state(): RunState {
    this.#known ??= this.#fold();
    return this.#known;
  }

  #fold(): RunState {
    const { run } = this.#options;
    const events = [...this.#read, ...this.#own].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    const state = stateOf(run, events, this.#plans);
    this.#plans ??= state?.steps.map(({ plan }) => plan);
    if (state !== undefined) return state;
    throw new HoldfastError('unknown-incident', `no ledger that can be reached knows of ${run}`, {
      hint: 'See `holdfast incident list`.',
    });
  }

  /** What works on copies here must never be done to the living. @throws bad-usage */
  #refuseDrill(): void {
    if (this.#state.kind === 'incident' || this.#options.kinds !== undefined) return;
    throw new HoldfastError('bad-usage', `${this.#options.run} is a drill, and its copies are gone with its process`, {
      hint: `Begin another one: \`holdfast drill ${this.#state.runbook}\`.`,
    });
  }

  async #loadKinds(): Promise<void> {
    for (const { plan } of this.#state.steps) {
      const name = plan.document.do;
      if (!this.#kinds.has(name)) this.#kinds.set(name, await loadStepKind(name, this.#options.kinds));
    }
  }

  async #advance(): Promise<RunState> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#options.signal.throwIfAborted();
      const state = this.#state;
      if (state.ended !== undefined) return state;
      const changed = this.#change();
      const { actions, end, wakeMs } = nextOf(state, this.#clock.nowMs(), lookupOf(state));
      const begun = actions.filter(({ step }) => !this.#underWay.has(step));
      for (const action of begun) await this.#act(state, action);
      if (begun.length > 0) continue;
      if (end !== undefined && this.#onlyWaits()) return this.#finish(state, end);
      const waiting = new AbortController();
      try {
        const wake = wakeMs === undefined ? [] : [this.#wait(wakeMs - this.#clock.nowMs(), waiting.signal)];
        await Promise.race([changed, ...wake]);
      } finally {
        waiting.abort();
      }
    }
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    await settled(this.#pauseFor(AbortSignal.any([signal, this.#signal]))(Math.max(0, ms)));
  }

  async #act(state: RunState, action: Action): Promise<void> {
    const run = this.#options.run;
    const { step } = action;
    this.#sole?.assertHeld();
    if (action.do === 'skip') {
      const summary = `passed over: ${action.why}`;
      await this.#append('step.finished', { run, step, attempt: 0, outcome: 'skipped', summary, durationMs: 0 });
    } else if (action.do === 'ask') {
      const { attempt, question } = action;
      await this.#append('step.asked', { run, step, attempt, what: 'failure', question, count: 1 });
    } else {
      const begun = stepOf(state, step);
      const work = this.#attempt(begun, action.attempt)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          this.#underWay.delete(step);
          this.#changed();
        });
      this.#underWay.set(step, awaitedLater(work));
    }
  }

  /** One attempt, from its claim to its end. */
  async #attempt(step: StepState, first: number): Promise<void> {
    const { run } = this.#options;
    const { id } = step.plan;
    await this.#untilNothingIsLeft(id);
    const attempt = await this.#claim(id, first);
    this.#sole?.assertHeld();
    await this.#append('step.started', { run, step: id, attempt });
    this.#sole?.assertHeld();
    const startedMs = this.#clock.nowMs();
    const beganMs = stepOf(this.#state, id).beganMs ?? startedMs;
    const durationMs = (): number => Math.max(0, this.#clock.nowMs() - startedMs);
    let mayStillRun = false as boolean;
    let result: StepResult;
    try {
      result = await runAttempt((signal) => this.#run(step, { attempt, beganMs, signal }), {
        plan: step.plan,
        spentMs: Math.max(0, startedMs - beganMs),
        signal: this.#signal,
        pauseFor: this.#pauseFor,
        onLate: (withinMs) => this.#late(id, attempt, withinMs).catch((error: unknown) => this.#fail(error)),
        onLeft: (work) => {
          mayStillRun = true;
          leaveRunning(run, id, work);
        },
      });
    } catch (error) {
      // It is under way as far as anybody knows: who goes on finds out what it had done.
      if (this.#signal.aborted) return;
      const { code, message: why } = reportable(error, this.#signal);
      const outcome = code === 'timed-out' ? 'timed-out' : 'failed';
      const message = mayStillRun ? `${why}, does not heed that it was told to end, and may still be at it` : why;
      const ended = { run, step: id, attempt, outcome, code, message, durationMs: durationMs() } as const;
      await this.#append('step.finished', { ...ended, ...(mayStillRun && { mayStillRun: true }) });
      this.#options.tell?.(`${id} failed: ${message}`);
      return;
    }
    // What is done has not failed where that could not be recorded: it must not be tried again for it.
    await this.#append('step.finished', { run, step: id, attempt, ...finished(result), durationMs: durationMs() });
  }

  /** What did not end when it was told to has no second one beside it. */
  async #untilNothingIsLeft(step: string): Promise<void> {
    const left = leftRunning(this.#options.run, step);
    if (left === undefined) return;
    this.#options.tell?.(`${step}: what did not end when it was told to is waited for, before it is done again`);
    const isOver = left.then(() => true);
    while (!(await Promise.race([isOver, this.#change().then(() => false)]))) this.#signal.throwIfAborted();
  }

  /** @returns the attempt that is this engine's: of one before it whose engine died, nothing was begun */
  async #claim(step: string, first: number): Promise<number> {
    const { record, run } = this.#options;
    for (let attempt = first; ; attempt++) {
      const { repository } = await record.firstInReach();
      if (await this.#claims.take(repository, { run, step, attempt })) return attempt;
      await this.#look();
      const known = stepOf(this.#state, step);
      if (known.attempt >= attempt) {
        throw new HoldfastError('incident-running', `another process runs ${step} of ${run}`, {
          hint: `Watch it with \`holdfast incident show ${run}\`.`,
          context: { run, step, attempt },
        });
      }
      this.#sole?.assertHeld();
    }
  }

  async #run(
    step: StepState,
    { attempt, beganMs, signal }: { attempt: number; beganMs: number; signal: AbortSignal },
  ): Promise<StepResult> {
    const kind = this.#kinds.get(step.plan.document.do)!;
    return kind.run(this.#context(step, { attempt, beganMs, signal }) as never);
  }

  #context(
    step: StepState,
    { attempt, beganMs, signal }: { attempt: number; beganMs: number; signal: AbortSignal },
  ): StepContext {
    const state = this.#state;
    const { workspace } = this.#options;
    return {
      // What a drill does without need not be whole; what it runs looks for itself.
      step: fillStep(step.plan.document, lookupOf(state), state.kind === 'incident'),
      run: {
        ...{ id: state.id, kind: state.kind, runbook: state.runbook, sinceMs: state.sinceMs },
        steps: state.steps.map(({ plan }) => plan),
      },
      ...{ workspace, clock: this.#clock, signal, beganMs },
      tell: (line) => this.#options.tell?.(`${step.plan.id}: ${line}`),
      output: (id, name) => state.steps.find(({ plan }) => plan.id === id)?.outputs[name],
      noted: stepOf(state, step.plan.id).noted,
      note: (noted) => this.#append('step.noted', { run: state.id, step: step.plan.id, attempt, noted }),
      ask: (question) => this.#ask(step.plan.id, attempt, question, signal),
    };
  }

  async #ask(step: string, attempt: number, question: Question, signal: AbortSignal): Promise<Answer[]> {
    const { run } = this.#options;
    const { what, question: text, of, count = 1 } = question;
    const open = stepOf(this.#state, step).asked;
    if (open?.what !== what || open.question !== text) {
      const asked = { run, step, attempt, what, question: text, count, ...(of !== undefined && { of: [...of] }) };
      await this.#append('step.asked', asked);
    }
    for (;;) {
      signal.throwIfAborted();
      const changed = this.#change(signal);
      const { agreed, isEnough, refusedBy } = tally(stepOf(this.#state, step).asked!);
      if (refusedBy !== undefined) throw refused(step, refusedBy);
      if (isEnough) {
        return agreed.map(({ by, as, note }) => ({
          by,
          ...(as !== undefined && { as }),
          ...(note !== undefined && { note }),
        }));
      }
      await changed;
    }
  }

  async #late(step: string, attempt: number, withinMs: number): Promise<void> {
    await this.#append('step.late', { run: this.#options.run, step, attempt, withinMs });
    this.#options.tell?.(`${step} is late: it was to be over within ${withinMs / 1000} s, and goes on`);
  }

  /** What died in the middle with an engine before this one: each kind says what becomes of it. */
  async #settleDead(): Promise<void> {
    const state = this.#state;
    for (const step of state.steps) {
      if (step.phase === 'running' || step.phase === 'waiting') await this.#settleOne(state, step);
    }
  }

  async #settleOne({ id: run }: RunState, step: StepState): Promise<void> {
    const { attempt, beganMs = this.#clock.nowMs() } = step;
    const of = { run, step: step.plan.id, attempt };
    // What an engine of this process began may be at it still: what it will have done nobody can find out before.
    await this.#untilNothingIsLeft(step.plan.id);
    const kind = this.#kinds.get(step.plan.document.do)!;
    const context = this.#context(step, { attempt, beganMs, signal: this.#signal });
    const verdict = (await kind.afterDeath?.(context as never)) ?? 'again';
    const durationMs = Math.max(0, this.#clock.nowMs() - beganMs);
    if (typeof verdict === 'object') {
      await this.#append('step.finished', { ...of, ...finished(verdict), durationMs });
      return;
    }
    const died: NewEvent = { kind: 'step.finished', body: { ...of, outcome: 'died', durationMs } };
    if (verdict === 'again') return this.#appendAll([died]);
    const question = `The process of ${step.plan.id} died in the middle, and nobody can tell whether it took effect. Did it?`;
    await this.#appendAll([died, { kind: 'step.asked', body: { ...of, what: 'died', question, count: 1 } }]);
  }

  async #finish(state: RunState, end: 'finished' | 'stopped'): Promise<RunState> {
    const { kind, id } = state;
    const { plan } = this.#options.workspace;
    if (end === 'stopped' && kind === 'incident') return state;
    const ended: RecoveryEnded = outcomeOf(state, this.#clock.nowMs(), (standby) => plan.standbys.get(standby)?.of);
    if (kind === 'incident') await this.#append('incident.closed', { incident: id, ...ended });
    else await this.#append('drill.finished', { drill: id, ...ended });
    return this.#state;
  }

  #append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    return this.#appendAll([{ kind, body } as NewEvent]);
  }

  async #appendAll(events: readonly NewEvent[]): Promise<void> {
    const time = new Date(this.#clock.nowMs()).toISOString();
    await this.#options.record.appendAll(events);
    this.#own.push(...events.map((event) => ({ ...event, time, actor: '' }) as RunEvent));
    this.#known = undefined;
    this.#changed();
  }

  /** What others have said meanwhile. */
  async #keepLooking(): Promise<void> {
    const pause = this.#pauseFor(this.#signal);
    let readMs = this.#clock.monotonicMs();
    for (;;) {
      await pause(LOOK_EVERY_MS);
      const before = this.#read.length;
      try {
        await this.#look();
        readMs = this.#clock.monotonicMs();
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        // A ledger that is away for a moment has nothing to say; what is recorded goes elsewhere.
        if (this.#clock.monotonicMs() - readMs >= BLIND_MS && this.#onlyWaits()) throw blind(this.#options.run, error);
      }
      if (this.#read.length === before) continue;
      if (this.#state.ended !== undefined) this.#end(new HoldfastError('interrupted', 'somebody ended it'));
      this.#changed();
    }
  }

  /** Whether nothing is done at the moment, and all depends on what persons say. */
  #onlyWaits(): boolean {
    return [...this.#underWay.keys()].every((id) => isWaiting(this.#state, id));
  }

  async #look(): Promise<void> {
    this.#read = await this.#options.record.readRun(this.#options.run);
    this.#known = undefined;
  }

  /** Resolves with the next change, or when all is to end. */
  #change(signal: AbortSignal = this.#signal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      this.#waiters.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #changed(): void {
    this.#options.onState?.(this.#state);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #fail(error: unknown): void {
    if (this.#signal.aborted) return;
    this.#failure ??= error;
    this.#end(error);
  }

  #end(reason: unknown): void {
    this.#ending.abort(reason);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function finished({ outcome, summary, outputs }: StepResult): Pick<StepFinished, 'outcome' | 'summary' | 'outputs'> {
  return { outcome, summary, outputs };
}

function stepOf({ steps }: RunState, id: string): StepState {
  const found = steps.find(({ plan }) => plan.id === id);
  if (found === undefined) throw new HoldfastError('internal', `there is no step ${id}`);
  return found;
}

function isWaiting(state: RunState, id: string): boolean {
  return stepOf(state, id).phase === 'waiting';
}

function refused(step: string, { by, note }: { by: string; note?: string }): HoldfastError {
  return new HoldfastError('approval-refused', `${by} said no${note === undefined ? '' : `: ${note}`}`, {
    hint: 'Nothing of this step was done.',
    context: { step },
  });
}

function blind(run: string, cause: unknown): HoldfastError {
  return new HoldfastError('store-unreachable', 'no copy of the ledger, which would have the answers, can be read', {
    hint: `The incident is open still. Once a repository is back, \`holdfast incident resume ${run}\` goes on.`,
    context: { run },
    cause,
  });
}
