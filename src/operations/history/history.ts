import { isHoldfastError } from '../../foundation/errors.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type ItemCount, readManifest, type Source } from '../../source/index.ts';
import { type ProofEvent, proofsOf } from '../proofs.ts';
import { Reading } from '../reading.ts';
import { damageNote, isPartial, readableSnapshots, snapshotsOf } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';
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
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const { snapshots, damaged } = await readableSnapshots(opened.repository);
    const proofs = proofsOf(name, await opened.ledger.read());
    const source = await workspace.createSource(planned);
    const indexed = await loadIndex(opened.repository);
    const points: HistoryPoint[] = [];
    for (const snapshot of snapshotsOf(snapshots, workspace.plan.name, name)) {
      workspace.environment.signal.throwIfAborted();
      const reader = new Reader(indexed, snapshot);
      try {
        const found = { source, snapshot, reader, proof: proofs.get(snapshot.tree) };
        points.push({ ...aboutOf(snapshot), ...(await contentsOf(found, item)) });
      } finally {
        await reader.close();
      }
    }
    const notes = [...damaged.map(damageNote), ...reading.notes];
    return { source: name, ...(item !== undefined && { item }), points, losses: lossesIn(points), notes };
  } finally {
    await reading.end();
  }
}

function aboutOf(snapshot: StoredSnapshot): Pick<HistoryPoint, 'snapshot' | 'time' | 'outcome'> {
  const { id, time } = snapshot;
  return { snapshot: id, time, outcome: isPartial(snapshot) ? 'partial' : 'complete' };
}

interface Found {
  source: Source;
  snapshot: StoredSnapshot;
  reader: Reader;
  proof: ProofEvent | undefined;
}

async function contentsOf(
  { source, snapshot, reader, proof }: Found,
  item: string | undefined,
): Promise<Pick<HistoryPoint, 'from' | 'items' | 'reason'>> {
  try {
    // What another program wrote, or an older version, has none.
    await readManifest(reader);
    const items = source.contents === undefined ? totalOf(source, snapshot, item) : await source.contents(reader, item);
    if (items !== undefined) return { from: 'snapshot', items };
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return { from: 'unknown', items: [], reason: error.message };
  }
  const counts = proof?.body.counts;
  if (counts === undefined)
    return { from: 'unknown', items: [], reason: 'it was not proven, and only a proof counts it' };
  const items = counts.map(({ database, rows }) => ({ item: database, count: rows, unit: 'rows' }));
  return { from: 'proof', items: items.filter((each) => item === undefined || each.item === item) };
}

/** Of a source that counts nothing: as much as every snapshot says. */
function totalOf({ name }: Source, { summary }: StoredSnapshot, item: string | undefined): ItemCount[] | undefined {
  if (summary === undefined || item !== undefined) return undefined;
  const { total_files_processed: count, total_bytes_processed: bytes } = summary;
  return [{ item: name, count, unit: 'files', bytes }];
}
