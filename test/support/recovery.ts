/** Runbooks run on stores in memory, with steps that do what a test says, by engines that die when it says so. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { parse } from 'yaml';
import type { Clock } from '../../src/foundation/clock.ts';
import type { Pause } from '../../src/foundation/pause.ts';
import { settled } from '../../src/foundation/promises.ts';
import type { Workspace } from '../../src/operations/index.ts';
import type { Plan } from '../../src/plan/index.ts';
import { planSchema } from '../../src/plan/schema.ts';
import { buildPlan } from '../../src/plan/view.ts';
import { Engine, type EngineOptions } from '../../src/recovery/engine/engine.ts';
import { RunRecord } from '../../src/recovery/engine/run-record.ts';
import type { RunState, StepPhase } from '../../src/recovery/engine/state.ts';
import { openIncident } from '../../src/recovery/incidents/open.ts';
import type { StepContext, StepKind, StepResult } from '../../src/recovery/step.ts';
import { type StepKinds, stepKinds } from '../../src/recovery/steps/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { mirroredWorkspace } from './mirrored.ts';
import { testRepository } from './repository.ts';

/** What a step of a test does: `exec: [NAME, ARGUMENT…]` of the runbook says which. */
export type Scripted = (context: StepContext<'exec'>, died: () => void) => Promise<Partial<StepResult> | undefined>;

/** A process at work: what it asks of stores goes nowhere once it is killed. */
export interface Working {
  workspace: Workspace;
  stores: Record<string, FaultyStore>;
  kill(): void;
  isDead(): boolean;
}

/** Time that jumps to the next end of a pause, turn by turn, while work is under way. */
class JumpingTime implements Clock {
  #nowMs = Date.parse('2026-03-02T12:00:00Z');
  #pauses: { endMs: number; end: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  pause(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const own = { endMs: this.#nowMs + Math.max(0, ms), end: resolve };
      this.#pauses.push(own);
      const stop = (): void => {
        this.#pauses = this.#pauses.filter((each) => each !== own);
        reject(signal!.reason);
      };
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  async run<Result>(work: Promise<Result>): Promise<Result> {
    let isOver = false;
    void settled(work).then(() => {
      isOver = true;
    });
    while (!isOver) {
      // What is read or loaded takes no pause, and has to come.
      for (let turn = 0; turn < 20 && !isOver; turn++) await setImmediate();
      if (isOver) break;
      const next = Math.min(...this.#pauses.map(({ endMs }) => endMs));
      if (next === Number.POSITIVE_INFINITY) await setTimeout(1);
      else this.#jump(next);
    }
    return work;
  }

  #jump(nextMs: number): void {
    this.#nowMs = nextMs;
    const ended = this.#pauses.filter(({ endMs }) => endMs <= nextMs);
    this.#pauses = this.#pauses.filter(({ endMs }) => endMs > nextMs);
    for (const { end } of ended) end();
  }
}

export class RecoveryWorld {
  readonly time = new JumpingTime();
  readonly memories: Record<string, MemoryStore>;
  readonly plan: Partial<Plan>;
  /** What the steps did, in order: nothing of it is undone by a death. */
  readonly effects: string[] = [];
  readonly scripts: Record<string, Scripted>;
  readonly #afterDeath: StepKind<'exec'>['afterDeath'];

  private constructor(
    memories: Record<string, MemoryStore>,
    plan: Partial<Plan>,
    scripts: Record<string, Scripted>,
    afterDeath: StepKind<'exec'>['afterDeath'],
  ) {
    this.memories = memories;
    this.plan = plan;
    this.scripts = scripts;
    this.#afterDeath = afterDeath;
  }

  /**
   * @param steps of the runbook `it`, as a plan has them
   * @param more of the runbook
   */
  static async of(
    steps: readonly string[],
    {
      more = '',
      contacts = '{ oncall: { role: On-call }, lead: { role: Lead } }',
      scripts = {},
      mirrors = [],
      afterDeath,
    }: {
      more?: string;
      contacts?: string;
      scripts?: Record<string, Scripted>;
      mirrors?: string[];
      afterDeath?: StepKind<'exec'>['afterDeath'];
    } = {},
  ): Promise<RecoveryWorld> {
    const document = planSchema.parse({
      ...{ version: 1, name: 'test', repositories: {}, sources: {} },
      contacts: parse(contacts),
      runbooks: { it: { scenario: 'Something has happened', ...parse(more), steps: steps.map((step) => parse(step)) } },
    });
    const { runbooks, contacts: persons } = buildPlan(document, '/');
    const memories: Record<string, MemoryStore> = { main: new MemoryStore() };
    await testRepository(memories['main']);
    for (const mirror of mirrors) {
      memories[mirror] = new MemoryStore();
      for (const [key, object] of memories['main']!.objects) memories[mirror].objects.set(key, object);
    }
    return new RecoveryWorld(memories, { runbooks, contacts: persons }, scripts, afterDeath);
  }

  /** Another process, perhaps on another machine. */
  process(signal?: AbortSignal): Working {
    let isDead = false;
    const stores = Object.fromEntries(
      Object.entries(this.memories).map(([name, memory]) => [
        name,
        new FaultyStore(memory, () => (isDead ? 'before' : undefined)),
      ]),
    );
    const workspace = mirroredWorkspace(stores, this.plan, { clock: this.time, ...(signal && { signal }) });
    return {
      ...{ workspace, stores, isDead: () => isDead },
      kill: () => {
        isDead = true;
      },
    };
  }

  kinds(working: Working): StepKinds {
    const exec: StepKind<'exec'> = {
      describe: () => ({ does: '', byHand: [] }),
      foresee: async () => ({ does: '', obstacles: [], byHand: [] }),
      run: async (context) => {
        const [name = ''] = context.step.exec;
        const result = await this.scripts[name]?.(context, () => working.kill());
        if (result === undefined && this.scripts[name] === undefined) this.effects.push(context.step.exec.join(' '));
        return { outcome: 'done', summary: name, outputs: {}, ...result };
      },
      ...(this.#afterDeath && { afterDeath: this.#afterDeath }),
      inDrill: 'run',
    };
    return { ...stepKinds, exec: async () => exec };
  }

  /** Opens an incident. */
  async open(working = this.process(), request: Partial<Parameters<typeof openIncident>[1]> = {}): Promise<RunState> {
    return this.time.run(this.opening(working, request));
  }

  /** The same, as it is under way beside something else. */
  opening(working: Working, request: Partial<Parameters<typeof openIncident>[1]> = {}): Promise<RunState> {
    const { signal } = working.workspace.environment;
    const options = { kinds: this.kinds(working), pause: this.pauseFor(signal) };
    return openIncident(working.workspace, { runbook: 'it', ...request }, options);
  }

  engine(run: string, working: Working, more: Partial<EngineOptions> = {}): Engine {
    return new Engine({
      ...{ workspace: working.workspace, record: new RunRecord(working.workspace), run, isResumed: false },
      ...{ signal: working.workspace.environment.signal, kinds: this.kinds(working) },
      ...{ clock: this.time, pauseFor: (signal: AbortSignal) => this.pauseFor(signal) },
      ...more,
    });
  }

  run(run: string, working = this.process(), more: Partial<EngineOptions> = {}): Promise<RunState> {
    return this.time.run(this.engine(run, working, more).run());
  }

  pauseFor(signal: AbortSignal): Pause {
    return (ms) => this.time.pause(ms, signal);
  }

  /** As it is after a process was killed: its lease has run out, by the clock of the stores. */
  expireLeases(): void {
    for (const { objects } of Object.values(this.memories)) {
      for (const [key, { bytes }] of objects) {
        if (key.startsWith('holdfast/leases/')) objects.set(key, { bytes, modifiedMs: 0 });
      }
    }
  }
}

/** What became of the steps: `a done, b failed`. */
export function phasesOf({ steps }: RunState): string {
  return steps.map(({ plan, phase }) => `${plan.id} ${phase}`).join(', ');
}

/** An engine's `onState` that tells when its first step is in a phase for the first time. */
export function whenFirst(phase: StepPhase): { onState(state: RunState): void; reached: Promise<void> } {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  return {
    onState: ({ steps: [first] }) => {
      if (first?.phase === phase) resolve();
    },
    reached,
  };
}

/** Has what a process puts under a prefix stand still until it is woken. */
export function stalled({ stores }: Working, prefix: string): { reached: Promise<void>; wake: () => void } {
  const store = stores['main']!;
  const put = store.put.bind(store);
  const [reached, woken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  store.put = async (key, ...rest) => {
    if (key.startsWith(prefix)) {
      reached.resolve();
      await woken.promise;
    }
    return put(key, ...rest);
  };
  return { reached: reached.promise, wake: woken.resolve };
}
