import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  type ByteRange,
  type Content,
  DecoratedStore,
  lockThrough,
  type ObjectLock,
  type ObjectStore,
  type PutOptions,
  type RecallRequest,
  type StoredObject,
  type Use,
  type VersionId,
} from '../index.ts';

export interface RetrySettings {
  clock: Clock;
  /** Ends every wait. */
  signal: AbortSignal;
  /** Resolves after so many milliseconds. */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** From 0 up to 1. */
  random?: () => number;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;
/** How long one call is tried, from its first failure on. */
const BUDGET_MS = 10 * 60_000;
/** The same while the store has never answered: then it is rather the place or the network that is wrong. */
const FIRST_CONTACT_BUDGET_MS = 20_000;

/**
 * Makes calls again that fail with an error that is `retryable`, after a random wait below a limit that doubles each time.
 * What the store asks for in `retryAfterMs` holds for all calls: none is made before.
 *
 * The one place where calls to a store are made again.
 * Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
 */
export class RetryingStore extends DecoratedStore {
  readonly #settings: Required<RetrySettings>;
  #hasAnswered = false;
  /** By the monotonic clock: no call before. */
  #closedUntilMs = 0;

  constructor(inner: ObjectStore, settings: RetrySettings) {
    super(inner);
    const wait = (ms: number, signal: AbortSignal) => setTimeout(ms, undefined, { signal });
    this.#settings = { wait, random: Math.random, ...settings };
  }

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    // The file may be gone by the time that it is asked for.
    const digest = options.ifAbsent ? await digestOf(content) : undefined;
    try {
      await this.#run(async (isAgain) => {
        try {
          await this.inner.put(key, content, options);
        } catch (error) {
          // What is there may be what an earlier attempt put, whose answer was lost.
          const isOurs = isAgain && isHoldfastError(error, 'object-exists') && (await this.#holds(key, digest));
          if (!isOurs) throw error;
        }
      });
    } finally {
      if (!(content instanceof Uint8Array)) await rm(content.file, { force: true });
    }
  }

  override get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    return this.#run(() => this.inner.get(key, range, use));
  }

  override list(prefix: string): AsyncIterable<StoredObject> {
    return this.#listAgain(
      () => this.inner.list(prefix),
      ({ key }) => key,
    );
  }

  /** Begins anew after a failure; what was told is not told twice. */
  async *#listAgain<T>(begin: () => AsyncIterable<T>, nameOf: (listed: T) => string): AsyncIterable<T> {
    const told = new Set<string>();
    const attempts = new Attempts();
    while (true) {
      await this.#untilOpen();
      try {
        for await (const listed of begin()) {
          this.#hasAnswered = true;
          const name = nameOf(listed);
          if (told.has(name)) continue;
          told.add(name);
          attempts.reset();
          yield listed;
        }
        this.#hasAnswered = true;
        return;
      } catch (error) {
        await this.#afterFailure(error, attempts);
      }
    }
  }

  override stat(key: string): Promise<StoredObject | undefined> {
    return this.#run(() => this.inner.stat(key));
  }

  override delete(key: string): Promise<void> {
    return this.#run(() => this.inner.delete(key));
  }

  override recall(key: string, request: RecallRequest): Promise<void> {
    return this.#run(() => super.recall(key, request));
  }

  override makePlace(options?: { lock?: boolean }): Promise<void> {
    return this.#run(() => super.makePlace(options));
  }

  override get lock(): ObjectLock | undefined {
    const { lock } = this.inner;
    const request = <T>(_method: string, work: () => Promise<T>) => this.#run(work);
    return lock && lockThrough(lock, { request, listing: (begin) => this.#listAgain(begin, nameOfVersion) });
  }

  async #run<T>(work: (isAgain: boolean) => Promise<T>): Promise<T> {
    const attempts = new Attempts();
    while (true) {
      await this.#untilOpen();
      try {
        const result = await work(attempts.failed > 0);
        this.#hasAnswered = true;
        return result;
      } catch (error) {
        await this.#afterFailure(error, attempts);
      }
    }
  }

  async #untilOpen(): Promise<void> {
    const { clock } = this.#settings;
    for (let ms = this.#closedUntilMs - clock.monotonicMs(); ms > 0; ms = this.#closedUntilMs - clock.monotonicMs())
      await this.#wait(ms);
  }

  /** Waits until the next attempt is due. @throws the failure, when there is to be none */
  async #afterFailure(error: unknown, attempts: Attempts): Promise<void> {
    if (!isHoldfastError(error) || !error.retryable) {
      this.#hasAnswered ||= isHoldfastError(error) && error.code !== 'store-unreachable';
      throw error;
    }
    const { clock, random } = this.#settings;
    const nowMs = clock.monotonicMs();
    const limitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempts.failed);
    const askedMs = error.retryAfterMs ?? 0;
    const waitMs = Math.max(askedMs, random() * limitMs);
    const passedMs = attempts.fail(nowMs);
    const budgetMs = this.#hasAnswered ? BUDGET_MS : FIRST_CONTACT_BUDGET_MS;
    if (passedMs + waitMs > budgetMs) throw givenUp(error, attempts.failed, passedMs);
    this.#closedUntilMs = Math.max(this.#closedUntilMs, nowMs + askedMs);
    await this.#wait(waitMs);
  }

  async #wait(ms: number): Promise<void> {
    const { wait, signal } = this.#settings;
    try {
      await wait(ms, signal);
    } catch (cause) {
      if (!signal.aborted) throw cause;
      throw new HoldfastError('interrupted', `interrupted while waiting for ${this.location}`, { cause });
    }
  }

  async #holds(key: string, digest: string | undefined): Promise<boolean> {
    return (await digestOf(await this.get(key))) === digest;
  }
}

function nameOfVersion({ key, id }: VersionId): string {
  return `${key} ${id}`;
}

/** How often and since when a call has failed in a row. */
class Attempts {
  failed = 0;
  #sinceMs = 0;

  /** @returns milliseconds since the first failure */
  fail(nowMs: number): number {
    if (this.failed === 0) this.#sinceMs = nowMs;
    this.failed++;
    return nowMs - this.#sinceMs;
  }

  reset(): void {
    this.failed = 0;
  }
}

function givenUp(error: HoldfastError, times: number, passedMs: number): HoldfastError {
  const tried = times === 1 ? '' : ` (tried ${times} times in ${Math.round(passedMs / 1000)} s)`;
  return new HoldfastError(error.code, `${error.message}${tried}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    context: { ...error.context, attempts: times },
    retryable: true,
    cause: error,
  });
}

async function digestOf(content: Content): Promise<string> {
  const digest = createHash('sha256');
  if (content instanceof Uint8Array) digest.update(content);
  else for await (const chunk of createReadStream(content.file)) digest.update(chunk as Buffer);
  return digest.digest('hex');
}
