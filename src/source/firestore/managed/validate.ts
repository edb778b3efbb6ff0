import { type FirestoreDatabase, firestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { Resolved, ValidateCheck } from '../../../plan/index.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { Check, Comparison, Discrepancy, RestoreContext, ValidateContext, Validation } from '../../index.ts';
import { type FirestoreEndpoint, openFirestore } from '../connection.ts';
import type { Side } from '../failures.ts';
import type { DatabaseTarget } from '../restore/restore.ts';
import { plannedChecks } from '../restore/validate.ts';
import { type CountedExport, countExport } from './counts.ts';
import { type ExportDetails, outsideNote, readExportDetails } from './details.ts';

const COUNTED_NOTE = 'documents were counted and not read: a managed export has no digests';

/** How many documents there are of each collection, held against the manifest; and the plan's checks. */
export async function validateExport(
  reader: SnapshotReader,
  target: DatabaseTarget,
  checks: readonly Resolved<ValidateCheck>[],
  { signal, endpoint, progress }: ValidateContext & { endpoint: FirestoreEndpoint },
): Promise<Validation> {
  const details = await readExportDetails(reader);
  progress.phase('counting documents');
  const place = firestoreDatabase(target.url);
  const found = await countAt(place, details, { signal, endpoint, side: 'target' });
  const counts = new Map(found.collections.map(({ collection, documents }) => [collection, documents]));
  const planned = await plannedChecks(checks, counts, target, { ...place, endpoint, signal });
  return { checks: [...exportChecks(details, found), ...planned], notes: [COUNTED_NOTE, outsideNote(details.export)] };
}

/** @param place where documents are counted that are held against the snapshot */
export async function compareExport(
  reader: SnapshotReader,
  place: FirestoreDatabase,
  { signal, progress }: RestoreContext,
  { endpoint, side }: { endpoint: FirestoreEndpoint; side: Side },
): Promise<Comparison> {
  const details = await readExportDetails(reader);
  progress.phase('counting documents');
  const found = await countAt(place, details, { signal, endpoint, side });
  const pairs = pairsOf(details, found);
  const differences = pairs
    .filter(({ expected, documents }) => expected !== documents)
    .map(({ collection, expected, documents }): Discrepancy => {
      const kind = documents === 0 ? 'missing' : expected === 0 ? 'extra' : 'rows';
      const detail = `${documents} documents, and ${expected} in the snapshot`;
      return { item: collection ?? 'all documents', kind, detail, rows: { snapshot: expected, found: documents } };
    });
  return { compared: pairs.length, differences, notes: [COUNTED_NOTE] };
}

async function countAt(
  place: FirestoreDatabase,
  { chosen }: ExportDetails,
  { signal, endpoint, side }: { signal: AbortSignal; endpoint: FirestoreEndpoint; side: Side },
): Promise<CountedExport> {
  await using connection = openFirestore(place, endpoint);
  return await countExport(connection, { pause: pauseUntilAborted(signal), signal, side }, { chosen });
}

/** All together and of each collection: where the export is not of one moment, a collection's count is not exact. */
export function exportChecks(details: ExportDetails, found: CountedExport): Check[] {
  return pairsOf(details, found).map(({ collection, expected, documents }): Check => {
    const isExact = details.isOneMoment || collection === undefined;
    const isFitting = isExact ? documents === expected : documents > 0 === expected > 0;
    const about = isExact ? `expected ${expected}` : `${expected} were counted before an export of no one moment`;
    return {
      name: collection === undefined ? 'documents' : `documents ${collection}`,
      result: isFitting ? 'passed' : 'failed',
      detail: `${documents} documents, ${about}`,
    };
  });
}

/** The first is of all documents. */
function pairsOf(
  details: ExportDetails,
  found: CountedExport,
): { collection: string | undefined; expected: number; documents: number }[] {
  const expected = new Map(details.collections.map(({ collection, documents }) => [collection, documents]));
  const counted = new Map(found.collections.map(({ collection, documents }) => [collection, documents]));
  const names = [...new Set([...expected.keys(), ...counted.keys()])].sort();
  return [
    { collection: undefined, expected: details.documents, documents: found.documents },
    ...names.map((collection) => ({
      collection,
      expected: expected.get(collection) ?? 0,
      documents: counted.get(collection) ?? 0,
    })),
  ];
}
