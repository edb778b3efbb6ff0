import { firestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { Resolved, ValidateCheck } from '../../../plan/index.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { type Check, type CheckedPlace, runCommandCheck, type ValidateContext, type Validation } from '../../index.ts';
import { readFirestoreDetails } from '../codec/details.ts';
import { CollectionDigests, type CollectionSummary } from '../codec/digest.ts';
import { encodeBody } from '../codec/document-line.ts';
import { collectionOf, relativeName } from '../codec/names.ts';
import { type FirestoreConnection, type FirestoreEndpoint, openFirestore } from '../connection.ts';
import { type LivingContext, livingDocuments } from './living-documents.ts';
import type { DatabaseTarget } from './restore.ts';

/** Counts and digests of what is in a database, by collection, held against the manifest; and the plan's checks. */
export async function validateDocuments(
  reader: SnapshotReader,
  target: DatabaseTarget,
  checks: readonly Resolved<ValidateCheck>[],
  context: ValidateContext & { endpoint: FirestoreEndpoint },
): Promise<Validation> {
  const { progress, signal, endpoint } = context;
  const details = await readFirestoreDetails(reader);
  progress.phase('reading documents back', { items: details.documents });
  const place = firestoreDatabase(target.url);
  await using connection = openFirestore(place, endpoint);
  const living: LivingContext = { pause: pauseUntilAborted(signal), signal, side: 'target' };
  const found = await digestsOf(connection, living, () => progress.advance({ items: 1 }));
  const counts = new Map(found.map(({ collection, documents }) => [collection, documents]));
  const planned = await plannedChecks(checks, counts, target, { ...place, endpoint, signal });
  return { checks: [...collectionChecks(details.collections, found), ...planned], notes: [] };
}

/** The plan's own checks. @param counts the documents of each collection that has some */
export async function plannedChecks(
  checks: readonly Resolved<ValidateCheck>[],
  counts: ReadonlyMap<string, number>,
  target: DatabaseTarget,
  place: FirestorePlaceOfCheck,
): Promise<Check[]> {
  const results: Check[] = [];
  for (const check of checks) {
    if (check.kind === 'count') results.push(countCheck(check, counts.get(check.collection) ?? 0));
    else if (check.kind === 'exec')
      results.push(await runCommandCheck(check, checkedDatabase(target, place), place.signal));
  }
  return results;
}

async function digestsOf(
  connection: FirestoreConnection,
  living: LivingContext,
  onDocument: () => void,
): Promise<CollectionSummary[]> {
  const digests = new CollectionDigests();
  for await (const document of livingDocuments(connection, living)) {
    const name = relativeName(document.name ?? '', connection.database);
    digests.of(collectionOf(name)).update(encodeBody(document, connection.database));
    onDocument();
  }
  return digests.summaries();
}

function collectionChecks(expected: readonly CollectionSummary[], found: readonly CollectionSummary[]): Check[] {
  const others = new Map(found.map((each) => [each.collection, each]));
  const checks = expected.map((each): Check => {
    const other = others.get(each.collection);
    others.delete(each.collection);
    return collectionCheck(each, other);
  });
  const extra = [...others.values()].map(
    ({ collection, documents }): Check => ({
      name: `documents ${collection}`,
      result: 'failed',
      detail: `${documents} documents, of which the snapshot has none`,
    }),
  );
  return [...checks, ...extra];
}

function collectionCheck(expected: CollectionSummary, found: CollectionSummary | undefined): Check {
  const name = `documents ${expected.collection}`;
  if (found?.documents !== expected.documents) {
    return { name, result: 'failed', detail: `${found?.documents ?? 0} documents, expected ${expected.documents}` };
  }
  if (found.digest !== expected.digest) {
    return { name, result: 'failed', detail: `${found.documents} documents, with another digest than was captured` };
  }
  return { name, result: 'passed', detail: `${found.documents} documents, all equal` };
}

function countCheck(
  { name, collection, atLeast, atMost }: Extract<Resolved<ValidateCheck>, { kind: 'count' }>,
  documents: number,
): Check {
  const isFitting = documents >= (atLeast ?? 0) && documents <= (atMost ?? Number.POSITIVE_INFINITY);
  const bounds = [
    ...(atLeast === undefined ? [] : [`at least ${atLeast}`]),
    ...(atMost === undefined ? [] : [`at most ${atMost}`]),
  ];
  return {
    name: `validate: ${name}`,
    result: isFitting ? 'passed' : 'failed',
    detail: `${collection} has ${documents} documents, expected ${bounds.join(' and ')}`,
  };
}

function checkedDatabase(
  { url }: DatabaseTarget,
  { project, database, endpoint }: FirestorePlaceOfCheck,
): CheckedPlace {
  return {
    words: { 'sandbox.url': url, 'target.url': url },
    environment: {
      HOLDFAST_RESTORED: url,
      GOOGLE_CLOUD_PROJECT: project,
      FIRESTORE_DATABASE: database,
      ...(endpoint.emulator !== undefined && { FIRESTORE_EMULATOR_HOST: endpoint.emulator }),
    },
    quotes: true,
  };
}

interface FirestorePlaceOfCheck {
  project: string;
  database: string;
  endpoint: FirestoreEndpoint;
  signal: AbortSignal;
}
