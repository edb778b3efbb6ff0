import { isHoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Changes, Watch, WatchContext } from '../index.ts';
import { type RefState, refsDigest } from './refs.ts';
import { type Remote, readRefs } from './remote.ts';

/** How often a repository is asked what it names: a directory of this machine, or a server. */
const NEAR_POLL_MS = 2000;
const DISTANT_POLL_MS = 15_000;

export interface WatchedRepository {
  remote: Remote;
  /** Ends what the remote is being asked. */
  stop: AbortController;
  /** Removes what git was configured with. */
  end(): Promise<void>;
}

/**
 * Asks a repository every so often what it names, which is all that can change in it. One that does not answer is asked
 * again, and said once.
 * @param pollEveryMs other than by default
 */
export class RepositoryWatch implements Watch {
  readonly isIncomplete = false;
  readonly #remote: Remote;
  readonly #context: WatchContext;
  readonly #pollEveryMs: number;
  readonly #stop: AbortController;
  readonly #end: () => Promise<void>;
  #known: string | undefined;
  #hasChanged = false;
  #failure: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor({ remote, stop, end }: WatchedRepository, context: WatchContext, pollEveryMs: number) {
    this.#remote = remote;
    this.#stop = stop;
    this.#end = end;
    this.#context = context;
    this.#pollEveryMs = pollEveryMs;
  }

  static async begin(
    watched: WatchedRepository,
    context: WatchContext,
    pollEveryMs = watched.remote.address.protocol === 'path' ? NEAR_POLL_MS : DISTANT_POLL_MS,
  ): Promise<RepositoryWatch> {
    const watch = new RepositoryWatch(watched, context, pollEveryMs);
    await watch.#poll();
    // Whoever begins to watch captures everything in any case.
    watch.#hasChanged = false;
    return watch;
  }

  take(): Changes {
    const changes = this.#hasChanged ? 'anywhere' : new Set<string>();
    this.#hasChanged = false;
    return changes;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#stop.abort();
    await this.#polling;
    await this.#end();
  }

  async #poll(): Promise<void> {
    try {
      this.#answered(await readRefs(this.#remote));
    } catch (error) {
      this.#unanswered(error);
    }
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll();
    }, this.#pollEveryMs);
  }

  #answered(state: RefState): void {
    if (this.#failure !== undefined) this.#context.note('can be asked for changes again');
    this.#failure = undefined;
    const found = refsDigest(state);
    if (found === this.#known) return;
    this.#known = found;
    this.#hasChanged = true;
    this.#context.onChange();
  }

  #unanswered(error: unknown): void {
    if (this.#isClosed) return;
    if (!isHoldfastError(error)) throw error;
    const failure = messageOf(error);
    if (failure !== this.#failure) this.#context.note(`cannot be asked for changes: ${failure}; trying again`);
    this.#failure = failure;
  }
}
