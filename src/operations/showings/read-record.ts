import { snapshotTimeMs } from '../../format/index.ts';
import type { HoldfastError } from '../../foundation/errors.ts';
import { type LedgerEvent, mergedByTime } from '../../ledger/index.ts';
import { hasLog } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { logStatus } from '../log/log-status.ts';
import { isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { type SourceStatus, sourceStatus } from '../status/status.ts';
import { STATUS_KINDS } from '../status/status-kinds.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';

/** What is known of a source. */
export interface KnownSource {
  status: SourceStatus;
  /** Its recovery points, oldest first. */
  snapshots: readonly StoredSnapshot[];
  /** RFC 3339: the oldest complete one that is there. */
  oldest?: string;
}

/** What the plan's repositories say of what was done, as far as they can be read. */
export interface PlanRecord {
  /** Of all that could be read, oldest first. */
  events: readonly LedgerEvent[];
  sources: ReadonlyMap<string, KnownSource>;
  /** Repositories of which neither they nor a mirror could be read, and why. */
  unread: { repository: string; error: HoldfastError }[];
  /** Read from a mirror, since they could not be read themselves. */
  fromMirror: { repository: string; mirror: string; error: HoldfastError }[];
  /** Snapshots that are there and could not be read. */
  damaged: string[];
}

/**
 * Reads the events of all repositories, and the recovery points of those that sources are kept in, each from a mirror where
 * it cannot be had itself. What cannot be read is said, and stops nothing.
 * @param kinds of events that are wanted, beside those that tell how sources are
 * @throws the signal's reason
 */
export async function readRecord(workspace: Workspace, kinds: readonly LedgerEvent['kind'][]): Promise<PlanRecord> {
  const wanted = [...new Set([...kinds, ...STATUS_KINDS])];
  const events: LedgerEvent[][] = [];
  const record = { unread: [], fromMirror: [], damaged: [] } as Pick<PlanRecord, 'unread' | 'fromMirror' | 'damaged'>;
  const sources = new Map<string, KnownSource>();
  for (const repository of workspace.plan.repositories.keys()) {
    const progress = workspace.environment.progress(repository);
    progress.phase('reading what was recorded');
    const own = await readRepository(workspace, repository, wanted, record).finally(() => progress.finish());
    if (own === undefined) continue;
    events.push(own.events);
    record.damaged.push(...own.damaged);
    for (const [name, known] of own.sources) sources.set(name, known);
  }
  events.push(await workspace.recorder().waiting());
  return { events: mergedByTime(events), sources, ...record };
}

interface ReadRepository {
  events: LedgerEvent[];
  sources: Map<string, KnownSource>;
  damaged: string[];
}

async function readRepository(
  workspace: Workspace,
  repository: string,
  kinds: readonly string[],
  { unread, fromMirror }: Pick<PlanRecord, 'unread' | 'fromMirror'>,
): Promise<ReadRepository | undefined> {
  let first: HoldfastError | undefined;
  for (const name of [repository, ...workspace.mirrorsOf(repository)]) {
    try {
      const read = await readFrom(workspace, await workspace.openToRead(name), { repository, kinds });
      if (first !== undefined) fromMirror.push({ repository, mirror: name, error: first });
      return read;
    } catch (error) {
      workspace.environment.signal.throwIfAborted();
      first ??= reportable(error, workspace.environment.signal);
    }
  }
  unread.push({ repository, error: first! });
  return undefined;
}

async function readFrom(
  workspace: Workspace,
  opened: OpenedRepository,
  { repository, kinds }: { repository: string; kinds: readonly string[] },
): Promise<ReadRepository> {
  const events = await opened.ledger.events({ kinds });
  const sources = new Map<string, KnownSource>();
  const kept = [...workspace.plan.sources.values()].filter((source) => source.repository === repository);
  // An archive keeps copies, which no promise of a source counts.
  if (kept.length === 0) return { events, sources, damaged: [] };
  const { snapshots, damaged } = await readableSnapshots(opened.repository);
  const nowMs = workspace.environment.clock.nowMs();
  for (const source of kept) {
    const own = snapshotsOf(snapshots, workspace.plan.name, source.name);
    const log = hasLog(source) ? await logStatus(workspace, opened, source, events) : undefined;
    const oldest = own.find((snapshot) => !isPartial(snapshot));
    sources.set(source.name, {
      status: sourceStatus(source, own, events, nowMs, log),
      snapshots: own,
      ...(oldest && { oldest: new Date(snapshotTimeMs(oldest)).toISOString() }),
    });
  }
  return { events, sources, damaged: damaged.map(({ message }) => message) };
}
