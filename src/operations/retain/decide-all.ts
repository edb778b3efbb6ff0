import type { LedgerEvent } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { listSnapshots, parseLsnText } from '../../repository/index.ts';
import { momentProofsOf, newestProvenMoment, proofsOf } from '../proofs.ts';
import { allSnapshotsOf, isOurs } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type DecidedSnapshot, decideRetention } from './decide.ts';
import type { LogStart } from './needed-log.ts';

export interface RetentionOfSource {
  source: string;
  repository: string;
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

/** What becomes of the snapshots of these sources, which are all of one repository. @throws repository-damaged */
export async function decideAll(
  workspace: Workspace,
  { name, repository, ledger }: OpenedRepository,
  sources: readonly PlanSource[],
): Promise<RetentionOfSource[]> {
  const { plan, environment } = workspace;
  const snapshots = await listSnapshots(repository);
  const events = await ledger.read();
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
    return { source, repository: name, snapshots: decided, removed: false, held: [] };
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
