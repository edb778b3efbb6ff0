import type { FirestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { Comparison, Discrepancy, RestoreContext } from '../../index.ts';
import { readFirestoreDetails } from '../codec/details.ts';
import { type FirestoreEndpoint, openFirestore } from '../connection.ts';
import type { Side } from '../failures.ts';
import { differencesInOrder } from './differences.ts';
import { livingDocuments } from './living-documents.ts';
import { discrepancyOf } from './restore.ts';
import { coverageOf, storedDocuments } from './stored-lines.ts';

/** As many documents are named; of the others there is a count. */
const NAMED = 1000;

/** Every document of a database at one moment, held against a snapshot. Those of collections that it is not of are left out. */
export async function compareDocuments(
  reader: SnapshotReader,
  place: FirestoreDatabase,
  context: RestoreContext,
  { endpoint, side }: { endpoint: FirestoreEndpoint; side: Side },
): Promise<Comparison> {
  const { progress, signal } = context;
  const { documents } = await readFirestoreDetails(reader);
  progress.phase('comparing documents', { items: documents });
  await using connection = openFirestore(place, endpoint);
  const living = livingDocuments(connection, { pause: pauseUntilAborted(signal), signal, side });
  const isMeant = await coverageOf(reader);
  const stored = storedDocuments(reader, undefined);
  const differences: Discrepancy[] = [];
  let compared = 0;
  let unnamed = 0;
  for await (const group of differencesInOrder(stored, living, { database: connection.database, isMeant })) {
    for (const each of group) {
      compared++;
      progress.advance({ items: 1 });
      if (each.kind === 'equal') continue;
      if (differences.length < NAMED) differences.push(discrepancyOf(each));
      else unnamed++;
    }
  }
  const notes = unnamed === 0 ? [] : [`${unnamed.toLocaleString('en')} more documents differ and are not named`];
  return { compared, differences, notes };
}
