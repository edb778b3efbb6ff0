import { DUTIES } from '../../src/daemon/duties.ts';
import type { Duty, MakeDuties } from '../../src/daemon/duty.ts';
import { WORK } from '../../src/daemon/work/index.ts';
import type { Work } from '../../src/daemon/work/work.ts';
import { settled } from '../../src/foundation/promises.ts';
import type { TaskKind } from '../../src/operations/index.ts';

interface Cost {
  times: number;
  processorMs: number;
}

/**
 * What each thing that a daemon does takes of the processor. All of it is done one after the other, so that what the process
 * takes meanwhile is for that alone; a daemon does some of it at once.
 */
export class Costs {
  #costs = new Map<string, Cost>();
  #turn: Promise<unknown> = Promise.resolve();

  /** Those of all parts, measured. */
  get duties(): MakeDuties[] {
    return DUTIES.map((make) => (context) => make(context).map((duty) => this.#measured(duty)));
  }

  /** What the daemon does by schedule, measured. */
  get work(): Partial<Record<TaskKind, Work>> {
    const kinds = Object.entries(WORK) as [TaskKind, Work][];
    return Object.fromEntries(
      kinds.map(([kind, work]) => [
        kind,
        (workspace, job) => this.#alone(`${kind} ${job.subject}`, () => work(workspace, job)),
      ]),
    ) as Partial<Record<TaskKind, Work>>;
  }

  /** What there was since the last time, the costliest first: how often, and how much each time. */
  take(): string[] {
    const costs = [...this.#costs].sort(([, one], [, other]) => other.processorMs - one.processorMs);
    this.#costs = new Map();
    return costs.map(([name, { times, processorMs }]) => {
      const each = (processorMs / times).toFixed(processorMs < 10 * times ? 1 : 0);
      return `${Math.round(processorMs)} ms: ${name}, ${times} times ${each} ms`;
    });
  }

  #measured(duty: Duty): Duty {
    // What others ask of a duty besides stays as it is.
    return { ...duty, run: (nowMs, signal) => this.#alone(duty.name, () => duty.run(nowMs, signal)) };
  }

  #alone<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(async () => {
      const before = process.cpuUsage();
      try {
        return await work();
      } finally {
        const { user, system } = process.cpuUsage(before);
        const cost = this.#costs.get(name) ?? { times: 0, processorMs: 0 };
        this.#costs.set(name, { times: cost.times + 1, processorMs: cost.processorMs + (user + system) / 1000 });
      }
    });
    this.#turn = settled(done);
    return done;
  }
}
