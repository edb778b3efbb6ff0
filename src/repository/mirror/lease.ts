import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { type SealingKey, seal, unseal } from '../../format/index.ts';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type Pause, pauseUntilAborted } from '../../foundation/pause.ts';
import { isProcessAlive } from '../../foundation/process-alive.ts';
import type { Progress } from '../../foundation/progress.ts';
import { settled } from '../../foundation/promises.ts';
import { currentUser } from '../../foundation/user.ts';
import type { ObjectStore } from '../../store/index.ts';
import { MIRROR_LEASE_KEY } from '../layout.ts';

const REFRESH_EVERY_MS = 30_000;
/** Who sees the same lease for so long takes its holder for dead. Both clocks are the looker's own, and may be wrong. */
const DEAD_AFTER_MS = 3 * 60_000;
const LOOK_EVERY_MS = 1000;

const VERSION = 1;
const stored = z.object({
  version: z.literal(VERSION),
  holder: z.string(),
  hostname: z.string(),
  pid: z.number().int(),
  username: z.string(),
});

/** The leases of this process: one of its number that is not among them is of a process before it. */
const ownHolders = new Set<string>();

export interface LeaseOptions {
  clock: Clock;
  progress: Progress;
  signal: AbortSignal;
  /** Real time without it. */
  pause?: Pause;
}

/**
 * Keeps runs that bring the same mirror up to date from copying the same at the same time: who comes second waits, and then
 * looks at what is left. It lies in the mirror itself, and takes a store that decides a race, and credentials that may give
 * it back. Where these are not there, no lease is taken: two runs then copy some objects twice, each as the other does, and
 * whatever one of them removes while the other puts it back is removed by the next.
 */
export class MirrorLease {
  readonly #key: SealingKey;
  readonly #mirror: ObjectStore;
  readonly #options: LeaseOptions;
  readonly #holder = randomBytes(16).toString('hex');
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #isLost = false;

  constructor(key: SealingKey, mirror: ObjectStore, options: LeaseOptions) {
    this.#key = key;
    this.#mirror = mirror;
    this.#options = options;
  }

  /**
   * Takes the lease, unless it is held by this one already; waits as long as another holder shows that it is alive.
   * @returns whether there was another: then the mirror is not as it was
   * @throws the store's errors; the signal's reason
   */
  async take(): Promise<boolean> {
    if (this.#timer !== undefined) return false;
    const { conditionalPut, deletes = true } = await this.#mirror.capabilities();
    if (!conditionalPut || !deletes) return false;
    const { clock, progress, signal, pause = pauseUntilAborted(signal) } = this.#options;
    let seen: { bytes: Buffer; sinceMs: number } | undefined;
    ownHolders.add(this.#holder);
    while (!(await this.#putIfAbsent())) {
      const bytes = await this.#read();
      // Given back in the meantime.
      if (bytes === undefined) continue;
      const nowMs = clock.monotonicMs();
      if (!seen?.bytes.equals(bytes)) seen = { bytes, sinceMs: nowMs };
      const other = this.#open(bytes);
      if (isGone(other) || nowMs - seen.sinceMs > DEAD_AFTER_MS) {
        await this.#mirror.delete(MIRROR_LEASE_KEY);
      } else {
        progress.phase(`waiting for another run, of ${other ? `${other.username}@${other.hostname}` : 'somebody'}`);
        await pause(LOOK_EVERY_MS);
      }
    }
    this.#timer = setInterval(() => {
      // A refresh that fails is made again at the next turn.
      this.#refreshing = this.#refreshing.then(() => settled(this.#refresh()));
    }, REFRESH_EVERY_MS);
    this.#timer.unref();
    return seen !== undefined;
  }

  /** @throws lock-lost once another run has taken this one for dead */
  assertHeld(): void {
    if (!this.#isLost) return;
    throw new HoldfastError(
      'lock-lost',
      `another run brings ${this.#mirror.location} up to date: it took this one for dead`,
      {
        hint: 'Nothing is lost: the other run goes on, and the next one copies what it did not.',
        retryable: true,
      },
    );
  }

  /** Gives the lease back, when it is held. @throws the store's errors: then it binds nobody after some minutes */
  async release(): Promise<void> {
    ownHolders.delete(this.#holder);
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#refreshing;
    if (await this.#isOurs()) await this.#mirror.delete(MIRROR_LEASE_KEY);
  }

  async #refresh(): Promise<void> {
    if (this.#isLost) return;
    if (await this.#isOurs()) await this.#mirror.put(MIRROR_LEASE_KEY, this.#sealed());
    else this.#isLost = true;
  }

  async #isOurs(): Promise<boolean> {
    const bytes = await this.#read();
    return bytes !== undefined && this.#open(bytes)?.holder === this.#holder;
  }

  async #putIfAbsent(): Promise<boolean> {
    try {
      await this.#mirror.put(MIRROR_LEASE_KEY, this.#sealed(), { ifAbsent: true });
      return true;
    } catch (error) {
      if (!isHoldfastError(error, 'object-exists')) throw error;
      return false;
    }
  }

  async #read(): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.#mirror.get(MIRROR_LEASE_KEY));
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  /** Another one each time: a seal is never the same twice. */
  #sealed(): Buffer {
    const { username } = currentUser();
    const lease = { version: VERSION, holder: this.#holder, hostname: hostname(), pid: process.pid, username };
    return seal(this.#key, Buffer.from(JSON.stringify(lease)));
  }

  /** Undefined for what cannot be read, as what a later version wrote. */
  #open(bytes: Uint8Array): z.infer<typeof stored> | undefined {
    try {
      return stored.safeParse(JSON.parse(unseal(this.#key, bytes).toString('utf8'))).data;
    } catch (error) {
      if (isHoldfastError(error, 'repository-damaged') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

/** Whether the process of a holder on this machine is over. */
function isGone(other: z.infer<typeof stored> | undefined): boolean {
  if (other === undefined || other.hostname !== hostname()) return false;
  return other.pid === process.pid ? !ownHolders.has(other.holder) : !isProcessAlive(other.pid);
}
