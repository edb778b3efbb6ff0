import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { seal, unseal } from '../../format/index.ts';
import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { machineIdentity } from '../../foundation/machine.ts';
import type { Pause } from '../../foundation/pause.ts';
import { isProcessAlive } from '../../foundation/process-alive.ts';
import { currentUser } from '../../foundation/user.ts';
import { LEASES_PREFIX } from '../layout.ts';
import type { Repository } from '../repository.ts';

/** A holder that could not renew its lease for so long holds it no more, by its own monotonic clock. */
export const LEASE_MS = 3 * 60_000;
/** Others wait so much longer: clocks do not run alike, and an answer may be on its way. */
const MARGIN_MS = 60_000;
const LOOK_EVERY_MS = 5000;
const EPOCH_DIGITS = 10;

const VERSION = 1;
const stored = z.object({
  version: z.literal(VERSION),
  holder: z.string(),
  hostname: z.string(),
  /** Where process numbers mean the same. */
  machine: z.string(),
  pid: z.number().int(),
  username: z.string(),
  /** Earlier versions did not say so. */
  plan: z.string().optional(),
  /** It gave the lease back. */
  released: z.boolean(),
});

/** Who holds a lease, as far as it can be read. */
export interface LeaseHolder {
  hostname: string;
  pid: number;
  username: string;
  /** What it holds the lease for. */
  plan?: string | undefined;
}

interface Standing {
  epoch: number;
  bytes: Buffer;
  modifiedMs: number;
  /** Undefined for what a later version wrote. */
  lease: z.infer<typeof stored> | undefined;
}

/** The leases of this process: one of its number that is not among them is of a process before it. */
const ownHolders = new Set<string>();

export interface LeaseOptions {
  clock: Clock;
  pause: Pause;
  /** What only the holder may do: part of the key. */
  name: string;
  /** For which plan: told to whom it keeps from it. */
  plan?: string;
}

/**
 * That one process alone does something, whichever machine it is on. It lies in the repository as an object for each epoch,
 * which a put that succeeds only where nothing is decides; its holder replaces it from time to time. Who sees it unchanged
 * for longer than it holds, or knows its process to be over, takes the next epoch, and steps back if the holder before
 * turns out to be alive. A holder stops when it sees a later epoch, and must not act while it could not renew in time.
 */
export class EpochLease {
  readonly #repository: Repository;
  readonly #options: LeaseOptions;
  readonly #holder = randomBytes(16).toString('hex');
  readonly #machine: string;
  #epoch = 0;
  #heldUntilMs = Number.NEGATIVE_INFINITY;

  private constructor(repository: Repository, options: LeaseOptions, machine: string) {
    this.#repository = repository;
    this.#options = options;
    this.#machine = machine;
  }

  /**
   * Takes the lease where nobody holds it.
   * @param isWaiting whether to wait for as long as another holder is alive, until the pause throws
   * @returns the lease, or who holds it
   * @throws store-unsuitable where no race can be decided; the store's errors
   */
  static async take(
    repository: Repository,
    options: LeaseOptions,
    isWaiting: boolean,
  ): Promise<{ lease: EpochLease } | { holder: LeaseHolder | undefined }> {
    if (!(await repository.store.capabilities()).conditionalPut) throw unsuitable(repository);
    const lease = new EpochLease(repository, options, await machineIdentity());
    let seen: { bytes: Buffer; sinceMs: number } | undefined;
    for (;;) {
      const standing = await lease.#newest();
      const nowMs = options.clock.monotonicMs();
      if (standing === undefined || isOver(standing, lease.#machine)) {
        if (await lease.#takeAfter(standing)) return { lease };
        continue;
      }
      if (!seen?.bytes.equals(standing.bytes)) seen = { bytes: standing.bytes, sinceMs: nowMs };
      const isExpired = nowMs - seen.sinceMs > LEASE_MS + MARGIN_MS || (await lease.#isExpired(standing));
      if (isExpired) {
        if (await lease.#takeAfter(standing)) return { lease };
      } else if (isWaiting) await options.pause(LOOK_EVERY_MS);
      else return { holder: standing.lease };
    }
  }

  /** Who holds the lease just now: undefined where nobody does. Takes nothing. @throws the store's errors */
  static async look(
    repository: Repository,
    options: LeaseOptions,
  ): Promise<{ holder: LeaseHolder | undefined } | undefined> {
    const standing = await EpochLease.#unended(repository, options);
    return standing === undefined || standing.isExpired ? undefined : { holder: standing.holder };
  }

  /**
   * Whose lease has run out, and was neither given back nor is known to be of a process that is over: its holder may go on where
   * it cannot be seen from here. Undefined where there is none such. Takes nothing. @throws the store's errors
   */
  static async lapsed(
    repository: Repository,
    options: LeaseOptions,
  ): Promise<{ holder: LeaseHolder | undefined } | undefined> {
    const standing = await EpochLease.#unended(repository, options);
    return standing?.isExpired ? { holder: standing.holder } : undefined;
  }

  /** The newest lease, unless it was given back or is known to be of a process that is over. */
  static async #unended(
    repository: Repository,
    options: LeaseOptions,
  ): Promise<{ holder: LeaseHolder | undefined; isExpired: boolean } | undefined> {
    const lease = new EpochLease(repository, options, await machineIdentity());
    const standing = await lease.#newest();
    if (standing === undefined || isOver(standing, lease.#machine)) return undefined;
    return { holder: standing.lease, isExpired: await lease.#isExpired(standing) };
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether it was renewed in time: else nothing may be begun that only the holder may do. */
  get isHeld(): boolean {
    return this.#options.clock.monotonicMs() < this.#heldUntilMs;
  }

  /** Shows that the holder is there. @throws lock-lost once another one has taken the lease; the store's errors */
  async renew(): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs();
    await this.#put(false);
    // Behind the put: who took the next epoch before it looks at this one once more, and one of the two sees the other.
    const newest = await this.#newestEpoch();
    if (newest > this.#epoch) {
      this.#heldUntilMs = Number.NEGATIVE_INFINITY;
      throw new HoldfastError('lock-lost', `another process took over the lease ${this.#options.name}`, {
        hint: 'It took this one for dead, which could not reach the repository for a while. Nothing is lost: the other one goes on.',
        context: { lease: this.#options.name, epoch: this.#epoch, newest },
      });
    }
    this.#heldUntilMs = startedMs + LEASE_MS;
  }

  /** Gives it back. @throws the store's errors: then others wait until it has run out */
  async release(): Promise<void> {
    ownHolders.delete(this.#holder);
    this.#heldUntilMs = Number.NEGATIVE_INFINITY;
    await this.#put(true);
  }

  /** @returns whether it is ours: else another one was faster, or the holder before is alive */
  async #takeAfter(before: Standing | undefined): Promise<boolean> {
    this.#epoch = (before?.epoch ?? 0) + 1;
    const startedMs = this.#options.clock.monotonicMs();
    try {
      await this.#repository.store.put(this.#key(this.#epoch), this.#sealed(false), { ifAbsent: true });
    } catch (error) {
      if (!isHoldfastError(error, 'object-exists')) throw error;
      return false;
    }
    ownHolders.add(this.#holder);
    if (before !== undefined && !(await this.#read(before.epoch))?.equals(before.bytes)) {
      await this.#withdraw();
      return false;
    }
    this.#heldUntilMs = startedMs + LEASE_MS;
    if (before !== undefined) await this.#repository.store.delete(this.#key(before.epoch));
    return true;
  }

  /** An epoch that was given back would be followed by the next one, and the holder before it is alive: it has to be as if none had been. */
  async #withdraw(): Promise<void> {
    await this.#repository.store.delete(this.#key(this.#epoch));
    ownHolders.delete(this.#holder);
  }

  async #put(released: boolean): Promise<void> {
    await this.#repository.store.put(this.#key(this.#epoch), this.#sealed(released));
  }

  /** By the store's own clock, of which another object that is put now tells the time. */
  async #isExpired({ modifiedMs }: Standing): Promise<boolean> {
    const { store } = this.#repository;
    const clockKey = `${this.#prefix}clock`;
    await store.put(clockKey, this.#sealed(true));
    const nowMs = (await store.stat(clockKey))?.modifiedMs ?? Number.NEGATIVE_INFINITY;
    return nowMs - modifiedMs > LEASE_MS + MARGIN_MS;
  }

  async #newest(): Promise<Standing | undefined> {
    const epoch = await this.#newestEpoch();
    if (epoch === 0) return undefined;
    const bytes = await this.#read(epoch);
    const known = await this.#repository.store.stat(this.#key(epoch));
    // Taken over between the two looks.
    if (bytes === undefined || known === undefined) return this.#newest();
    return { epoch, bytes, modifiedMs: known.modifiedMs, lease: this.#open(bytes) };
  }

  async #newestEpoch(): Promise<number> {
    let newest = 0;
    for await (const { key } of this.#repository.store.list(this.#prefix)) {
      const [, epoch] = /\/(\d+)$/.exec(key) ?? [];
      newest = Math.max(newest, Number(epoch ?? 0));
    }
    return newest;
  }

  async #read(epoch: number): Promise<Buffer | undefined> {
    try {
      return Buffer.from(await this.#repository.store.get(this.#key(epoch)));
    } catch (error) {
      if (isHoldfastError(error, 'object-missing')) return undefined;
      throw error;
    }
  }

  get #prefix(): string {
    return `${LEASES_PREFIX}${this.#options.name}/`;
  }

  #key(epoch: number): string {
    return `${this.#prefix}${String(epoch).padStart(EPOCH_DIGITS, '0')}`;
  }

  /** Another one each time: a seal is never the same twice. */
  #sealed(released: boolean): Buffer {
    const { username } = currentUser();
    const [holder, machine, pid] = [this.#holder, this.#machine, process.pid];
    const { plan } = this.#options;
    const lease = { version: VERSION, holder, hostname: hostname(), machine, pid, username, plan, released };
    return seal(this.#repository.key, Buffer.from(JSON.stringify(lease)));
  }

  #open(bytes: Uint8Array): Standing['lease'] {
    try {
      return stored.safeParse(JSON.parse(unseal(this.#repository.key, bytes).toString('utf8'))).data;
    } catch (error) {
      if (isHoldfastError(error, 'repository-damaged') || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}

/** Whether it was given back, or its holder is a process of this machine that is over. */
function isOver({ lease }: Standing, machine: string): boolean {
  if (lease === undefined) return false;
  if (lease.released) return true;
  if (lease.machine !== machine) return false;
  return lease.pid === process.pid ? !ownHolders.has(lease.holder) : !isProcessAlive(lease.pid);
}

function unsuitable({ store }: Repository): HoldfastError {
  return new HoldfastError('store-unsuitable', `${store.location} cannot decide which of two was first`, {
    hint: 'A lease needs a store with conditional puts. Without one, see to it that one process alone runs the plan.',
    context: { store: store.location },
  });
}
