import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { FileLock } from '../foundation/file-lock.ts';
import type { Pause } from '../foundation/pause.ts';
import type { Workspace } from '../operations/index.ts';
import { EpochLease, type LeaseHolder } from '../repository/index.ts';
import type { Log } from './log.ts';

const RENEW_EVERY_MS = 60_000;
/** While it cannot be renewed. */
const TRY_EVERY_MS = 10_000;

export interface SoleOptions {
  /** Whose signal ends nothing: what is recorded at the very end goes through it. */
  workspace: Workspace;
  /** Where the lock of this machine is kept: absolute. */
  stateDirectory: string;
  clock: Clock;
  pause: Pause;
  log: Log;
  /** Whether to wait until another daemon ends, or is dead for certain. */
  isWaiting: boolean;
  /** Told when another daemon has taken over. */
  lost(error: HoldfastError): void;
}

/**
 * That one daemon alone runs a plan: by a lock on this machine, which is known at once, and by a lease in the first
 * repository that sources are kept in, which holds everywhere. While the repository is away the holder cannot renew, and
 * nobody else can take over; what it runs in that time fails, until it has renewed.
 */
export class Sole {
  readonly #options: SoleOptions;
  readonly #lock: FileLock;
  readonly #lease: EpochLease | undefined;
  #renewing: Promise<void> | undefined;
  #renewAtMs: number;

  /** @throws daemon-running when there is another; the errors of the system and of the repository */
  static async claim(options: SoleOptions): Promise<Sole> {
    const lock = await takeLock(options);
    try {
      return new Sole(options, lock, await takeLease(options));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(options: SoleOptions, lock: FileLock, lease: EpochLease | undefined) {
    this.#options = options;
    this.#lock = lock;
    this.#lease = lease;
    this.#renewAtMs = options.clock.monotonicMs() + RENEW_EVERY_MS;
  }

  /** Begins to renew the lease when that is due. */
  keep(): void {
    if (this.#options.clock.monotonicMs() < this.#renewAtMs || this.#renewing !== undefined) return;
    this.#renewing = this.#renew().then(
      () => {
        this.#renewing = undefined;
      },
      (error: unknown) => {
        this.#renewing = undefined;
        this.#options.log.warn('the lease could not be renewed', { error: String(error) });
      },
    );
  }

  /** When `keep` is to be called next: not while it is at it, which may take as long as a store that does not answer. */
  nextMs(nowMs: number): number {
    if (this.#lease === undefined) return Number.POSITIVE_INFINITY;
    if (this.#renewing !== undefined) return nowMs + TRY_EVERY_MS;
    return nowMs + Math.max(0, this.#renewAtMs - this.#options.clock.monotonicMs());
  }

  /** @throws lock-lost once another daemon has taken over; why the lease could not be renewed, while it is not held */
  async assertHeld(): Promise<void> {
    if (this.#lease === undefined || this.#lease.isHeld) return;
    await this.#renewing;
    if (!this.#lease.isHeld) await this.#renew();
  }

  /** Resolves when it is not being renewed. */
  async idle(): Promise<void> {
    await this.#renewing;
  }

  /** Lets others run the plan. @throws what keeps the lease from being given back: it runs out then */
  async release(): Promise<void> {
    await this.#renewing;
    try {
      await this.#lease?.release();
    } finally {
      await this.#lock.release();
    }
  }

  async #renew(): Promise<void> {
    const { clock } = this.#options;
    this.#renewAtMs = clock.monotonicMs() + TRY_EVERY_MS;
    try {
      await this.#lease?.renew();
      this.#renewAtMs = clock.monotonicMs() + RENEW_EVERY_MS;
    } catch (error) {
      if (isHoldfastError(error, 'lock-lost')) this.#options.lost(error);
      throw error;
    }
  }
}

async function takeLock({ workspace, stateDirectory, clock, pause, log, isWaiting }: SoleOptions): Promise<FileLock> {
  const { plan, planPath = '' } = workspace;
  const name = createHash('sha256').update(`${plan.name}\n${planPath}`).digest('hex').slice(0, 16);
  const path = join(stateDirectory, `daemon-${plan.name}-${name}.lock`);
  const holder = { pid: process.pid, hostname: hostname(), started: new Date(clock.nowMs()).toISOString() };
  for (let isFirst = true; ; isFirst = false) {
    const taken = await FileLock.take(path, `${JSON.stringify(holder)}\n`);
    if ('lock' in taken) return taken.lock;
    if (isWaiting && isFirst) log.info(STANDS_BY, { ...holderIn(taken.heldBy), lock: path });
    if (!isWaiting) throw running(plan.name, holderIn(taken.heldBy), { lock: path });
    await pause(RENEW_EVERY_MS / 60);
  }
}

/** Undefined when its holder has not written it yet. */
function holderIn(text: string): { pid: number; hostname: string } | undefined {
  const [, pid, host] = /"pid":(\d+),"hostname":"([^"]*)"/.exec(text) ?? [];
  return pid === undefined || host === undefined ? undefined : { pid: Number(pid), hostname: host };
}

/** Undefined where there is no repository, or none that can decide which of two was first. */
async function takeLease({ workspace, clock, pause, log, isWaiting }: SoleOptions): Promise<EpochLease | undefined> {
  const [home] = workspace.homeNames;
  if (home === undefined) return undefined;
  const { repository } = await workspace.open(home);
  if (!(await repository.store.capabilities()).conditionalPut) {
    log.warn(
      'this store cannot decide which of two daemons was first: see to it that one machine alone runs the plan',
      {
        repository: home,
      },
    );
    return undefined;
  }
  const options = { clock, pause, name: 'daemon', plan: workspace.plan.name };
  let taken = await EpochLease.take(repository, options, false);
  if ('holder' in taken && isWaiting) {
    log.info(STANDS_BY, { pid: taken.holder?.pid, hostname: taken.holder?.hostname, repository: home });
    taken = await EpochLease.take(repository, options, true);
  }
  if ('lease' in taken) return taken.lease;
  throw running(workspace.plan.name, taken.holder, { repository: home });
}

const STANDS_BY = 'another daemon runs the plan; this one stands by until that one ends, or is known to be dead';

function running(
  plan: string,
  holder: Pick<LeaseHolder, 'pid' | 'hostname' | 'plan'> | undefined,
  where: Record<string, string>,
): HoldfastError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.hostname}`;
  if (holder?.plan !== undefined && holder.plan !== plan) {
    return new HoldfastError('daemon-running', `${who} runs another plan, ${holder.plan}, in ${where['repository']}`, {
      hint: 'Events of runs and alerts do not say of which plan they are: give each plan a repository of its own.',
      context: { plan, other: holder.plan, ...where, pid: holder.pid, hostname: holder.hostname },
    });
  }
  return new HoldfastError('daemon-running', `${who} runs the plan ${plan} already`, {
    hint: 'Stop that one, or wait for its end with `holdfast serve --take-over`. One that died lets go by itself after four minutes.',
    context: { plan, ...where, ...(holder && { pid: holder.pid, hostname: holder.hostname }) },
  });
}
