import { messageOf } from '../../foundation/errors.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { assertMirrorOf, putOrKeep, type Repository } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';

/** More than that is not kept for a mirror that does not take it: the next run copies it from the primary. */
const QUEUE_LIMIT_BYTES = 48 * 1024 * 1024;

/**
 * - `behind`: it lacks something that only a run copies; nothing is sent.
 * - `catching-up`: a run is under way; what comes meanwhile is kept, since the run may have listed before it.
 * - `level`: what comes is sent at once.
 */
type State = 'behind' | 'catching-up' | 'level';

/**
 * Sends the newest parts of a log to one mirror, in their order, as soon as the primary has them. Nobody waits for it: a
 * mirror that does not take them is left to the next run.
 */
export class TailToMirror {
  readonly #primary: Repository;
  readonly #store: () => Promise<ObjectStore>;
  readonly #note: (message: string) => void;
  #state: State = 'behind';
  #queue: { key: string; bytes: Uint8Array }[] = [];
  #sending: Promise<void> | undefined;

  /** @param store opens the mirror's */
  constructor(primary: Repository, store: () => Promise<ObjectStore>, note: (message: string) => void) {
    this.#primary = primary;
    this.#store = store;
    this.#note = note;
  }

  /** @param bytes are kept, and not changed */
  send(key: string, bytes: Uint8Array): void {
    if (this.#state === 'behind') return;
    this.#queue.push({ key, bytes });
    const queuedBytes = this.#queue.reduce((sum, each) => sum + each.bytes.byteLength, 0);
    if (queuedBytes > QUEUE_LIMIT_BYTES) this.fallBehind();
    else this.#begin();
  }

  /** A run begins. */
  catchUp(): void {
    if (this.#state === 'behind') this.#state = 'catching-up';
  }

  /** A run has brought the mirror what there was when it began. */
  caughtUp(): void {
    if (this.#state === 'catching-up') this.#state = 'level';
    this.#begin();
  }

  fallBehind(): void {
    this.#state = 'behind';
    this.#queue = [];
  }

  /** Sends nothing more; resolves once nothing is under way. */
  async stop(): Promise<void> {
    this.fallBehind();
    if (this.#sending !== undefined) await settled(this.#sending);
  }

  #begin(): void {
    if (this.#state !== 'level' || this.#sending !== undefined || this.#queue.length === 0) return;
    this.#sending = awaitedLater(
      this.#sendAll().finally(() => {
        this.#sending = undefined;
        this.#begin();
      }),
    );
  }

  async #sendAll(): Promise<void> {
    try {
      const store = await this.#store();
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        // Somebody may make it the primary at any time.
        await assertMirrorOf(this.#primary, store);
        await putOrKeep(store, next.key, next.bytes);
      }
    } catch (error) {
      this.fallBehind();
      this.#note(`the newest part of a log did not come along, and is left to the next run: ${messageOf(error)}`);
    }
  }
}
