import type { Environment, Task } from '../operations/index.ts';
import { Workspace } from '../operations/index.ts';
import type { LoadedPlan } from '../plan/index.ts';
import type { DaemonRecord } from './daemon-record.ts';
import type { MakeDuties } from './duty.ts';
import { DutyRound } from './duty-round.ts';
import { Followers } from './followers.ts';
import type { Log } from './log.ts';
import { PlanFile } from './plan-file.ts';
import type { Recoveries } from './recoveries.ts';

/** What a daemon goes by. */
export type PlanAtWork = Pick<LoadedPlan, 'plan' | 'path' | 'text'>;

export interface GenerationOptions {
  environment: Environment;
  loaded: PlanAtWork;
  record: DaemonRecord;
  log: Log;
  duties: readonly MakeDuties[];
  /** There are none before the repository is reached. */
  recoveries?: Recoveries;
  /** Those that are to be done: what is followed is taken from them. */
  tasks: readonly Task[];
  /** Aborted when the daemon stops. */
  stopping: AbortSignal;
  woken(): void;
}

/** What lives as long as a version of the plan: what is made of it ends when another one takes its place. */
export class Generation {
  readonly loaded: PlanAtWork;
  /** What jobs work with: they end with the daemon, and not with the plan. */
  readonly workspace: Workspace;
  readonly planFile: PlanFile;
  readonly duties: DutyRound;
  readonly followers: Followers;
  readonly #ending = new AbortController();

  constructor(given: GenerationOptions) {
    const { environment, loaded, record, log, duties, recoveries, tasks, stopping, woken } = given;
    const { clock } = environment;
    this.loaded = loaded;
    this.workspace = new Workspace(loaded, { ...environment, signal: stopping });
    this.planFile = new PlanFile(loaded, record, log);
    const signal = AbortSignal.any([stopping, this.#ending.signal]);
    const context = {
      workspace: new Workspace(loaded, { ...environment, signal }),
      record,
      clock,
      log,
      ...(recoveries && { recoveries }),
    };
    const made = duties.flatMap((make) => make(context));
    this.duties = new DutyRound(made, context, woken);
    const followed = tasks.flatMap(({ kind, subject }) => (kind === 'follow' ? [subject] : []));
    this.followers = new Followers(followed, { ...context, ended: woken });
  }

  /** Ends what is followed and the duties; resolves when they are over. */
  async end(): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.followers.stopped(), this.duties.idle()]);
  }
}
