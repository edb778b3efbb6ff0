import type { LedgerEvent } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import { listSnapshots, parseLsnText } from '../../repository/index.ts';
import type { RetentionPolicy } from '../../schedule/index.ts';
import { decidingEvents } from '../deciding-events.ts';
import { StoredLog } from '../log/stored-log.ts';
import { latestClean, marksOf } from '../marks/marks.ts';
import { momentProofsOf, newestProvenMoment, statesOf } from '../proofs.ts';
import { allSnapshotsOf, isOurs, isPart, isWal } from '../snapshots-of.ts';
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
  /** Those of them that are held by their lock: they are left. */
  held: HeldSnapshot[];
}

export interface HeldSnapshot {
  snapshot: string;
  /** RFC 3339. */
  until: string;
}

/** A source, and which of its snapshots are kept in a repository: all, without a policy. */
export interface RetainedSource {
  name: string;
  retention?: RetentionPolicy | undefined;
}

/** The sources whose snapshots a repository keeps, each by the retention that holds there. */
export function retainedIn({ sources, repositories }: Plan, repository: string): RetainedSource[] {
  const archive = repositories.get(repository)?.archive;
  if (archive !== undefined) return archive.sources.map((name) => ({ name, retention: archive.retention }));
  return [...sources.values()].filter((source) => source.repository === repository);
}

/** What becomes of the snapshots of these sources, which are all of one repository. @throws repository-damaged */
export async function decideAll(
  workspace: Workspace,
  { name, repository, ledger }: OpenedRepository,
  sources: readonly RetainedSource[],
): Promise<RetentionOfSource[]> {
  const { plan, environment } = workspace;
  const snapshots = await listSnapshots(repository);
  const events = await decidingEvents(ledger);
  const { archive } = plan.repositories.get(name) ?? {};
  const isArchive = archive !== undefined;
  const { held } = marksOf(events);
  // What is suspected is recorded where the backup was: there is as much need to go back to a copy of what was before.
  const { suspected } = marksOf(archive === undefined ? events : await eventsOf(workspace, archive.from));
  const decide = async ({ name: source, retention }: RetainedSource): Promise<RetentionOfSource> => {
    const states = statesOf(source, events);
    const stored = await StoredLog.read(repository, { plan: plan.name, source }, async () => snapshots);
    const starts = await logStarts(stored, events);
    const own = allSnapshotsOf(snapshots, plan.name, source).filter(isOurs);
    const points = own.filter((snapshot) => !isWal(snapshot) && !isPart(snapshot));
    const isSuspected = [...suspected.values()].some((mark) => mark.source === source);
    const decided = decideRetention(own, retention, {
      timezone: plan.timezone,
      nowMs: environment.clock.nowMs(),
      proofOf: (tree) => states.get(tree),
      heldWhy: (tree) => held.get(tree)?.why,
      cleanTree: isSuspected ? latestClean(points, { source, suspected, states })?.tree : undefined,
      provenMomentTree: newestProvenMoment(momentProofsOf(source, events, own))?.proof.body.tree,
      startOf: ({ tree }) => starts.get(tree),
    });
    return { source, repository: name, isArchive, snapshots: decided, removed: false, held: [] };
  };
  return Promise.all(sources.map(decide));
}

async function eventsOf(workspace: Workspace, repository: string): Promise<LedgerEvent[]> {
  return decidingEvents((await workspace.open(repository)).ledger);
}

/** Where the backups of a source begin in its log, by tree: so other tags on a snapshot, or a copy of it, do not matter. */
async function logStarts(stored: StoredLog, events: readonly LedgerEvent[]): Promise<Map<string, LogStart>> {
  const starts = new Map<string, LogStart>();
  for (const { kind, body } of events) {
    if (kind !== 'backup.finished' || body.source !== stored.tail.owner.source || body.log === undefined) continue;
    const { system, timeline, start } = body.log;
    starts.set(body.tree, await stored.locate({ system, timeline, lsn: parseLsnText(start) }));
  }
  return starts;
}
