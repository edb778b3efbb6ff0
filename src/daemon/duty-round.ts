import type { HoldfastError } from '../foundation/errors.ts';
import { reportable } from '../operations/index.ts';
import type { Duty, DutyContext } from './duty.ts';

/** How long a duty that failed is left alone, if it wants to be done sooner. */
const PAUSE_MS = 1000;

/** Does duties when they want to be done, each at most once at the same time. */
export class DutyRound {
  readonly #duties: readonly Duty[];
  readonly #context: DutyContext;
  readonly #ended: () => void;
  readonly #underWay = new Map<Duty, Promise<void>>();
  /** When each failed, if it did the last time. */
  readonly #failedMs = new Map<Duty, number>();

  /** @param ended told when a duty is over, so that it is looked at when it is to be done again */
  constructor(duties: readonly Duty[], context: DutyContext, ended: () => void) {
    this.#duties = duties;
    this.#context = context;
    this.#ended = ended;
  }

  /** Begins what wants to be done by now. */
  begin(nowMs: number): void {
    for (const duty of this.#duties) {
      if (this.#underWay.has(duty) || this.#wantsMs(duty, nowMs) > nowMs) continue;
      this.#underWay.set(
        duty,
        this.#run(duty, nowMs).finally(() => {
          this.#underWay.delete(duty);
          this.#ended();
        }),
      );
    }
  }

  /** When the next one wants to be done. */
  nextMs(nowMs: number): number {
    const idle = this.#duties.filter((duty) => !this.#underWay.has(duty));
    return Math.min(Number.POSITIVE_INFINITY, ...idle.map((duty) => this.#wantsMs(duty, nowMs)));
  }

  /** Records of duties which failed, and are none any more by this plan, that nothing is wrong with them. */
  async forgetOthers(): Promise<void> {
    const { record } = this.#context;
    const names = new Set(this.#duties.map(({ name }) => name));
    const others = [...record.runs.failedDuties.keys()].filter((name) => !names.has(name));
    for (const duty of others) await record.append('duty.recovered', { duty });
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  #wantsMs(duty: Duty, nowMs: number): number {
    const failedMs = this.#failedMs.get(duty);
    const wantedMs = duty.nextMs(nowMs);
    // A clock that was set back must not keep it from being done.
    return failedMs === undefined || failedMs > nowMs ? wantedMs : Math.max(wantedMs, failedMs + PAUSE_MS);
  }

  async #run(duty: Duty, nowMs: number): Promise<void> {
    const { workspace, record } = this.#context;
    const { signal } = workspace.environment;
    try {
      await duty.run(nowMs, signal);
      this.#failedMs.delete(duty);
      // Also where it failed in a process before this one.
      if (record.runs.failedDuties.has(duty.name)) await record.append('duty.recovered', { duty: duty.name });
    } catch (thrown) {
      if (!signal.aborted) await this.#recordFailure(duty, reportable(thrown, signal));
    }
  }

  async #recordFailure(duty: Duty, error: HoldfastError): Promise<void> {
    const { record, clock, log } = this.#context;
    const { code, message } = error;
    this.#failedMs.set(duty, clock.nowMs());
    log.error('duty failed', { duty: duty.name, code, error: message });
    // The same is not recorded again and again.
    if (record.runs.failedDuties.get(duty.name) !== code)
      await record.append('duty.failed', { duty: duty.name, code, message });
  }
}
