import { setTimeout as sleep } from 'node:timers/promises';
import { isHoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { follow } from '../follow/follow.ts';
import { type LogStatus, logStatus } from '../log/log-status.ts';
import { Workspace } from '../workspace.ts';

const EVERY_MS = 1000;
const NEVER_MS = 3_600_000;
const NEVER_BYTES = 2 ** 40;
const LOOK_EVERY_MS = 100;

/** Captures the log of a source beside everything else, until it is told to stop. */
export class Following {
  readonly #workspace: Workspace;
  readonly #source: string;
  readonly #stop = new AbortController();
  readonly #following: ReturnType<typeof follow>;

  constructor({ plan, planPath, environment }: Workspace, source: string) {
    const signal = AbortSignal.any([environment.signal, this.#stop.signal]);
    // Beside the story, which has the terminal for itself.
    const quiet = { ...environment, signal, progress: () => noProgress };
    this.#workspace = new Workspace({ plan, ...(planPath !== undefined && { path: planPath }) }, quiet);
    this.#source = source;
    this.#following = awaitedLater(
      follow(this.#workspace, [source], {
        everyMs: EVERY_MS,
        foldAfterMs: NEVER_MS,
        foldAfterBytes: NEVER_BYTES,
        warnRetainedBytes: NEVER_BYTES,
        lookEveryMs: NEVER_MS,
      }),
    );
  }

  /** Resolves once the repository has all of the log until a moment. @throws what ended the following */
  async covers(timeMs: number): Promise<void> {
    const { signal } = this.#workspace.environment;
    for (;;) {
      signal.throwIfAborted();
      const { time } = await this.#status();
      if (time !== undefined && Date.parse(time) >= timeMs) return;
      const ended = await Promise.race([this.#following, sleep(LOOK_EVERY_MS, undefined)]);
      const error = ended?.sources[0]?.error;
      if (error !== undefined) throw error;
    }
  }

  /** Stores what came, and stops. @throws what ended it before */
  async stop(): Promise<void> {
    this.#stop.abort();
    const [followed] = (await this.#following).sources;
    if (followed?.error !== undefined && !isHoldfastError(followed.error, 'interrupted')) throw followed.error;
  }

  async #status(): Promise<LogStatus> {
    const source = this.#workspace.sources([this.#source])[0]!;
    const opened = await this.#workspace.open(source.repository);
    return logStatus(this.#workspace, opened, source, await opened.ledger.read());
  }
}
