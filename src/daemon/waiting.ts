import { pauseUntilAborted } from '../foundation/pause.ts';
import { settled } from '../foundation/promises.ts';
import { type Environment, KnownRuns, Workspace } from '../operations/index.ts';
import { DaemonRecord } from './daemon-record.ts';
import { Driver } from './drive.ts';
import type { MakeDuties } from './duty.ts';
import { Generation, type PlanAtWork } from './generation.ts';
import type { Log } from './log.ts';

export interface WaitingOptions {
  /** Its signal ends the waiting. */
  environment: Environment;
  loaded: PlanAtWork;
  log: Log;
  duties: readonly MakeDuties[];
}

/**
 * What is done while the repository is away before a daemon could begin: it looks for what is wrong, that the repository is
 * away before all, and tells those whose turn it is. What it says to the ledger waits in the journal of this machine. It runs
 * no task, and needs no lease, which lies in the repository.
 */
export class Waiting {
  readonly #ending = new AbortController();
  readonly #generation: Generation;
  readonly #driving: Promise<void>;

  constructor({ environment, loaded, log, duties }: WaitingOptions) {
    const { clock } = environment;
    const signal = AbortSignal.any([environment.signal, this.#ending.signal]);
    const records = new Workspace(loaded, { ...environment, signal: new AbortController().signal });
    const record = new DaemonRecord({ runs: new KnownRuns(), recorder: records.recorder(), clock, log });
    const pause = pauseUntilAborted(signal);
    const driver = new Driver(clock, (milliseconds) => settled(pause(milliseconds)));
    this.#generation = new Generation({
      ...{ environment, loaded, record, log, duties, tasks: [], stopping: signal, woken: driver.wake },
    });
    const { duties: round } = this.#generation;
    const driven = {
      tick: async () => round.begin(clock.nowMs()),
      nextMs: () => Math.min(round.nextMs(clock.nowMs()), record.nextMs),
    };
    this.#driving = driver.run(driven, signal);
  }

  /** Begins nothing more, and resolves when nothing is under way. */
  async end(): Promise<void> {
    this.#ending.abort();
    await settled(this.#driving);
    await this.#generation.end();
  }
}
