import type { LedgerEvent } from '../../ledger/index.ts';
import {
  listSnapshots,
  lockRepository,
  parseLsnText,
  removeSnapshot,
  type StoredSnapshot,
} from '../../repository/index.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import { momentProofsOf, newestProvenMoment, proofsOf } from '../proofs.ts';
import { allSnapshotsOf, isOurs } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type DecidedSnapshot, decideRetention } from './decide.ts';
import type { LogStart } from './needed-log.ts';

export interface RetentionOfSource {
  source: string;
  repository: string;
  /** Whether that is an archive, which has a retention of its own. */
  isArchive: boolean;
  /** Every snapshot of the source, newest first. */
  snapshots: DecidedSnapshot[];
  /** Whether those without a reason to stay are gone now. */
  removed: boolean;
}

/**
 * Removes the snapshots of these sources, or all, that the plan's retention does not keep: in the repository that a source is
 * kept in its own retention, in an archive that of the archive. What only they referred to goes
 * with the next prune. A snapshot that another plan or program made is never touched.
 *
 * The lock is exclusive towards others, as that of restic's `forget` is; our own backups and restores go on beside it:
 * they need no other snapshot's document, and nothing that it refers to goes yet.
 * @throws repository-locked, repository-damaged
 */
export async function retain(
  workspace: Workspace,
  names: readonly string[],
  { dryRun }: { dryRun: boolean },
): Promise<RetentionOfSource[]> {
  const sources = workspace.sources(names);
  const results = new Map<string, RetentionOfSource>();
  for (const repository of new Set(sources.map((source) => source.repository))) {
    const opened = await workspace.open(repository);
    const own = sources.filter((source) => source.repository === repository);
    for (const result of await retainIn(workspace, opened, own, dryRun)) results.set(result.source, result);
  }
  const archived: RetentionOfSource[] = [];
  for (const { name, archive } of workspace.plan.repositories.values()) {
    const own = sources.filter((source) => archive?.sources.includes(source.name));
    if (archive === undefined || own.length === 0) continue;
    const kept = own.map((source) => ({ name: source.name, retention: archive.retention }));
    archived.push(...(await retainIn(workspace, await workspace.open(name), kept, dryRun)));
  }
  return [...sources.map(({ name }) => results.get(name)!), ...archived];
}

/** A source, and which of its snapshots are kept in a repository: all, without a policy. */
interface RetainedSource {
  name: string;
  retention?: RetentionPolicy | undefined;
}

async function retainIn(
  workspace: Workspace,
  opened: OpenedRepository,
  sources: readonly RetainedSource[],
  dryRun: boolean,
): Promise<RetentionOfSource[]> {
  if (dryRun) return decideAll(workspace, opened, sources);
  const { clock, signal } = workspace.environment;
  const lock = await lockRepository(opened.repository, { exclusive: true, besideOurs: [], clock });
  try {
    const decided = await decideAll(workspace, opened, sources);
    for (const result of decided) {
      await remove(opened, result, () => {
        signal.throwIfAborted();
        lock.assertHeld();
      });
    }
    return decided.map((result) => ({ ...result, removed: true }));
  } finally {
    await lock.release();
  }
}

async function decideAll(
  workspace: Workspace,
  { name, repository, ledger }: OpenedRepository,
  sources: readonly RetainedSource[],
): Promise<RetentionOfSource[]> {
  const { plan, environment } = workspace;
  const snapshots = await listSnapshots(repository);
  const events = await ledger.read();
  const isArchive = plan.repositories.get(name)?.archive !== undefined;
  return sources.map(({ name: source, retention }) => {
    const proofs = proofsOf(source, events);
    const starts = logStarts(source, events);
    const own = allSnapshotsOf(snapshots, plan.name, source).filter(isOurs);
    const decided = decideRetention(own, retention, {
      timezone: plan.timezone,
      nowMs: environment.clock.nowMs(),
      proofOf: (tree) => proofs.get(tree)?.body.state,
      provenMomentTree: newestProvenMoment(momentProofsOf(source, events, own))?.proof.body.tree,
      startOf: ({ tree }) => starts.get(tree),
    });
    return { source, repository: name, isArchive, snapshots: decided, removed: false };
  });
}

/** Where the backups of a source begin in its log, by tree: so other tags on a snapshot, or a copy of it, do not matter. */
function logStarts(source: string, events: readonly LedgerEvent[]): Map<string, LogStart> {
  const starts = new Map<string, LogStart>();
  for (const { kind, body } of events) {
    if (kind !== 'backup.finished' || body.source !== source || body.log === undefined) continue;
    const { system, timeline, start } = body.log;
    starts.set(body.tree, { system, timeline, lsn: parseLsnText(start) });
  }
  return starts;
}

/** When a run dies, the next one decides the same of those that are left. */
async function remove(
  { repository, ledger }: OpenedRepository,
  { source, repository: name, snapshots }: RetentionOfSource,
  mayGoOn: () => void,
): Promise<void> {
  const going = goingOf(snapshots);
  if (going.length === 0) return;
  mayGoOn();
  await ledger.append('retention.decided', {
    source,
    repository: name,
    kept: snapshots.length - going.length,
    removed: going.map(({ id, tree, time }) => ({ snapshot: id, tree, time })),
  });
  for (const { id } of going) {
    mayGoOn();
    await removeSnapshot(repository, id);
  }
}

/** The snapshots that nothing keeps, oldest first. */
function goingOf(snapshots: readonly DecidedSnapshot[]): StoredSnapshot[] {
  return snapshots.flatMap(({ snapshot, reasons }) => (reasons.length === 0 ? [snapshot] : [])).reverse();
}
