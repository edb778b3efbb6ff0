import { isHoldfastError } from '../../foundation/errors.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { type ItemCount, readManifest, type Source } from '../../source/index.ts';
import type { ProofEvent } from '../proofs.ts';
import { Reading } from '../reading.ts';
import { isPartial } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { HistoryPoint } from './losses.ts';

/** What is to be read of a source. */
export interface WantedContents {
  planned: PlanSource;
  /** Recovery points of it, oldest first. */
  snapshots: readonly StoredSnapshot[];
  /** By tree. */
  proofs: ReadonlyMap<string, ProofEvent>;
}

/**
 * How much each of these recovery points has of each table, collection or directory, by source. Only manifests and trees are
 * read, under one lock; of a cluster, whose manifest has no counts, those of its proofs are taken.
 * @param wanted gives them when it is called, under the lock: what was removed before may have lost what it needs
 * @param item one of them only
 * @param isShown whether somebody is shown what is read: that is recorded
 * @throws repository-locked; what keeps the repository from being read
 */
export async function contentsOfSources(
  workspace: Workspace,
  opened: OpenedRepository,
  wanted: () => Promise<readonly WantedContents[]>,
  item: string | undefined,
  isShown = false,
): Promise<{ bySource: Map<string, HistoryPoint[]>; notes: string[] }> {
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const given = await wanted();
    const indexed = await loadIndex(opened.repository);
    const bySource = new Map<string, HistoryPoint[]>();
    for (const { planned, snapshots, proofs } of given) {
      const source = await workspace.createSource(planned);
      const points: HistoryPoint[] = [];
      for (const snapshot of snapshots) {
        workspace.environment.signal.throwIfAborted();
        const reader = new Reader(indexed, snapshot);
        try {
          const found = { source, snapshot, reader, proof: proofs.get(snapshot.tree) };
          points.push({ ...aboutOf(snapshot), ...(await contentsOf(found, item)) });
        } finally {
          await reader.close();
        }
      }
      bySource.set(planned.name, points);
      const newest = snapshots.at(-1);
      if (isShown && newest !== undefined) {
        await reading.recordShown({
          ...{ snapshot: newest.id, source: planned.name },
          ...(snapshots.length > 1 && { snapshots: snapshots.length }),
        });
      }
    }
    return { bySource, notes: [...reading.notes] };
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
