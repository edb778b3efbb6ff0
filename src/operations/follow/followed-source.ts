import { setTimeout as sleep } from 'node:timers/promises';
import { type HoldfastError, messageOf } from '../../foundation/errors.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { type LogPosition, LogTail, lsnText } from '../../repository/index.ts';
import type { LogCluster, LogGap, LogLeft, Source } from '../../source/index.ts';
import { backup } from '../backup/backup.ts';
import { foldTail } from '../log/fold.ts';
import { foldSnapshots } from '../log/fold-snapshots.ts';
import { Spool } from '../log/spool.ts';
import { againAfterFold, StoredLog, type SystemPosition } from '../log/stored-log.ts';
import { TailWriter } from '../log/tail-writer.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { hasLeadingBackup } from './leading-backup.ts';
import type { FollowSettings } from './settings.ts';

export interface Followed {
  source: string;
  /** All of the log before it is in the repository; absent when nothing was stored. */
  lsn?: string;
  timeline?: number;
  /** Of what is watched: how many snapshots this run took, and the newest. */
  snapshots?: number;
  snapshot?: string;
  /** Bytes that this run stored. */
  bytes: number;
  /** Parts of the log that the server had no more. */
  gaps: { start: string; end: string }[];
  /** What ended it, when nobody asked for it. */
  error?: HoldfastError;
}

const SHOW_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 1000;
const RETRY_BACKUP_MS = 10_000;

/** One source's log on its way into its repository. */
export class FollowedSource {
  readonly #workspace: Workspace;
  readonly #planned: PlanSource;
  readonly #opened: OpenedRepository;
  readonly #settings: FollowSettings;
  readonly #progress: ReturnType<Workspace['environment']['progress']>;
  readonly #writer: TailWriter;
  readonly #gaps: Followed['gaps'] = [];
  #server: { serverLsn: bigint; serverMs: number } | undefined;
  #folded: { atMs: number; bytes: number };
  /** When snapshots were last looked at for what is old enough to become one. */
  #aged: number | undefined;
  #folding: Promise<void> | undefined;
  /** A backup must lead to here, and it is not known that one does. */
  #neededFrom: LogPosition | undefined;
  #backingUp: Promise<void> | undefined;
  #hasStarted = false;
  /** Releases that the ledger does not have yet. */
  readonly #released: number[] = [];

  static async open(
    workspace: Workspace,
    planned: PlanSource,
    opened: OpenedRepository,
    settings: FollowSettings,
  ): Promise<FollowedSource> {
    const tail = new LogTail(opened.repository, { plan: workspace.plan.name, source: planned.name });
    const { spoolDirectory: path, spoolLimitBytes } = settings;
    if (path === undefined) return new FollowedSource(workspace, planned, { opened, tail }, settings);
    const store = await workspace.environment.adapters.openStore({ kind: 'local', path }, workspace.environment);
    const spool = await Spool.open(store, tail.prefix, spoolLimitBytes);
    return new FollowedSource(workspace, planned, { opened, tail, spool }, settings);
  }

  private constructor(
    workspace: Workspace,
    planned: PlanSource,
    { opened, tail, spool }: { opened: OpenedRepository; tail: LogTail; spool?: Spool },
    settings: FollowSettings,
  ) {
    const { clock, signal, progress } = workspace.environment;
    this.#workspace = workspace;
    this.#planned = planned;
    this.#opened = opened;
    this.#settings = settings;
    this.#progress = progress(planned.name);
    this.#folded = { atMs: clock.monotonicMs(), bytes: 0 };
    this.#writer = new TailWriter(tail, {
      spool,
      clock,
      signal,
      everyMs: settings.everyMs,
      positionOf: (cluster) => againAfterFold(() => this.#positionOf(cluster)),
      find: async (alias) => (await this.#stored()).find(alias),
      needsBackup: (from) => {
        this.#neededFrom = from;
      },
      recordRelease: (retainedBytes) => this.#noteRelease(retainedBytes),
      recordGap: (cluster, gap) => this.#recordGap(cluster, gap),
      recordLeft: (cluster, left) => this.#recordLeft(cluster, left),
      note: (message) => this.#progress.note(message),
    });
  }

  /** Resolves once the signal was aborted, or something went wrong that trying again does not mend. */
  async run(): Promise<Followed> {
    const { signal, clock } = this.#workspace.environment;
    const source = await this.#workspace.createSource(this.#planned);
    const show = setInterval(() => this.#show(), SHOW_EVERY_MS);
    const look = setInterval(() => awaitedLater(this.#look()), LOOK_EVERY_MS);
    let failure: unknown;
    try {
      await this.#follow(source, clock, signal);
    } catch (error) {
      failure = error;
    }
    clearInterval(show);
    clearInterval(look);
    await this.#folding;
    await this.#backingUp;
    try {
      await this.#writer.close();
    } catch (error) {
      failure ??= error;
    }
    this.#progress.finish();
    return this.#stopped(failure);
  }

  async #follow(source: Source, clock: Workspace['environment']['clock'], signal: AbortSignal): Promise<void> {
    this.#progress.phase('connecting');
    await source.follow?.(this.#writer, {
      clock,
      signal,
      warnRetainedBytes: this.#settings.warnRetainedBytes,
      lookEveryMs: this.#settings.lookEveryMs,
      releaseRetainedBytes: this.#settings.releaseRetainedBytes,
      note: (message) => this.#progress.note(message),
      observe: (server) => {
        this.#server = server;
      },
    });
  }

  /** Whoever writes a stream goes on where it may be cut; segments are bytes, wherever they are cut. */
  async #positionOf({ system, segmentBytes }: LogCluster): Promise<LogPosition | undefined> {
    const stored = await this.#stored();
    try {
      if (segmentBytes !== undefined) return stored.positionOf(system);
      const position = await stored.lastStamp(system);
      const end = position === undefined ? await stored.newestEnd() : undefined;
      if (end !== undefined && end.system !== system) await this.#recordEnd(end);
      return position;
    } finally {
      await stored.close();
    }
  }

  #stored(): Promise<StoredLog> {
    const { repository } = this.#opened;
    const owner = { plan: this.#workspace.plan.name, source: this.#planned.name };
    return StoredLog.read(repository, owner, async () => (await readableSnapshots(repository)).snapshots);
  }

  /** What is due beside receiving: that it has started is recorded, and the tail is folded. */
  async #look(): Promise<void> {
    const { cluster, durable } = this.#writer;
    if (this.#released.length > 0) await settled(this.#recordReleases());
    if (this.#neededFrom !== undefined && this.#backingUp === undefined) {
      this.#backingUp = this.#backUp(this.#neededFrom).finally(() => {
        this.#backingUp = undefined;
      });
    }
    if (cluster === undefined || durable === undefined) return;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      await this.#record(() =>
        this.#opened.ledger.append('follow.started', {
          source: this.#planned.name,
          system: cluster.system,
          timeline: durable.timeline,
          lsn: lsnText(durable.lsn),
        }),
      );
    }
    if (this.#folding === undefined && this.#isFoldDue()) {
      this.#folding = this.#fold(cluster).finally(() => {
        this.#folding = undefined;
      });
    }
  }

  #isFoldDue(): boolean {
    const { foldAfterMs, foldAfterBytes } = this.#settings;
    const bytes = this.#writer.written.bytes - this.#folded.bytes;
    const ageMs = this.#workspace.environment.clock.monotonicMs() - this.#folded.atMs;
    return bytes > 0 && (bytes >= foldAfterBytes || ageMs >= foldAfterMs);
  }

  /** What cannot be folded now stays where it is as safe: in the tail, or in small snapshots. */
  async #fold(cluster: LogCluster): Promise<void> {
    const { bytes } = this.#writer.written;
    const nowMs = (): number => this.#workspace.environment.clock.monotonicMs();
    const { name } = this.#planned;
    await this.#unlessFails('the log could not become a snapshot yet', () =>
      foldTail(this.#workspace, this.#opened, name, cluster),
    );
    this.#folded = { atMs: nowMs(), bytes };
    if (this.#aged !== undefined && nowMs() - this.#aged < this.#settings.foldAfterMs) return;
    await this.#unlessFails('older parts of the log could not become one snapshot yet', () =>
      foldSnapshots(this.#workspace, this.#opened, name),
    );
    this.#aged = nowMs();
  }

  /** Without one, nothing of what is taken can be restored: it is tried until there is one. */
  async #backUp(from: LogPosition): Promise<void> {
    const { name } = this.#planned;
    const { signal } = this.#workspace.environment;
    await this.#unlessFails('the backup that is needed failed, and is tried again', async () => {
      const place = { ...from, system: this.#writer.cluster!.system };
      if (!(await hasLeadingBackup(this.#workspace, this.#opened, name, place))) {
        this.#progress.note('no backup leads to what is captured from here on: one is taken');
        const [taken] = await backup(this.#workspace, [name]);
        if (taken?.outcome === 'failed') throw taken.error;
      }
      if (this.#neededFrom === from) this.#neededFrom = undefined;
    });
    if (this.#neededFrom === from) await settled(sleep(RETRY_BACKUP_MS, undefined, { signal }));
  }

  async #unlessFails(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#workspace.environment.signal.aborted) this.#progress.note(`${what}: ${messageOf(error)}`);
    }
  }

  async #recordGap({ system, segmentBytes }: LogCluster, { timeline, start, end, reason }: LogGap): Promise<void> {
    const gap = { start: lsnText(start), end: lsnText(end) };
    const source = this.#planned.name;
    await this.#opened.ledger.append('log.gap', { source, system, timeline, ...gap, reason });
    this.#gaps.push(gap);
    this.#progress.note(
      segmentBytes === undefined
        ? `GAP: what was captured ends at ${gap.start}, and what comes next begins at ${gap.end}: ${reason}; no moment in between can be restored`
        : `GAP: the server has no log any more from ${gap.start} to ${gap.end}: no moment in between can be restored; take a backup now`,
    );
  }

  /** A follower that is killed before it has anything of the new timeline finds it again. */
  async #recordLeft({ system }: LogCluster, { timeline, start, end, next }: LogLeft): Promise<void> {
    const left = { timeline, start: lsnText(start), end: lsnText(end), next };
    await this.#opened.ledger.append('log.left', { source: this.#planned.name, system, ...left });
    this.#progress.note(
      `the repository has the log of timeline ${timeline} up to ${left.end}, and the server went on from ${left.start} on timeline ${next}: what was committed in these ${formatSize(Number(end - start))} is not in it, and comes back with no restore from here on`,
    );
  }

  /** What is stored is of a history that the server does not go on with: nobody knows what happened behind its end. */
  async #recordEnd({ system, timeline, lsn }: SystemPosition): Promise<void> {
    const reason = 'the server began anew, with another history of its data';
    await this.#recordGap({ system }, { timeline, start: lsn, end: lsn, reason });
  }

  /** The repository, and the ledger in it, is most likely away: the event is appended when it can be. */
  #noteRelease(retainedBytes: number): void {
    this.#progress.note(
      `the server kept ${formatSize(retainedBytes)} for us, and comes first: it keeps nothing more until the repository is back; what it removes meanwhile is lost to recovery`,
    );
    this.#released.push(retainedBytes);
  }

  async #recordReleases(): Promise<void> {
    for (const retainedBytes of this.#released.splice(0)) {
      try {
        await this.#opened.ledger.append('log.released', { source: this.#planned.name, retainedBytes });
      } catch (error) {
        this.#released.push(retainedBytes);
        throw error;
      }
    }
  }

  /** An event that the ledger does not take now must not end what is being saved. */
  async #record(append: () => Promise<void>): Promise<void> {
    try {
      await append();
    } catch (error) {
      this.#progress.note(`this was not recorded in the ledger: ${messageOf(error)}`);
    }
  }

  async #stopped(failure: unknown): Promise<Followed> {
    const { signal } = this.#workspace.environment;
    const { durable, written, cluster } = this.#writer;
    const error = failure === undefined ? undefined : reportable(failure, signal);
    const position = durable && { timeline: durable.timeline, lsn: lsnText(durable.lsn) };
    const source = this.#planned.name;
    await this.#record(() => this.#recordReleases());
    await this.#record(() =>
      this.#opened.ledger.append('follow.stopped', {
        source,
        ...(position && cluster && { system: cluster.system, ...position }),
        ...(error && { code: error.code, message: error.message }),
      }),
    );
    return { source, ...position, bytes: written.bytes, gaps: this.#gaps, ...(error && { error }) };
  }

  /** `at 16/B374D848, 1.2 MiB behind, stored 3 s ago, covers all until 4 s ago` */
  #show(): void {
    const { taken, durable, written } = this.#writer;
    if (taken === undefined) return;
    const nowMs = this.#workspace.environment.clock.monotonicMs();
    const parts = [`at ${lsnText(taken.lsn)}`];
    if (this.#server !== undefined) {
      const behind = Number(this.#server.serverLsn - (durable?.lsn ?? taken.lsn));
      parts.push(`${formatSize(Math.max(0, behind))} not stored yet`);
      if (written.serverMs > 0) {
        parts.push(`${formatDuration(Math.max(0, this.#server.serverMs - written.serverMs))} behind`);
      }
    }
    if (Number.isFinite(written.atMs)) parts.push(`stored ${formatDuration(nowMs - written.atMs)} ago`);
    this.#progress.phase(parts.join(', '));
  }
}
