import { HoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import { type Archive, hasLog } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { copy } from '../copy/copy.ts';
import { isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import { notRecorded } from '../unrecorded.ts';
import { type OpenedRepository, reportable, type Workspace } from '../workspace.ts';
import { type ArchiveDue, archiveDue, lastArchived } from './due.ts';

/** What came of one source. `snapshot` is its id in the repository that it is copied from, `copy` in the archive. */
export type ArchivedSource = { source: string } & (
  | { outcome: 'copied' | 'existed'; snapshot: string; copy: string; time: string; bytes: number }
  | { outcome: 'not-due'; due?: string }
  | { outcome: 'failed'; error: HoldfastError }
);

export interface ArchiveOutcome {
  archive: string;
  from: string;
  /** In the order of the plan; empty when nothing could be looked at. */
  sources: ArchivedSource[];
  /** What kept all of it from being done, or leaves in doubt that the newest snapshots were copied. */
  error?: HoldfastError;
  notes: string[];
  /** RFC 3339: when the next copy is due; absent without a schedule. */
  nextDue?: string;
  durationMs: number;
}

interface ArchiveRun {
  workspace: Workspace;
  archive: Archive;
  to: OpenedRepository;
  outcome: ArchiveOutcome;
  /** RFC 3339, and by the monotonic clock. */
  began: string;
  startedMs: number;
}

/**
 * Copies the newest complete snapshot of each source to an archive. What is there already is not copied again, so that a run
 * which was cut off goes on where it was. A source that fails does not stop the others, and each failure is recorded.
 * @param isForced whether sources are copied that are not due
 */
export async function copyToArchive(workspace: Workspace, name: string, isForced: boolean): Promise<ArchiveOutcome> {
  const { clock, signal } = workspace.environment;
  const archive = workspace.plan.repositories.get(name)?.archive;
  if (archive === undefined) throw new HoldfastError('internal', `${name} is no archive`);
  const startedMs = clock.monotonicMs();
  const began = new Date(clock.nowMs()).toISOString();
  const outcome: ArchiveOutcome = { archive: name, from: archive.from, sources: [], notes: [], durationMs: 0 };
  try {
    await run({ workspace, archive, outcome, began, startedMs, to: await workspace.open(name) }, isForced);
  } catch (thrown) {
    outcome.error = await recordFailure(workspace, outcome, reportable(thrown, signal));
  }
  outcome.durationMs = clock.monotonicMs() - startedMs;
  return outcome;
}

async function run(archiving: ArchiveRun, isForced: boolean): Promise<void> {
  const { archive, to, outcome } = archiving;
  const events = await to.ledger.read();
  const waiting = isForced ? [] : archive.sources.flatMap((source) => notDue(archiving, source, events) ?? []);
  const wanted = archive.sources.filter((name) => !waiting.some(({ source }) => source === name));
  const done = wanted.length === 0 ? [] : await copyNewest(archiving, wanted);
  outcome.sources = archive.sources.flatMap((name) => [...done, ...waiting].filter(({ source }) => source === name));
  if (done.length > 0) await record(archiving, done);
  const next = nextDue(archiving, done.length === 0 ? events : await to.ledger.read());
  if (next !== undefined) outcome.nextDue = next;
}

function notDue(archiving: ArchiveRun, source: string, events: readonly LedgerEvent[]): ArchivedSource | undefined {
  const { dueMs } = dueOf(archiving, source, events);
  if (dueMs === undefined) return { source, outcome: 'not-due' };
  if (dueMs <= archiving.workspace.environment.clock.nowMs()) return undefined;
  return { source, outcome: 'not-due', due: new Date(dueMs).toISOString() };
}

function dueOf({ workspace, archive, to }: ArchiveRun, source: string, events: readonly LedgerEvent[]): ArchiveDue {
  const { plan, environment } = workspace;
  const last = lastArchived(to.name, source, events);
  return archiveDue(archive, last, { nowMs: environment.clock.nowMs(), timezone: plan.timezone });
}

function nextDue(archiving: ArchiveRun, events: readonly LedgerEvent[]): string | undefined {
  const due = archiving.archive.sources.flatMap((source) => dueOf(archiving, source, events).dueMs ?? []);
  if (due.length === 0) return undefined;
  return new Date(Math.max(Math.min(...due), archiving.workspace.environment.clock.nowMs())).toISOString();
}

async function copyNewest(archiving: ArchiveRun, sources: readonly string[]): Promise<ArchivedSource[]> {
  const { workspace, archive, outcome } = archiving;
  const { signal } = workspace.environment;
  const from = await workspace.openToRead(archive.from);
  const { snapshots, damaged } = await readableSnapshots(from.repository);
  // What cannot be read may be the newest of any source.
  if (damaged[0] !== undefined) outcome.error = damaged[0];
  const done: ArchivedSource[] = [];
  for (const source of sources) {
    try {
      signal.throwIfAborted();
      done.push(await copySource(archiving, source, snapshots));
    } catch (thrown) {
      done.push({ source, outcome: 'failed', error: reportable(thrown, signal) });
    }
  }
  return done;
}

/** @throws unknown-snapshot when there is none that is complete */
async function copySource(
  { workspace, archive: { from }, to, outcome }: ArchiveRun,
  source: string,
  snapshots: readonly StoredSnapshot[],
): Promise<ArchivedSource> {
  const own = snapshotsOf(snapshots, workspace.plan.name, source);
  const newest = own.findLast((snapshot) => !isPartial(snapshot));
  if (newest === undefined) {
    throw new HoldfastError('unknown-snapshot', `${source} has no complete snapshot in ${from}`, {
      hint: `Take one with \`holdfast backup ${source}\`.`,
    });
  }
  const request = { from, to: to.name, snapshots: [newest.id], withoutLogs: true };
  const { snapshots: copies, notes } = await copy(workspace, request);
  const there = copies.find((each) => each.from === newest.id);
  if (there === undefined) throw new HoldfastError('internal', `${newest.id} was not copied`);
  const left = isFollowed(workspace, source)
    ? [`the log of ${source} stays in ${from}: from ${to.name} its backups come back, and no moment behind them`]
    : [];
  outcome.notes.push(...[...notes, ...left].filter((note) => !outcome.notes.includes(note)));
  const { to: id, existed, bytes } = there;
  return {
    ...{ source, outcome: existed ? 'existed' : 'copied' },
    ...{ snapshot: newest.id, copy: id, time: newest.time, bytes },
  };
}

function isFollowed({ plan }: Workspace, source: string): boolean {
  const planned = plan.sources.get(source);
  return planned !== undefined && hasLog(planned);
}

async function record(archiving: ArchiveRun, done: readonly ArchivedSource[]): Promise<void> {
  const { workspace, to, began, startedMs } = archiving;
  const { archive, from } = archiving.outcome;
  const durationMs = workspace.environment.clock.monotonicMs() - startedMs;
  const sources = done.flatMap((each) => {
    if (each.outcome !== 'copied' && each.outcome !== 'existed') return [];
    const { outcome: _, ...event } = each;
    return [event];
  });
  const failed = done.flatMap((each) => {
    if (each.outcome !== 'failed') return [];
    const { code, message } = each.error;
    return [{ source: each.source, code, message }];
  });
  await to.ledger.append('archive.finished', { archive, from, began, sources, failed, durationMs });
}

/** In the archive, or where that is what failed, in the repository that it copies from. */
async function recordFailure(
  workspace: Workspace,
  { archive, from }: ArchiveOutcome,
  error: HoldfastError,
): Promise<HoldfastError> {
  const { code, message } = error;
  let why: unknown;
  for (const name of [archive, from]) {
    try {
      await (await workspace.open(name)).ledger.append('archive.failed', { archive, from, code, message });
      return error;
    } catch (thrown) {
      why = thrown;
    }
  }
  return notRecorded(error, reportable(why, workspace.environment.signal));
}
