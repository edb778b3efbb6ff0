import type { Clock } from '../../foundation/clock.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import { settled } from '../../foundation/promises.ts';
import { EpochLease, type LeaseHolder } from '../../repository/index.ts';
import type { RunRecord } from './run-record.ts';

const RENEW_EVERY_MS = 45_000;

export interface SoleOptions {
  run: string;
  record: RunRecord;
  clock: Clock;
  /** Ends with the signal of whoever calls. */
  pause: Pause;
  /** A person has seen to it that no other process runs the steps, where no store can tell. */
  isAlone: boolean;
  /** It began elsewhere: another process may be at it. */
  isResumed: boolean;
}

/** That one engine alone runs an incident or a drill, on whatever machine. */
export class Sole {
  readonly #options: SoleOptions;
  #lease: EpochLease | undefined;
  /** Why it could not be renewed the last time. */
  #away: HoldfastError | undefined;

  private constructor(options: SoleOptions) {
    this.#options = options;
  }

  /**
   * @throws incident-running while another engine has it; store-unsuitable where no store that can be reached decides a race,
   *   or the one that would is away, and nobody has said that there is no other
   */
  static async take(options: SoleOptions): Promise<Sole> {
    const sole = new Sole(options);
    const { record, isAlone, isResumed } = options;
    if (isResumed && !isAlone) await sole.#refuseOneOutOfSight();
    const taken = await sole.#take(isResumed);
    if (isAlone) return sole;
    if (!taken) throw unsuitable(options.run, 'no repository that can be reached decides who was first');
    const homeAway = isResumed ? record.homeError : undefined;
    if (homeAway === undefined) return sole;
    await sole.release();
    throw unsuitable(options.run, `the repository that would tell cannot be reached (${homeAway.message})`, homeAway);
  }

  /** Shows that it is there, until the pause throws. @throws incident-running once another engine has it */
  async keep(pause: Pause): Promise<never> {
    for (;;) {
      await pause(RENEW_EVERY_MS);
      await this.#renew();
    }
  }

  /** @throws store-unreachable where nothing may be begun, since it was not renewed in time */
  assertHeld(): void {
    if (this.#lease === undefined || this.#lease.isHeld) return;
    throw unshown(this.#options.run, this.#away);
  }

  /** @throws the store's errors: then others wait until it has run out */
  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await lease?.release();
  }

  /**
   * Whose lease ran out in the repository may have lost that alone, and go on at a mirror: where it cannot be seen, a person has to.
   * @throws store-unsuitable
   */
  async #refuseOneOutOfSight(): Promise<void> {
    const { run, record } = this.#options;
    let lapsed: Awaited<ReturnType<typeof EpochLease.lapsed>>;
    for await (const { repository } of record.inReach()) {
      if (!(await repository.store.capabilities()).conditionalPut) continue;
      lapsed ??= await EpochLease.lapsed(repository, leaseOptions(this.#options));
    }
    const [unseen] = record.mirrorErrors;
    if (lapsed === undefined || unseen === undefined) return;
    const { mirror, error } = unseen;
    const why = `${whoIs(lapsed.holder)} has not ended it, and may be at it still by the mirror ${mirror}, which cannot be reached (${error.message})`;
    throw unsuitable(run, why, error);
  }

  async #renew(): Promise<void> {
    if (this.#lease === undefined) return;
    try {
      await this.#lease.renew();
      this.#away = undefined;
    } catch (error) {
      if (isHoldfastError(error, 'lock-lost')) throw running(this.#options.run, undefined, error);
      if (!isHoldfastError(error)) throw error;
      this.#away = error;
      // The repository is away: a mirror decides from now on.
      if (!this.#lease.isHeld || this.#options.record.homeError !== undefined) await this.#take(false);
    }
  }

  /**
   * @param isEverywhere whether no copy behind the one that decides may have a lease of another engine: one that went on there
   *   while the repository was away from it
   * @returns whether a store could decide it
   */
  async #take(isEverywhere: boolean): Promise<boolean> {
    const { run, record } = this.#options;
    const options = leaseOptions(this.#options);
    let lease: EpochLease | undefined;
    for await (const { repository } of record.inReach()) {
      if (lease !== undefined) {
        const other = await EpochLease.look(repository, options);
        if (other === undefined) continue;
        await settled(lease.release());
        throw running(run, other.holder);
      }
      try {
        const got = await EpochLease.take(repository, options, false);
        if (!('lease' in got)) throw running(run, got.holder);
        lease = got.lease;
      } catch (error) {
        if (!isHoldfastError(error, 'store-unsuitable')) throw error;
      }
      if (lease !== undefined && !isEverywhere) break;
    }
    if (lease === undefined) return false;
    this.#lease = lease;
    return true;
  }
}

type Looking = Pick<SoleOptions, 'run' | 'record' | 'clock' | 'pause'>;

function leaseOptions({ run, clock, pause }: Looking): { clock: Clock; pause: Pause; name: string } {
  return { clock, pause, name: `recovery-${run}` };
}

/** Whether a process runs the steps of an incident or a drill just now; `unknown` where no store in reach can tell. */
export async function whoRuns(looking: Looking): Promise<'nobody' | 'a process' | 'unknown'> {
  const runner = await runnerOf(looking);
  return typeof runner === 'string' ? runner : 'a process';
}

/** The same, with whose process it is, as far as that can be read. */
export async function runnerOf(looking: Looking): Promise<'nobody' | 'unknown' | { holder: LeaseHolder | undefined }> {
  let isKnown = false;
  for await (const { repository } of looking.record.inReach()) {
    if (!(await repository.store.capabilities()).conditionalPut) continue;
    const held = await EpochLease.look(repository, leaseOptions(looking));
    if (held !== undefined) return held;
    isKnown = true;
  }
  return isKnown ? 'nobody' : 'unknown';
}

function running(run: string, holder: LeaseHolder | undefined, cause?: unknown): HoldfastError {
  return new HoldfastError('incident-running', `${whoIs(holder)} runs the steps of ${run}`, {
    hint: `Watch it with \`holdfast incident show ${run}\`. Once that process is gone, \`holdfast incident resume ${run}\` goes on within five minutes.`,
    context: { run },
    ...(cause !== undefined && { cause }),
  });
}

function whoIs(holder: LeaseHolder | undefined): string {
  return holder === undefined ? 'another process' : `${holder.username}@${holder.hostname} (process ${holder.pid})`;
}

/** Nobody is known to have taken over, and somebody may have. */
function unshown(run: string, away: HoldfastError | undefined): HoldfastError {
  const why = away === undefined ? 'it stood still' : `no repository takes that (${away.message})`;
  return new HoldfastError(
    'store-unreachable',
    `this process could not show for three minutes that it runs the steps of ${run}: ${why}`,
    {
      hint: `Nothing more is begun, since another process may go on by now. The incident is open: \`holdfast incident resume ${run}\` goes on once a repository is back.`,
      context: { run },
      ...(away !== undefined && { cause: away }),
    },
  );
}

function unsuitable(run: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'store-unsuitable',
    `nobody can tell whether another process runs the steps of ${run}: ${why}`,
    {
      hint: 'See to it that no other process does, on any machine, and say so with `--alone`.',
      context: { run },
      ...(cause !== undefined && { cause }),
    },
  );
}
