import { HoldfastError } from '../../../foundation/errors.ts';
import { firestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { Selection, SnapshotReader } from '../../../repository/index.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import { costOf } from '../capture/read-meter.ts';
import { type FirestoreEndpoint, openFirestore, openFirestoreAdmin } from '../connection.ts';
import type { OperationPrices } from '../restore/estimate.ts';
import { claimDatabase, MARK_COLLECTION, releaseDatabase } from '../restore/marker.ts';
import { createMissing, type DatabaseTarget } from '../restore/restore.ts';
import { type CountedExport, countExport } from './counts.ts';
import { type ExportDetails, outsideNote, readExportDetails } from './details.ts';
import { finished, type LongOperation, operationFailure } from './operation.ts';
import { exportChecks } from './validate.ts';

/**
 * Has Google import an export into an empty database. One that was interrupted is begun again there.
 * @throws target-not-empty, target-failed, bad-usage, repository-damaged; object-missing where the export is gone
 */
export async function restoreExport(
  reader: SnapshotReader,
  target: DatabaseTarget,
  context: RestoreContext,
  { endpoint, prices }: { endpoint: FirestoreEndpoint; prices: OperationPrices },
): Promise<Restored> {
  const { selection, progress, signal } = context;
  const details = await readExportDetails(reader);
  if (context.replace === true || context.diff === true) throw onlyToEmpty();
  const chosen = chosenOf(selection, details);
  const wanted = wantedOf(details, chosen);
  if (context.estimate === true) return estimateImport(wanted.documents, prices);
  const place = firestoreDatabase(target.url);
  const created = await createMissing(reader, target, context, { place, endpoint, captured: details.location });
  await using connection = openFirestore(place, endpoint);
  await using admin = openFirestoreAdmin(place.project, endpoint);
  const living = { pause: pauseUntilAborted(signal), signal, side: 'target' as const };
  const state = await claimDatabase(connection, { reader, selection }, living);
  progress.phase('importing documents', { items: wanted.documents });
  const request = {
    ...{ name: connection.database, inputUriPrefix: details.export },
    ...(chosen !== undefined && { collectionIds: chosen }),
  };
  try {
    const [operation] = await admin.client.importDocuments(request, admin.callOptions);
    await finished(operation as unknown as LongOperation, context);
  } catch (error) {
    throw operationFailure(error, { what: `import from ${details.export}`, side: 'target', signal });
  }
  signal.throwIfAborted();
  const found = withoutMark(await countExport(connection, living, { chosen: chosen ?? details.chosen }));
  if (context.keepsMark !== true) await releaseDatabase(connection, { reader, selection }, living);
  const failed = exportChecks(wanted, found).filter(({ result }) => result === 'failed');
  return {
    ...{ bytes: 0, items: found.documents },
    notes: [
      ...created,
      ...(state === 'resumed' ? ['an interrupted import was begun again'] : []),
      `${outsideNote(details.export)}: they were imported from there, and ${found.documents} writes are charged`,
    ],
    problems: failed.map(({ name, detail }) => ({ path: name, message: detail })),
  };
}

/** What marks the database as one that is being filled was not imported. */
function withoutMark({ documents, collections }: CountedExport): CountedExport {
  const mark = collections.find(({ collection }) => collection === MARK_COLLECTION);
  return {
    documents: documents - (mark?.documents ?? 0),
    collections: collections.filter((each) => each !== mark),
  };
}

/** What of an export is meant: by the names of collections, as far as it was made by them. @throws bad-usage */
function chosenOf(selection: Selection | undefined, { chosen }: ExportDetails): string[] | undefined {
  if (selection === undefined) return undefined;
  const { only, exclude = [] } = selection;
  if (only === undefined || exclude.length > 0) {
    throw new HoldfastError('bad-usage', 'of a managed export nothing is left out by `--exclude`', {
      hint: 'Name the collections that are wanted with `--only`.',
    });
  }
  if (chosen === undefined) {
    throw new HoldfastError('bad-usage', 'of an export of all documents Google imports no part', {
      hint: 'Leave `--only` out; exports of a plan with `collections` are imported by collection.',
    });
  }
  const names = only.map((pattern) => pattern.replace(/^\//, ''));
  const unknown = names.filter((name) => !chosen.includes(name));
  if (unknown.length === 0) return [...new Set(names)];
  throw new HoldfastError('bad-usage', `the export has no collection ${unknown.join(', ')}`, {
    hint: `Whole collections are imported, of these: ${chosen.join(', ')}.`,
  });
}

function wantedOf(details: ExportDetails, chosen: readonly string[] | undefined): ExportDetails {
  if (chosen === undefined) return details;
  const collections = details.collections.filter(({ collection }) => chosen.includes(collection));
  const documents = collections.reduce((sum, each) => sum + each.documents, 0);
  return { ...details, chosen: [...chosen], collections, documents };
}

function onlyToEmpty(): HoldfastError {
  return new HoldfastError('bad-usage', 'a managed export is imported into an empty database only', {
    hint: 'Import it into another one, `--to firestore://PROJECT/NEW --create`, and look there.',
  });
}

function estimateImport(documents: number, prices: OperationPrices): Restored {
  const operations = { reads: 1, writes: documents + 1, deletes: 1 };
  const cost =
    costOf(operations.reads, prices.reads) +
    costOf(operations.writes, prices.writes) +
    costOf(operations.deletes, prices.deletes);
  const notes = ['how long it takes is up to Google, and not known beforehand'];
  const estimate = { items: documents, unit: 'documents' as const, ...operations, cost, durationMs: 0, notes };
  return { bytes: 0, items: documents, notes: [], problems: [], estimate };
}
