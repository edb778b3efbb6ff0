import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../../foundation/errors.ts';
import { giveBackMemory } from '../../foundation/memory.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { EventBodies } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, lockRepository, type StoredSnapshot, snapshotKey } from '../../repository/index.ts';
import type { Changes, Source, Watch } from '../../source/index.ts';
import { type Taken, takeSnapshot } from '../backup/backup-source.ts';
import { isOutage } from '../log/outages.ts';
import { parentsOf } from '../snapshots-of.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { CaptureTimes } from './capture-times.ts';
import type { Followed } from './followed-source.ts';
import { FollowedJudge } from './judge-followed.ts';
import type { FollowSettings } from './settings.ts';
import { thinOut } from './thin-out.ts';

/** Who has waited for so long is likely to wait for longer. */
const AT_REST_AFTER_MS = 5000;

/**
 * One source's changes on their way into its repository: what its watch tells of becomes a snapshot within seconds, and
 * everything is looked at when it begins, every so often, and whenever the watch has lost track.
 *
 * What was told and is in no snapshot yet is kept here; a run that dies leaves it to the next one, which begins by looking at
 * everything. A snapshot builds on the one before it only while that is this run's own.
 */
export class FollowedChanges {
  readonly #workspace: Workspace;
  readonly #planned: PlanSource;
  readonly #opened: OpenedRepository;
  readonly #settings: FollowSettings;
  readonly #progress: ReturnType<Workspace['environment']['progress']>;
  readonly #times: CaptureTimes;
  #pending: Changes = 'anywhere';
  #newest: StoredSnapshot | undefined;
  readonly #counts = { snapshots: 0, bytes: 0 };
  /** What keeps it from capturing, since the last snapshot. */
  #failure: HoldfastError | undefined;
  /** Of snapshots that the ledger does not have yet: the newest, with what all of them added. */
  #unrecorded: EventBodies['backup.finished'] | undefined;
  /** The first of them. */
  #first: EventBodies['backup.finished'] | undefined;
  readonly #judge: FollowedJudge;
  #recordedMs: number;
  #thinning: Promise<void> | undefined;
  /** What kept it from thinning out, which is told once. */
  #thinningNote: string | undefined;
  #wake = (): void => {};

  constructor(workspace: Workspace, planned: PlanSource, opened: OpenedRepository, settings: FollowSettings) {
    const { clock, progress } = workspace.environment;
    this.#workspace = workspace;
    this.#planned = planned;
    this.#opened = opened;
    this.#settings = settings;
    this.#progress = progress(planned.name);
    this.#times = new CaptureTimes(clock, { ...settings, rpoMs: planned.objectives.rpoMs });
    this.#recordedMs = clock.monotonicMs();
    this.#judge = new FollowedJudge(opened);
  }

  /** Resolves once the signal was aborted, or something went wrong that trying again does not mend. */
  async run(): Promise<Followed> {
    const { signal } = this.#workspace.environment;
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    let failure: unknown;
    try {
      const source = await this.#workspace.createSource(this.#planned);
      const watch = await this.#watch(source);
      try {
        await this.#record(() => this.#opened.ledger.append('follow.started', { source: this.#planned.name }));
        await this.#captureUntilAborted(source, watch);
      } finally {
        await watch.close();
      }
    } catch (error) {
      failure = error;
    }
    signal.removeEventListener('abort', wake);
    await this.#thinning;
    this.#progress.finish();
    return this.#stopped(failure);
  }

  #watch(source: Source): Promise<Watch> {
    if (source.watch === undefined) {
      throw new HoldfastError('source-unsupported', `${this.#planned.name} cannot be watched for changes`, {
        hint: 'Give it a schedule such as `hourly` in the plan.',
      });
    }
    return source.watch({
      onChange: () => {
        this.#times.changed();
        this.#wake();
      },
      note: (message) => this.#progress.note(message),
    });
  }

  async #captureUntilAborted(source: Source, watch: Watch): Promise<void> {
    const { signal } = this.#workspace.environment;
    let isAtRest = false;
    while (!signal.aborted) {
      const waitMs = this.#times.waitMs(watch.isIncomplete);
      if (waitMs <= 0) {
        await this.#captureWhatChanged(source, watch);
        isAtRest = false;
      } else if (isAtRest || waitMs <= AT_REST_AFTER_MS) await this.#atMost(waitMs);
      else if (await this.#atMost(AT_REST_AFTER_MS)) {
        giveBackMemory();
        isAtRest = true;
      }
    }
  }

  /** Ends sooner when something changed, or the work is to end. @returns whether all the time has passed */
  async #atMost(waitMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(true), waitMs);
    this.#wake = () => resolve(false);
    const hasPassed = await promise;
    clearTimeout(timer);
    return hasPassed;
  }

  async #captureWhatChanged(source: Source, watch: Watch): Promise<void> {
    const isScan = this.#times.isScanDue(watch.isIncomplete);
    this.#times.begins();
    this.#pending = together(isScan ? 'anywhere' : this.#pending, watch.take());
    try {
      const taken = await this.#capture(source);
      this.#times.captured(taken.wasScan);
      await this.#heed(taken);
    } catch (error) {
      this.#heedFailure(error);
    }
  }

  async #capture(source: Source): Promise<Taken & { wasScan: boolean }> {
    const { clock } = this.#workspace.environment;
    const { repository } = this.#opened;
    const lock = await lockRepository(repository, { exclusive: false, clock });
    try {
      const parent = await this.#parent();
      const isOwn = parent !== undefined && parent.id === this.#newest?.id;
      const changed = isOwn && this.#pending !== 'anywhere' ? this.#pending : undefined;
      const parents = new Map(parent && [[this.#planned.name, parent]]);
      const shared = { opened: this.#opened, lock, indexed: await loadIndex(repository), parents };
      const taken = await takeSnapshot(this.#workspace, { planned: this.#planned, source }, shared, changed);
      return { ...taken, wasScan: changed === undefined };
    } finally {
      await lock.release();
    }
  }

  /** This run's newest snapshot, as long as it is there and no other run has taken one since. */
  async #parent(): Promise<StoredSnapshot | undefined> {
    const { name } = this.#planned;
    const { repository } = this.#opened;
    const stored = (await parentsOf(repository, this.#workspace.plan.name, [name])).bySource.get(name);
    const own = this.#newest;
    if (own === undefined || stored === undefined || stored.id === own.id) return stored;
    if (snapshotTimeMs(stored) > snapshotTimeMs(own)) return stored;
    return (await repository.store.stat(snapshotKey(own.id))) === undefined ? stored : own;
  }

  async #heed({ result, event, stored, again, wasScan }: Taken & { wasScan: boolean }): Promise<void> {
    this.#pending = new Set(again);
    this.#newest = stored;
    this.#counts.snapshots++;
    this.#counts.bytes += result.bytesStored;
    const before = this.#unrecorded;
    this.#first ??= event;
    this.#unrecorded = {
      ...event,
      bytesAdded: event.bytesAdded + (before?.bytesAdded ?? 0),
      bytesStored: result.bytesStored + (before?.bytesStored ?? 0),
    };
    for (const { item, error } of result.problems) this.#progress.note(`${item}: ${error.message}`);
    const hadFailed = this.#failure !== undefined;
    this.#failure = undefined;
    if (hadFailed) this.#progress.note('captured again');
    const nowMs = this.#workspace.environment.clock.monotonicMs();
    if (!wasScan && !hadFailed && nowMs - this.#recordedMs < this.#settings.foldAfterMs) return;
    this.#recordedMs = nowMs;
    await this.#recordCaptured();
    this.#thinning ??= awaitedLater(
      this.#thin().finally(() => {
        this.#thinning = undefined;
      }),
    );
  }

  /** Who else is at work in the repository is waited for until the next time. */
  async #thin(): Promise<void> {
    const { signal } = this.#workspace.environment;
    try {
      await thinOut(this.#workspace, this.#opened, this.#planned);
    } catch (error) {
      if (signal.aborted || isHoldfastError(error, 'repository-locked')) return;
      const note = `older snapshots could not be thinned out: ${messageOf(error)}`;
      if (note !== this.#thinningNote) this.#progress.note(note);
      this.#thinningNote = note;
    }
  }

  /** @throws what trying again does not mend */
  #heedFailure(error: unknown): void {
    const { signal } = this.#workspace.environment;
    if (signal.aborted) return;
    const failure = reportable(error, signal);
    const wasPart = this.#pending !== 'anywhere';
    if (isHoldfastError(error, 'repository-damaged') && wasPart) this.#pending = 'anywhere';
    else if (!isOutage(error) && !failure.retryable && failure.code !== 'path-missing') throw error;
    this.#times.failed();
    if (this.#failure === undefined) {
      this.#progress.note(`nothing is captured: ${failure.message}; trying again`);
      const { code, message } = failure;
      const failed = { source: this.#planned.name, code, message, durationMs: 0 };
      awaitedLater(this.#record(() => this.#opened.ledger.append('backup.failed', failed)));
    }
    this.#failure = failure;
  }

  async #recordCaptured(): Promise<void> {
    const event = this.#unrecorded;
    if (event === undefined) return;
    const first = this.#first ?? event;
    this.#unrecorded = undefined;
    this.#first = undefined;
    await this.#record(() => this.#opened.ledger.append('backup.finished', event));
    await this.#record(async () => {
      const why = await this.#judge.judge(event, first, this.#workspace.environment.clock.nowMs());
      if (why !== undefined) this.#progress.note(`suspect: ${why}`);
    });
  }

  /** An event that the ledger does not take now must not end what is being saved. */
  async #record(append: () => Promise<void>): Promise<void> {
    try {
      await append();
    } catch (error) {
      this.#progress.note(`this was not recorded in the ledger: ${messageOf(error)}`);
    }
  }

  async #stopped(cause: unknown): Promise<Followed> {
    const { signal } = this.#workspace.environment;
    const ended = cause === undefined ? undefined : reportable(cause, signal);
    // Who was interrupted while it failed has failed; what ended it by itself is the news.
    const error = ended === undefined || ended.code === 'interrupted' ? (this.#failure ?? ended) : ended;
    const source = this.#planned.name;
    await this.#recordCaptured();
    const why = error && { code: error.code, message: error.message };
    await this.#record(() => this.#opened.ledger.append('follow.stopped', { source, ...why }));
    const snapshot = this.#newest?.id;
    return { source, ...this.#counts, ...(snapshot && { snapshot }), gaps: [], ...(error && { error }) };
  }
}

function together(one: Changes, other: Changes): Changes {
  return one === 'anywhere' || other === 'anywhere' ? 'anywhere' : one.union(other);
}
