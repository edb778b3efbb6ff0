import { type FirestoreDatabase, firestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { Target } from '../../../foundation/target.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { Discrepancy, RestoreContext, Restored } from '../../index.ts';
import { readFirestoreDetails } from '../codec/details.ts';
import { decodeDocument } from '../codec/document-line.ts';
import { pathOf } from '../codec/names.ts';
import { type FirestoreConnection, type FirestoreEndpoint, openFirestore } from '../connection.ts';
import { createForRestore, FALLBACK_LOCATION } from './administration.ts';
import { type DocumentDifference, differencesByName, differencesInOrder } from './differences.ts';
import { DocumentWriter, type WriteStatus } from './document-writer.ts';
import { estimateRestore, type OperationPrices } from './estimate.ts';
import { type LivingContext, livingDocuments } from './living-documents.ts';
import { claimDatabase, releaseDatabase } from './marker.ts';
import { RampUp } from './ramp-up.ts';
import { coverageOf, documentMatcher, refuseUnnamed, type StoredDocument, storedDocuments } from './stored-lines.ts';

export type DatabaseTarget = Extract<Target, { kind: 'database' }>;

/** As many documents are named that would be written or removed. */
export const NAMED = 100;

/**
 * Brings documents of a snapshot to a database: to an empty one, which an interrupted restore goes on in, or with `diff` or
 * `replace` to one that holds anything, of which only what differs is written.
 * @throws target-not-empty, target-failed, bad-usage; path-missing where a pattern of the selection names nothing;
 *   repository-damaged, archive-damaged
 */
export async function restoreDocuments(
  reader: SnapshotReader,
  target: DatabaseTarget,
  context: RestoreContext,
  { endpoint, prices }: { endpoint: FirestoreEndpoint; prices: OperationPrices },
): Promise<Restored> {
  const { selection, progress, signal, replace = false, diff = false, dryRun = false } = context;
  const details = await readFirestoreDetails(reader);
  await refuseUnnamed(reader, selection);
  if (context.estimate === true) return estimateRestore(reader, context, { details, prices });
  const place = firestoreDatabase(target.url);
  const created = await createMissing(reader, target, context, { place, endpoint, captured: details.location });
  await using connection = openFirestore(place, endpoint);
  const living: LivingContext = { pause: pauseUntilAborted(signal), signal, side: 'target' };
  const stored = storedDocuments(reader, selection);
  const isWhole = selection === undefined;
  progress.phase(dryRun ? 'comparing documents' : 'writing documents', {
    ...(isWhole && { items: details.documents, bytes: sum(details.collections.map(({ bytes }) => bytes)) }),
  });
  if (replace) {
    const [isSelected, isCovered] = [documentMatcher(selection), await coverageOf(reader)];
    // What the backup left out is not missing in it, and must not be removed for it.
    const isMeant = (name: string): boolean => isSelected(name) && isCovered(name);
    const all = livingDocuments(connection, living);
    const differences = differencesInOrder(stored, all, { database: connection.database, isMeant });
    return await (dryRun ? foretell(differences, context) : write(differences, connection, context));
  }
  if (diff) {
    const differences = differencesByName(stored, connection, living);
    return await (dryRun ? foretell(differences, context) : write(differences, connection, context));
  }
  const state = await claimDatabase(connection, { reader, selection }, living);
  const differences = state === 'fresh' ? allMissing(stored) : differencesByName(stored, connection, living);
  const restored = await write(differences, connection, context);
  if (context.keepsMark !== true) await releaseDatabase(connection, { reader, selection }, living);
  const resumed = state === 'resumed' ? ['an interrupted restore was gone on with'] : [];
  return { ...restored, notes: [...created, ...resumed, ...restored.notes] };
}

/** Takes the mark of a restore away that `restoreDocuments` or `restoreExport` left. @throws target-failed */
export async function releaseDocuments(
  reader: SnapshotReader,
  target: DatabaseTarget,
  { selection, signal }: Pick<RestoreContext, 'selection' | 'signal'>,
  endpoint: FirestoreEndpoint,
): Promise<void> {
  await using connection = openFirestore(firestoreDatabase(target.url), endpoint);
  await releaseDatabase(
    connection,
    { reader, selection },
    { pause: pauseUntilAborted(signal), signal, side: 'target' },
  );
}

/** A sandbox is a database that is going to be made; elsewhere somebody must have asked for it. */
export async function createMissing(
  reader: SnapshotReader,
  { sandbox }: DatabaseTarget,
  { create, dryRun = false, signal }: RestoreContext,
  {
    place,
    endpoint,
    captured,
  }: { place: FirestoreDatabase; endpoint: FirestoreEndpoint; captured: string | undefined },
): Promise<string[]> {
  if (dryRun || (create === undefined && !sandbox)) return [];
  const location = create?.location ?? captured ?? (sandbox ? FALLBACK_LOCATION : undefined);
  return createForRestore(reader, place, { location, endpoint, signal });
}

async function* allMissing(stored: AsyncIterable<StoredDocument[]>): AsyncGenerator<DocumentDifference[]> {
  for await (const documents of stored) yield documents.map((each) => ({ kind: 'missing', stored: each }));
}

/** Writes what differs, and removes what the snapshot does not have where the differences say so. */
async function write(
  differences: AsyncIterable<DocumentDifference[]>,
  { client, database, callOptions }: FirestoreConnection,
  { progress, signal, clock, rampUp = false }: RestoreContext,
): Promise<Restored> {
  const pause = pauseUntilAborted(signal);
  const writer = new DocumentWriter({
    pause,
    ...(rampUp && { rampUp: new RampUp({ clock, pause }) }),
    onWritten: (items, bytes) => progress.advance({ items, bytes }),
    send: async (writes) => {
      // Without another try of the client's own, of which this would hear nothing.
      const options = { ...callOptions, retry: null, timeout: WRITE_TIMEOUT_MS };
      const [answer] = await client.batchWrite({ database, writes } as object, options as object);
      return (answer.status ?? []) as WriteStatus[];
    },
  });
  let equal = 0;
  let bytes = 0;
  for await (const group of differences) {
    signal.throwIfAborted();
    for (const each of group) {
      if (each.kind === 'extra') {
        await writer.add({ write: { delete: `${database}/${each.name}` }, bytes: each.name.length });
        continue;
      }
      bytes += each.stored.line.length;
      if (each.kind === 'equal') {
        equal++;
        progress.advance({ items: 1, bytes: each.stored.line.length });
      } else {
        const update = decodeDocument(each.stored.line, database);
        await writer.add({ write: { update }, bytes: each.stored.line.length });
      }
    }
  }
  await writer.end();
  signal.throwIfAborted();
  const { written, deleted, refused } = writer;
  const counts = [
    `${counted(written)} written`,
    `${counted(equal)} that were right already`,
    `${counted(deleted)} removed`,
  ];
  return {
    ...{ bytes, items: written + equal },
    notes: [
      `${counts.join(', ')}: ${written} writes and ${deleted} deletes are charged`,
      ...(written > 0 ? ['the times of creation and change are those of the restore: nobody can set them'] : []),
    ],
    problems: refused,
  };
}

const WRITE_TIMEOUT_MS = 60_000;

/** What would be written and removed. Only reads. */
async function foretell(
  differences: AsyncIterable<DocumentDifference[]>,
  { progress }: RestoreContext,
): Promise<Restored> {
  const changes = { missing: 0, content: 0, extra: 0, equal: 0 };
  const named: Discrepancy[] = [];
  let bytes = 0;
  for await (const group of differences) {
    for (const each of group) {
      changes[each.kind]++;
      progress.advance({ items: 1 });
      if (each.kind !== 'extra') bytes += each.stored.line.length;
      if (each.kind !== 'equal' && named.length < NAMED) named.push(discrepancyOf(each));
    }
  }
  const items = changes.missing + changes.content + changes.equal;
  return { bytes, items, notes: [], problems: [], changes: { ...changes, named } };
}

/** @param difference any but an equal document */
export function discrepancyOf(difference: DocumentDifference): Discrepancy {
  const name = difference.kind === 'extra' ? difference.name : difference.stored.name;
  const item = pathOf(name);
  if (difference.kind === 'extra') return { item, kind: 'extra', detail: 'is not in the snapshot' };
  if (difference.kind === 'missing') return { item, kind: 'missing', detail: 'is missing' };
  return { item, kind: 'content', detail: 'has other fields' };
}

function counted(documents: number): string {
  return `${documents.toLocaleString('en')} ${documents === 1 ? 'document' : 'documents'}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
