import { snapshotTimeMs } from '../../../format/index.ts';
import { type HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import {
  type Archive,
  hasLog,
  type Repository as PlanRepository,
  type Source as PlanSource,
} from '../../../plan/index.ts';
import {
  describeHolder,
  KnownSnapshots,
  type Repository,
  type StoredSnapshot,
  standingLocks,
} from '../../../repository/index.ts';
import { lostNewest } from '../../acknowledged.ts';
import { type ArchiveStatus, archiveStatus, type LookedAtArchive } from '../../archives/archive-status.ts';
import { archiveDue } from '../../archives/due.ts';
import { contentsOfSources } from '../../history/contents.ts';
import type { HistoryPoint } from '../../history/losses.ts';
import { type LogStatus, logStatus } from '../../log/log-status.ts';
import { healedStatus } from '../../mirrors/healed-status.ts';
import { type MirrorStatus, mirrorStatus } from '../../mirrors/mirror-status.ts';
import { hiddenAtOnce } from '../../object-lock/keep-locked.ts';
import { proofsOf } from '../../proofs.ts';
import { isPartial, snapshotsBySource } from '../../snapshots-of.ts';
import { capacitiesOf } from '../../status/capacities.ts';
import type { RepositoryCapacity } from '../../status/capacity.ts';
import { sourceStatus } from '../../status/status.ts';
import { type OpenedRepository, reportable, type Workspace } from '../../workspace.ts';
import {
  backupsIn,
  type Digest,
  newestProofIn,
  newestRestoreIn,
  stoppedIn,
  suspectsIn,
  unreadableIn,
} from './digest.ts';
import type {
  ArchiveFacts,
  MirrorFacts,
  RepositoryFacts,
  SizedPoint,
  SourceFacts,
  StandingLockFacts,
} from './facts.ts';
import { KnownEvents } from './known-events.ts';

const MINUTE_MS = 60_000;
/** What takes a listing of everything is looked at so often. */
const WHOLE_EVERY_MS = 60 * MINUTE_MS;
const ARCHIVES_EVERY_MS = 5 * MINUTE_MS;
/** The newest recovery point, and what is usual before it. */
const SIZED_POINTS = 8;
/** What is counted within a source: files come and go. */
const COUNTED = new Set(['rows', 'documents', 'keys']);

/** What was seen of a repository with all that hangs on it, and is kept while nothing there changes. */
export class RepositoryView {
  readonly #workspace: Workspace;
  readonly name: string;
  readonly #events = new KnownEvents();
  #known: KnownSnapshots | undefined;
  #seen: Seen | undefined;
  #failure: { error: HoldfastError; sinceMs: number } | undefined;
  /** Of each source, those of its newest recovery points, oldest first, by what each was made of. */
  readonly #points = new Map<string, ReadonlyMap<string, SizedPoint>>();
  #whole: { timeMs: number; capacities: RepositoryCapacity[]; hidden: string[] } | undefined;
  #archives: { timeMs: number; found: ArchiveStatus[] } | undefined;
  readonly #inArchives = new Map<string, KnownSnapshots>();
  readonly #awaySinceMs = new Map<string, number>();
  readonly #reachedOnce = new Set<string>();

  constructor(workspace: Workspace, name: string) {
    this.#workspace = workspace;
    this.name = name;
  }

  get digest(): Digest | undefined {
    return this.#seen?.digest;
  }

  /** Looks again. What cannot be had is part of what is seen: what was seen before is kept then. */
  look(): Promise<void> {
    return this.#noted(() => this.#look());
  }

  /** Looks again at what the ledger says, and at nothing else. */
  async lookAtLedger(): Promise<void> {
    const seen = this.#seen;
    if (seen === undefined || this.#failure !== undefined) return;
    await this.#noted(async () => ({
      ...seen,
      digest: await this.#events.read(await this.#workspace.open(this.name)),
    }));
  }

  async #noted(look: () => Promise<Seen>): Promise<void> {
    const { clock, signal } = this.#workspace.environment;
    try {
      this.#seen = await look();
      this.#failure = undefined;
    } catch (error) {
      signal.throwIfAborted();
      const sinceMs = this.#failure?.sinceMs ?? clock.nowMs();
      this.#failure = { error: reportable(error, signal), sinceMs };
    }
  }

  async #look(): Promise<Seen> {
    const workspace = this.#workspace;
    const opened = await workspace.open(this.name);
    this.#known ??= new KnownSnapshots(opened.repository);
    const known = this.#known;
    const { snapshots, damaged } = await known.list();
    const digest = await this.#events.read(opened);
    const list = async () => (await known.list()).snapshots;
    const logs = new Map<string, LogStatus>();
    for (const source of this.#sources.filter(hasLog)) {
      const events = digest.bySource.get(source.name) ?? [];
      logs.set(source.name, await logStatus(workspace, opened, source, events, list));
    }
    const seen: Seen = {
      snapshots: snapshotsBySource(snapshots, workspace.plan.name),
      ...{ listed: snapshots, damaged, digest, logs },
      lost: await this.#lost(opened, { listed: snapshots, digest }),
      locks: await this.#locks(opened),
      mirrors: await mirrorStatus(workspace, opened, digest.own),
    };
    await this.#count(opened, seen);
    await this.#lookAtAll(opened, seen);
    await this.#lookAtArchives(seen);
    return seen;
  }

  /** Sources whose newest backup is gone unexplained. */
  async #lost(opened: OpenedRepository, now: Pick<Seen, 'listed' | 'digest'>): Promise<Seen['lost']> {
    const before = this.#seen;
    // To find out takes a look at the whole ledger.
    if (before?.listed === now.listed && before.digest === now.digest) return before.lost;
    const { listed: snapshots, digest } = now;
    const lost: { source: string; time: string }[] = [];
    for (const { name } of this.#sources) {
      const events = digest.bySource.get(name) ?? [];
      const { time } = (await lostNewest(this.#workspace, opened, name, { events, snapshots })) ?? {};
      if (time !== undefined) lost.push({ source: name, time });
    }
    return lost;
  }

  get #sources(): PlanSource[] {
    return [...this.#workspace.plan.sources.values()].filter(({ repository }) => repository === this.name);
  }

  async #locks({ repository }: OpenedRepository): Promise<StandingLockFacts[]> {
    const locks: StandingLockFacts[] = [];
    for await (const standing of standingLocks(repository, this.#workspace.environment.clock, { writers: true })) {
      const { key, lock } = standing;
      // One that cannot be read binds nobody before long, and goes with the next command.
      if (lock !== undefined)
        locks.push({
          id: key.slice(key.lastIndexOf('/') + 1),
          holder: describeHolder(standing),
          sinceMs: Date.parse(lock.time),
        });
    }
    return locks;
  }

  /** Reads how much is in the newest recovery points: in those that are new, or have a new proof that counts. */
  async #count(opened: OpenedRepository, { snapshots, digest }: Seen): Promise<void> {
    const wanted = this.#sources.flatMap((planned) => {
      const complete = (snapshots.get(planned.name) ?? []).filter((each) => !isPartial(each));
      const proofs = proofsOf(planned.name, digest.bySource.get(planned.name) ?? []);
      const newest = new Map(
        complete.slice(-SIZED_POINTS).map((each) => [`${each.id} ${proofs.get(each.tree)?.time ?? ''}`, each]),
      );
      const known = this.#points.get(planned.name) ?? new Map<string, SizedPoint>();
      if (newest.size === known.size && [...newest.keys()].every((key) => known.has(key))) return [];
      // What could not be counted before is tried again with those that are new.
      const uncounted = [...newest].filter(([key]) => known.get(key)?.items === undefined);
      return [{ planned, proofs, newest, known, snapshots: uncounted.map(([, snapshot]) => snapshot) }];
    });
    if (wanted.length === 0) return;
    const contents = await contentsOfSources(this.#workspace, opened, async () => wanted, undefined).catch(
      (error: unknown) => {
        // Somebody has the repository to himself for now: it is counted with the next look.
        if (isHoldfastError(error, 'repository-locked')) return undefined;
        throw error;
      },
    );
    if (contents === undefined) return;
    const { bySource } = contents;
    for (const { planned, newest, known } of wanted) {
      const counted = new Map(bySource.get(planned.name)!.map((point) => [point.snapshot, point]));
      const points = [...newest].map(([key, snapshot]) => {
        const point = counted.get(snapshot.id);
        return [key, point === undefined ? known.get(key)! : sizedPoint(snapshot, point)] as const;
      });
      this.#points.set(planned.name, new Map(points));
    }
  }

  async #lookAtAll(opened: OpenedRepository, { digest }: Seen): Promise<void> {
    const nowMs = this.#workspace.environment.clock.nowMs();
    if (this.#whole !== undefined && Math.abs(nowMs - this.#whole.timeMs) < WHOLE_EVERY_MS) return;
    const hidden = (await hiddenAtOnce(this.#workspace, this.name)) ?? [];
    const capacities = await capacitiesOf(this.#workspace, opened, [...digest.bySource.values()].flat());
    for (const { name, archive, capacity } of this.#archivesOf()) {
      if (capacity === undefined) continue;
      const { known } = await this.#archived(name, archive!, digest);
      if (known === undefined) continue;
      // One that cannot be had is told of as such.
      const more = await capacitiesOf(this.#workspace, known.opened, known.events).catch((error: unknown) => {
        if (!isHoldfastError(error)) throw error;
        return [];
      });
      capacities.push(...more);
    }
    this.#whole = { timeMs: nowMs, hidden: hidden.map(({ key }) => key), capacities };
  }

  async #lookAtArchives({ digest }: Seen): Promise<void> {
    const nowMs = this.#workspace.environment.clock.nowMs();
    if (this.#archives !== undefined && Math.abs(nowMs - this.#archives.timeMs) < ARCHIVES_EVERY_MS) return;
    const looked = await Promise.all(
      this.#archivesOf().map(({ name, archive }) => this.#archived(name, archive!, digest)),
    );
    this.#archives = { timeMs: nowMs, found: looked.map(({ status }) => status) };
  }

  #archivesOf(): PlanRepository[] {
    return [...this.#workspace.plan.repositories.values()].filter(({ archive }) => archive?.from === this.name);
  }

  #archived(name: string, archive: Archive, digest: Digest): Promise<LookedAtArchive> {
    const list = (repository: Repository) => this.#snapshotsOf(name, repository);
    return archiveStatus(this.#workspace, name, archive, digest.own, list);
  }

  #snapshotsOf(archive: string, repository: Repository): ReturnType<KnownSnapshots['list']> {
    const known = this.#inArchives.get(archive) ?? new KnownSnapshots(repository);
    this.#inArchives.set(archive, known);
    return known.list();
  }

  facts(): RepositoryFacts {
    const { damaged = [], digest, locks = [], lost = [] } = this.#seen ?? {};
    const healed = digest && healedStatus(digest.own).find(({ repository }) => repository === this.name);
    const { capacities = [], hidden = [] } = this.#whole ?? {};
    return {
      ...{ repository: this.name, isKnown: this.#seen !== undefined, locks, capacities },
      ...(this.#failure && { failure: this.#failure }),
      damage: [
        ...(hidden.length > 0 ? [{ what: `somebody hid ${hidden.length} of its objects` }] : []),
        ...lost.map(({ source, time }) => ({
          what: `the newest backup of ${source}, of ${time}, is gone, and nobody recorded that it was to be removed`,
        })),
        ...damaged.map(({ message }) => ({ what: `a snapshot cannot be read: ${message}` })),
        ...(digest === undefined ? [] : failedCheck(digest, this.name)),
      ],
      ...(healed && { healed }),
    };
  }

  sourceFacts(nowMs: number): SourceFacts[] {
    const seen = this.#seen;
    if (seen === undefined) return [];
    return this.#sources.map((source) => sourceFacts(source, seen, this.#points, nowMs));
  }

  mirrorFacts(nowMs: number): MirrorFacts[] {
    return (this.#seen?.mirrors ?? []).map(({ mirror, of, lag, failure, error }) => ({
      ...{ mirror, of, ...this.#reached(mirror, error, nowMs) },
      ...lag,
      ...(failure && { failed: { timeMs: Date.parse(failure.time), message: failure.message } }),
    }));
  }

  archiveFacts(nowMs: number): ArchiveFacts[] {
    const beganMs = this.#seen?.digest.beganMs ?? nowMs;
    return (this.#archives?.found ?? []).map(({ archive, from, sources, failure, error }) => {
      const failures = [failure, ...sources.map((each) => each.failure)].flatMap((each) => each ?? []);
      const first = failures[0];
      return {
        ...{ archive, from, ...this.#reached(archive, error, nowMs) },
        ...(first && { failed: { timeMs: Date.parse(first.time), message: first.message } }),
        overdue: sources
          .filter(({ isOverdue }) => isOverdue)
          .flatMap(({ source, due }) => {
            const dueMs = due === undefined ? this.#firstCopyMs(archive, beganMs, nowMs) : Date.parse(due);
            return dueMs === undefined ? [] : [{ source, dueMs }];
          }),
      };
    });
  }

  /** Of what was never copied: when its schedule first came, of which it is time that there were something by now. */
  #firstCopyMs(name: string, beganMs: number, nowMs: number): number | undefined {
    const { repositories, timezone } = this.#workspace.plan;
    const { archive } = repositories.get(name) ?? {};
    const first = archive === undefined ? undefined : archiveDue(archive, { beganMs }, { nowMs, timezone });
    return first?.isOverdue === true ? first.dueMs : undefined;
  }

  #reached(name: string, error: HoldfastError | undefined, nowMs: number): Pick<MirrorFacts, 'failure' | 'isKnown'> {
    if (error === undefined) {
      this.#awaySinceMs.delete(name);
      this.#reachedOnce.add(name);
      return { isKnown: true };
    }
    const sinceMs = this.#awaySinceMs.get(name) ?? nowMs;
    this.#awaySinceMs.set(name, sinceMs);
    return { failure: { error, sinceMs }, isKnown: this.#reachedOnce.has(name) };
  }
}

interface Seen {
  /** All snapshots, as they were listed. */
  listed: readonly StoredSnapshot[];
  /** Recovery points by source, oldest first. */
  snapshots: ReadonlyMap<string, StoredSnapshot[]>;
  damaged: readonly HoldfastError[];
  digest: Digest;
  logs: ReadonlyMap<string, LogStatus>;
  lost: readonly { source: string; time: string }[];
  locks: StandingLockFacts[];
  mirrors: MirrorStatus[];
}

function sourceFacts(
  source: PlanSource,
  { snapshots, digest, logs }: Seen,
  points: ReadonlyMap<string, ReadonlyMap<string, SizedPoint>>,
  nowMs: number,
): SourceFacts {
  const own = snapshots.get(source.name) ?? [];
  const trees = new Set(own.map(({ tree }) => tree));
  const events = digest.bySource.get(source.name) ?? [];
  const checks = digest.own.filter(({ kind }) => kind === 'check.finished');
  const restore = newestRestoreIn(events);
  const proof = newestProofIn(events);
  const unreadable = unreadableIn(source.name, events, checks);
  const stopped = stoppedIn(events);
  const gap = events.find(({ kind }) => kind === 'log.gap');
  return {
    source,
    status: sourceStatus(source, own, [...checks, ...events], nowMs, logs.get(source.name)),
    backups: backupsIn(events),
    points: [...(points.get(source.name)?.values() ?? [])],
    suspects: suspectsIn(events).filter(({ tree }) => trees.has(tree)),
    ...(restore && { restore }),
    ...(proof && { proof }),
    ...(unreadable && { unreadable }),
    ...(stopped && { stopped }),
    ...(gap && { gapMs: Date.parse(gap.time) }),
  };
}

function sizedPoint(snapshot: StoredSnapshot, counted: HistoryPoint): SizedPoint {
  const bytes = snapshot.summary?.total_bytes_processed;
  const items = counted.items.filter(({ unit }) => COUNTED.has(unit));
  const isCounted = counted.from !== 'unknown';
  return {
    ...{ snapshot: snapshot.id, timeMs: snapshotTimeMs(snapshot) },
    ...(bytes !== undefined && { bytes }),
    ...(isCounted && { items }),
  };
}

/** What the newest check found that found anything, unless one since that looked as closely found nothing. */
function failedCheck({ own }: Digest, repository: string): { what: string; timeMs: number }[] {
  const checks = own.flatMap((event) =>
    event.kind === 'check.finished' && event.body.repository === repository ? [event] : [],
  );
  const at = checks.findLastIndex(({ body }) => !body.clean);
  const found = checks[at];
  if (found === undefined) return [];
  const isSettled = checks
    .slice(at + 1)
    .some(({ body }) => !found.body.readData || (body.readData && body.subset === undefined));
  if (isSettled) return [];
  return [{ what: `a check found ${found.body.errors} errors`, timeMs: Date.parse(found.time) }];
}
