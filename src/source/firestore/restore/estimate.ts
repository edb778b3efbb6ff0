import type { SnapshotReader } from '../../../repository/index.ts';
import type { Estimate, RestoreContext, Restored } from '../../index.ts';
import { costOf } from '../capture/read-meter.ts';
import type { FirestoreDetails } from '../codec/details.ts';
import { storedDocuments } from './stored-lines.ts';

/** Of 100,000 operations each. */
export interface OperationPrices {
  reads: number;
  writes: number;
  deletes: number;
}

/** So fast documents are expected to be written, or to be read by name. */
const EXPECTED_PER_SECOND = 2_500;

/** What a restore would take, told by the snapshot alone: nothing is asked of Firestore. */
export async function estimateRestore(
  reader: SnapshotReader,
  { selection, replace = false, diff = false }: RestoreContext,
  { details, prices }: { details: FirestoreDetails; prices: OperationPrices },
): Promise<Restored> {
  let [items, bytes] = [0, 0];
  if (selection === undefined) {
    items = details.documents;
    bytes = details.collections.reduce((sum, each) => sum + each.bytes, 0);
  } else {
    for await (const documents of storedDocuments(reader, selection)) {
      items += documents.length;
      for (const { line } of documents) bytes += line.length;
    }
  }
  const isCompared = replace || diff;
  // A restore to an empty database looks whether it is, and leaves a document there until it is done.
  const operations = isCompared
    ? { reads: items, writes: items, deletes: 0 }
    : { reads: 1, writes: items + 1, deletes: 1 };
  const estimate: Estimate = {
    ...{ items, unit: 'documents', ...operations },
    cost:
      costOf(operations.reads, prices.reads) +
      costOf(operations.writes, prices.writes) +
      costOf(operations.deletes, prices.deletes),
    durationMs: Math.round(((operations.writes + (isCompared ? operations.reads : 0)) / EXPECTED_PER_SECOND) * 1000),
    notes: isCompared
      ? [
          'at most: only what differs is written; `--dry-run` counts that, for the reads alone',
          ...(replace ? ['what the database has beside is read as well, and removed'] : []),
        ]
      : [],
  };
  return { bytes, items, notes: [], problems: [], estimate };
}
