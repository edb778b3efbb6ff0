import type { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent, Summary } from '../../ledger/index.ts';
import type { Archive } from '../../plan/index.ts';
import type { Repository, StoredSnapshot } from '../../repository/index.ts';
import { isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { STATUS_KINDS } from '../status/status-kinds.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { archiveDue, lastArchived } from './due.ts';

export interface ArchiveStatus {
  archive: string;
  from: string;
  sources: ArchivedSourceStatus[];
  /** The last run, when nothing could be copied in it. */
  failure?: { time: string; code: string; message: string };
  /** What keeps it from being looked at now. */
  error?: HoldfastError;
}

export interface ArchivedSourceStatus {
  source: string;
  snapshots: number;
  /** The newest complete snapshot there. */
  newest?: { snapshot: string; time: string };
  /** RFC 3339: when the last run ended that brought its newest snapshot, or found it there. */
  archivedAt?: string;
  /** RFC 3339: when the next copy is due; absent without a schedule, and before the first copy, which is due at once. */
  due?: string;
  isOverdue: boolean;
  /** The last attempt, when it failed. */
  failure?: { time: string; code: string; message: string };
}

/** What is known of an archive, and what it was known from where it can be looked at. */
export interface LookedAtArchive {
  status: ArchiveStatus;
  known?: { opened: OpenedRepository; events: LedgerEvent[]; damaged: HoldfastError[] };
}

export type ListSnapshots = (
  repository: Repository,
) => Promise<{ snapshots: readonly StoredSnapshot[]; damaged: readonly HoldfastError[] }>;

/** What an archive's ledger says of its status: of its years, only what is new is read, by who asks every few minutes. */
const statusSummary: Summary<LedgerEvent[]> = {
  name: 'archive-status-1',
  initial: () => [],
  add(events, event) {
    if (STATUS_KINDS.includes(event.kind)) events.push(event);
  },
  copy: (events) => [...events],
};

/**
 * What lies in an archive and when more is due. One that cannot be reached says so.
 * @param eventsOfOrigin of the repository that it copies from: there is told what could not be in its own ledger
 * @param list the snapshots of the archive, for who looks again and again and remembers them
 */
export async function archiveStatus(
  workspace: Workspace,
  name: string,
  archive: Archive,
  eventsOfOrigin: readonly LedgerEvent[],
  list: ListSnapshots = readableSnapshots,
): Promise<LookedAtArchive> {
  const { from } = archive;
  const about = { archive: name, from };
  try {
    const opened = await workspace.open(name);
    const { snapshots, damaged } = await list(opened.repository);
    // The state changes with the next reading.
    const events = [...(await opened.ledger.view(statusSummary).read()).state];
    const sources = archive.sources.map((source) =>
      sourceOf(workspace, { name, archive }, source, { snapshots, events }),
    );
    const failure = failureIn(name, [...eventsOfOrigin, ...events]);
    return {
      status: { ...about, sources, ...(failure && { failure }) },
      known: { opened, events, damaged: [...damaged] },
    };
  } catch (thrown) {
    const failure = failureIn(name, eventsOfOrigin);
    const error = reportable(thrown, workspace.environment.signal);
    return { status: { ...about, sources: [], ...(failure && { failure }), error } };
  }
}

function sourceOf(
  { plan, environment }: Workspace,
  { name, archive }: { name: string; archive: Archive },
  source: string,
  { snapshots, events }: { snapshots: readonly StoredSnapshot[]; events: readonly LedgerEvent[] },
): ArchivedSourceStatus {
  const own = snapshotsOf(snapshots, plan.name, source);
  const newest = own.findLast((snapshot) => !isPartial(snapshot));
  const last = lastArchived(name, source, events);
  const { dueMs, isOverdue } = archiveDue(archive, last, { nowMs: environment.clock.nowMs(), timezone: plan.timezone });
  const run = events.findLast((event) => event.kind === 'archive.finished' && concerns(event.body, name, source));
  const failed = run?.kind === 'archive.finished' ? run.body.failed.find((each) => each.source === source) : undefined;
  return {
    ...{ source, snapshots: own.length, isOverdue },
    ...(newest && { newest: { snapshot: newest.id, time: newest.time } }),
    ...(last && { archivedAt: last.endedAt }),
    ...(dueMs !== undefined && Number.isFinite(dueMs) && { due: new Date(dueMs).toISOString() }),
    ...(run && failed && { failure: { time: run.time, code: failed.code, message: failed.message } }),
  };
}

type Finished = Extract<LedgerEvent, { kind: 'archive.finished' }>['body'];

function concerns({ archive, sources, failed }: Finished, name: string, source: string): boolean {
  return archive === name && [...sources, ...failed].some((each) => each.source === source);
}

/** What the newest run came to, where that is nothing. */
function failureIn(archive: string, events: readonly LedgerEvent[]): ArchiveStatus['failure'] {
  const runs = events
    .flatMap((event) => (event.kind === 'archive.finished' || event.kind === 'archive.failed' ? [event] : []))
    .filter(({ body }) => body.archive === archive)
    .sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  const last = runs.at(-1);
  if (last?.kind !== 'archive.failed') return undefined;
  return { time: last.time, code: last.body.code, message: last.body.message };
}
