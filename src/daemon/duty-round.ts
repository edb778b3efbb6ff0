import type { HoldfastError } from '../foundation/errors.ts';
import { reportable } from '../operations/index.ts';
import type { Duty, DutyContext } from './duty.ts';

/** How long a duty that failed is left alone, if it wants to be done sooner. */
const PAUSE_MS = 1000;

/** Does duties when they want to be done, each at most once at the same time. */
export class DutyRound {
  readonly #duties: readonly Duty[];
  readonly #context: DutyContext;
  readonly #underWay = new Map<Duty, Promise<void>>();
  /** How each failed the last time, so that the same is not recorded again and again. */
  readonly #failures = new Map<Duty, { code: string; atMs: number }>();

  constructor(duties: readonly Duty[], context: DutyContext) {
    this.#duties = duties;
    this.#context = context;
  }

  /** Begins what wants to be done by now. */
  begin(nowMs: number): void {
    for (const duty of this.#duties) {
      if (this.#underWay.has(duty) || this.#wantsMs(duty, nowMs) > nowMs) continue;
      this.#underWay.set(
        duty,
        this.#run(duty, nowMs).finally(() => this.#underWay.delete(duty)),
      );
    }
  }

  /** When the next one wants to be done. */
  nextMs(nowMs: number): number {
    const idle = this.#duties.filter((duty) => !this.#underWay.has(duty));
    return Math.min(Number.POSITIVE_INFINITY, ...idle.map((duty) => this.#wantsMs(duty, nowMs)));
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  #wantsMs(duty: Duty, nowMs: number): number {
    const failedMs = this.#failures.get(duty)?.atMs;
    const wantedMs = duty.nextMs(nowMs);
    // A clock that was set back must not keep it from being done.
    return failedMs === undefined || failedMs > nowMs ? wantedMs : Math.max(wantedMs, failedMs + PAUSE_MS);
  }

  async #run(duty: Duty, nowMs: number): Promise<void> {
    const { signal } = this.#context.workspace.environment;
    try {
      await duty.run(nowMs, signal);
      if (this.#failures.delete(duty)) await this.#context.record.append('duty.recovered', { duty: duty.name });
    } catch (thrown) {
      if (!signal.aborted) await this.#recordFailure(duty, reportable(thrown, signal));
    }
  }

  async #recordFailure(duty: Duty, error: HoldfastError): Promise<void> {
    const { record, clock, log } = this.#context;
    const { code, message } = error;
    const isKnown = this.#failures.get(duty)?.code === code;
    this.#failures.set(duty, { code, atMs: clock.nowMs() });
    log.error('duty failed', { duty: duty.name, code, message });
    if (!isKnown) await record.append('duty.failed', { duty: duty.name, code, message });
  }
}
