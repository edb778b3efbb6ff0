import { proofsOf } from '../proofs.ts';
import { damageNote, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';
import { contentsOfSources, type WantedContents } from './contents.ts';
import { type HistoryPoint, type Loss, lossesIn } from './losses.ts';

export interface HistoryRequest {
  source: string;
  /** One table, collection or directory; all, when left out. */
  item?: string;
  /** Where the repository is not the source's own. */
  repository?: string;
}

export interface History {
  source: string;
  item?: string;
  /** Oldest first. */
  points: HistoryPoint[];
  losses: Loss[];
  notes: string[];
}

/**
 * How much each recovery point of a source has of each table, collection or directory, and where something vanished or
 * became much less. Only manifests and trees are read; of a cluster, whose manifest has no counts, those of its proofs.
 * @throws unknown-source; what keeps the repository from being read
 */
export async function history(
  workspace: Workspace,
  { source: name, item, repository }: HistoryRequest,
): Promise<History> {
  const planned = workspace.sources([name])[0]!;
  const opened = await workspace.openToRead(workspace.repositoryName(repository ?? planned.repository));
  const damaged: string[] = [];
  const { bySource, notes } = await contentsOfSources(workspace, opened, wanted, item, true);
  const points = bySource.get(name)!;
  return {
    ...{ source: name, points, losses: lossesIn(points), notes: [...damaged, ...notes] },
    ...(item !== undefined && { item }),
  };

  async function wanted(): Promise<WantedContents[]> {
    const readable = await readableSnapshots(opened.repository);
    damaged.push(...readable.damaged.map(damageNote));
    const snapshots = snapshotsOf(readable.snapshots, workspace.plan.name, name);
    return [{ planned, snapshots, proofs: proofsOf(name, await opened.ledger.events({ kinds: ['proof.recorded'] })) }];
  }
}
