import { isHoldfastError } from '../../foundation/errors.ts';
import type { BackupFinished, LedgerEvent } from '../../ledger/index.ts';
import { type Repository, readRecentSnapshot, type StoredSnapshot, snapshotKey } from '../../repository/index.ts';
import { isPart, isPartial } from '../snapshots-of.ts';
import type { OpenedRepository } from '../workspace.ts';
import { anomalyOf, type BackupSize, FEWEST_BEFORE, MOST_BEFORE } from './anomaly.ts';

/**
 * Holds what a backup found against the backups before it, and marks its snapshot as suspect where that is far from what is
 * usual. What was usual is read from the snapshots that it builds on, and from the ledger where a retention left too few of
 * them, so that a backup costs the same after many as after few.
 * @param chain `sizesOfChain` of what the backup was built on
 * @returns why it is suspect, if it is
 */
export async function judgeChange(
  { ledger }: OpenedRepository,
  finished: BackupFinished,
  chain: Promise<BackupSize[]> | undefined,
): Promise<string | undefined> {
  if (finished.only !== undefined || finished.outcome !== 'complete' || chain === undefined) return undefined;
  const sizes = await chain;
  const before =
    sizes.length >= FEWEST_BEFORE ? sizes : sizesIn(await ledger.events({ kinds: ['backup.finished'] }), finished);
  const why = anomalyOf(finished, before);
  if (why === undefined) return undefined;
  const { source, snapshot, tree, time } = finished;
  await ledger.append('snapshot.suspected', { source, snapshot, tree, time, why });
  return why;
}

/** What the last backups found, newest first. They are read one after the other, so that whoever has something else to do meanwhile begins early. */
export async function sizesOfChain(repository: Repository, parent: StoredSnapshot): Promise<BackupSize[]> {
  const sizes: BackupSize[] = [];
  for (let next: StoredSnapshot | undefined = parent; next !== undefined && sizes.length < MOST_BEFORE; ) {
    const { summary } = next;
    if (summary !== undefined && !isPartial(next) && !isPart(next)) {
      const { total_bytes_processed: bytesProcessed, data_added: bytesAdded, data_added_packed: bytesStored } = summary;
      sizes.push({ bytesProcessed, bytesAdded, bytesStored });
    }
    next = next.parent === undefined ? undefined : await readIfThere(repository, next.parent);
  }
  return sizes;
}

/** A retention removes them; one that is damaged is for others to tell. */
async function readIfThere(repository: Repository, id: string): Promise<StoredSnapshot | undefined> {
  try {
    return await readRecentSnapshot(repository, snapshotKey(id));
  } catch (error) {
    if (isHoldfastError(error, 'object-missing') || isHoldfastError(error, 'repository-damaged')) return undefined;
    throw error;
  }
}

function sizesIn(events: readonly LedgerEvent[], { source, snapshot }: BackupFinished): BackupSize[] {
  return events
    .flatMap(({ kind, body }) => (kind === 'backup.finished' ? [body] : []))
    .filter((each) => each.source === source && each.only === undefined && each.outcome === 'complete')
    .filter((each) => each.snapshot !== snapshot)
    .slice(-MOST_BEFORE);
}
