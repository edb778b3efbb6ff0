import { randomBytes } from 'node:crypto';
import type { Clock } from '../foundation/clock.ts';
import { backOffMs, follow, reportable, type Workspace } from '../operations/index.ts';
import type { DaemonRecord } from './daemon-record.ts';
import type { Log } from './log.ts';

/** Who followed for so long before it failed begins with the shortest back-off again. */
const HEALTHY_MS = 60 * 60_000;

export interface FollowersOptions {
  /** Its signal ends all that is followed. */
  workspace: Workspace;
  record: DaemonRecord;
  clock: Clock;
  log: Log;
  /** Told when something is to be looked at again. */
  ended(): void;
}

interface Follower {
  source: string;
  running?: Promise<void>;
  attempt: number;
  /** When it is to be begun again. */
  againMs: number;
}

/** Keeps sources followed all the time: one that failed is begun again after a while. */
export class Followers {
  readonly #options: FollowersOptions;
  readonly #followers: Follower[];

  constructor(sources: readonly string[], options: FollowersOptions) {
    this.#options = options;
    this.#followers = sources.map((source) => ({ source, attempt: 1, againMs: Number.NEGATIVE_INFINITY }));
  }

  /** Begins what is not followed and is to be by now. */
  begin(nowMs: number): void {
    if (this.#options.workspace.environment.signal.aborted) return;
    for (const follower of this.#followers) {
      // Begun in a future that a clock which was ahead made up, it would never be.
      follower.againMs = Math.min(follower.againMs, nowMs + HEALTHY_MS);
      if (follower.running !== undefined || follower.againMs > nowMs) continue;
      follower.running = this.#run(follower).finally(() => {
        delete follower.running;
        this.#options.ended();
      });
    }
  }

  nextMs(): number {
    const idle = this.#followers.filter(({ running }) => running === undefined);
    return Math.min(Number.POSITIVE_INFINITY, ...idle.map(({ againMs }) => againMs));
  }

  /** Resolves once nothing is followed any more: to be called when the signal was aborted. */
  async stopped(): Promise<void> {
    await Promise.all(this.#followers.map(({ running }) => running));
  }

  async #run(follower: Follower): Promise<void> {
    const { record, clock, log } = this.#options;
    const { source, attempt } = follower;
    const [run, task] = [randomBytes(16).toString('hex'), `follow:${source}`];
    const startedMs = clock.monotonicMs();
    await record.append('run.started', { run, task, attempt });
    log.info('following', { run, source, attempt });
    const error = await this.#follow(source);
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    if (error === undefined) {
      await record.append('run.finished', { run, task, outcome: 'done', durationMs });
      return;
    }
    const { code, message, retryable } = error;
    await record.append('run.finished', { run, task, outcome: 'failed', code, message, retryable, durationMs });
    log.error('following failed', { run, source, code, error: message });
    follower.attempt = durationMs >= HEALTHY_MS ? 1 : attempt + 1;
    const failed = { attempt, endedMs: clock.nowMs(), retry: 'soon' as const };
    follower.againMs = failed.endedMs + backOffMs(task, failed);
  }

  /** @returns what ended it, unless it was to end */
  async #follow(source: string) {
    const { workspace } = this.#options;
    const { signal } = workspace.environment;
    try {
      const { sources } = await follow(workspace, [source]);
      const error = sources[0]?.error;
      return signal.aborted ? undefined : (error ?? reportable(new Error(`following ${source} ended`), signal));
    } catch (thrown) {
      return signal.aborted ? undefined : reportable(thrown, signal);
    }
  }
}
