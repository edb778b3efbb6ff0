import { formatTimeMs, NamedPaths, type TreeNode } from '../../../format/index.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { FirestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import { sideBySide } from '../../../foundation/promises.ts';
import type { SnapshotReader, SnapshotWriter } from '../../../repository/index.ts';
import type { Capture, CaptureContext, Manifest } from '../../index.ts';
import { DOCUMENTS_FORMAT, readFirestoreDetails } from '../codec/details.ts';
import { CollectionDigests, DOCUMENT_DIGEST } from '../codec/digest.ts';
import type { RawDocument } from '../codec/document-line.ts';
import { collectionDirectory, DOCUMENTS_DIRECTORY, partName } from '../codec/layout.ts';
import { relativeName } from '../codec/names.ts';
import { encodeTimestamp } from '../codec/values.ts';
import { type FirestoreEndpoint, openFirestore, openFirestoreAdmin } from '../connection.ts';
import { firestoreFailure } from '../failures.ts';
import { isExport } from '../managed/details.ts';
import { pathsTo } from '../restore/stored-lines.ts';
import { readAgain } from '../restore/transient.ts';
import { captureConfiguration } from './configuration.ts';
import { countDocuments } from './count.ts';
import { type DatabaseFacts, databaseFacts } from './database-facts.ts';
import { chooseMoment, expectedMs, refuseTooLong } from './moment.ts';
import { partition } from './partitions.ts';
import { PartWriter, type Piece, partsByCollection } from './parts.ts';
import { answersAcross, serverNow } from './probe.ts';
import type { Range, Scope } from './range.ts';
import { type ReadBudget, ReadMeter } from './read-meter.ts';
import { readRange } from './read-range.ts';
import type { Reading } from './reading.ts';
import { millisecondsOf } from './timestamps.ts';
import { collectionsBelow, walkCollection } from './walk.ts';

/** As many ranges are read at once: more do not come faster than one processor takes them in. */
const RANGES_AT_ONCE = 4;

const UNNAMED_HINT =
  'Write `--only` with the path of a collection or document from `/` on (`/companies/acme`), or with a name at any depth.';

/** Go's FileModes of a directory and a file that only their owner may read. */
const DIRECTORY_MODE = 2 ** 31 + 0o700;
const FILE_MODE = 0o600;

export interface FirestoreCaptureOptions {
  source: string;
  version: string;
  database: FirestoreDatabase;
  endpoint: FirestoreEndpoint;
  /** At the top of the database; undefined for all. */
  collections: readonly string[] | undefined;
  budget: ReadBudget;
}

interface Captured {
  facts: DatabaseFacts;
  reading: Reading;
  clockOffsetMs: number;
  pieces: Piece[];
  digests: CollectionDigests;
  documents: number;
  perSecond: number;
}

/** Captures every document, as it was at one moment, as files of lines. */
export async function captureFirestore(
  options: FirestoreCaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const startedMs = context.clock.nowMs();
  const { project, database } = options.database;
  await using connection = openFirestore(options.database, options.endpoint);
  await using admin = openFirestoreAdmin(project, options.endpoint);
  const facts = await databaseFacts(admin, connection);
  const { reading, clockOffsetMs } = await beginReading(options, connection, facts, context);
  const captured = { facts, reading, clockOffsetMs, ...(await readDocuments(options, reading, writer, context)) };
  const configuration = await captureConfiguration(admin, options, writer, context);
  const timeMs = Math.floor(reading.moment.timeMs - clockOffsetMs);
  const { root, files, bytes } = await storeTree(captured, configuration.nodes, writer, timeMs);
  context.signal.throwIfAborted();
  const manifest: Manifest = {
    version: 1,
    source: options.source,
    type: 'firestore',
    startedAt: formatTimeMs(startedMs),
    finishedAt: formatTimeMs(context.clock.nowMs()),
    time: formatTimeMs(timeMs),
    clockOffsetMs,
    tool: { name: 'holdfast', version: options.version },
    details: {
      format: DOCUMENTS_FORMAT,
      ...{ project, database },
      ...(facts.location !== undefined && { location: facts.location }),
      ...(facts.databaseType !== undefined && { databaseType: facts.databaseType }),
      readTime: JSON.parse(encodeTimestamp(reading.moment.readTime)),
      pointInTimeRecovery: facts.recovery,
      ...(options.endpoint.emulator !== undefined && { emulator: options.endpoint.emulator }),
      ...(options.collections !== undefined && { chosen: options.collections }),
      digest: DOCUMENT_DIGEST,
      documents: captured.documents,
      collections: captured.digests.summaries(),
      reads: reading.meter.reads,
      documentsPerSecond: Math.round(captured.perSecond),
      configuration: configuration.details,
    },
    problems: [],
  };
  const counts = { filesNew: files, filesChanged: 0, filesUnmodified: 0, dirs: 1, bytesProcessed: bytes };
  return { roots: [root], paths: [`/${options.source}`], timeMs, manifest, problems: [], counts };
}

/** Asks the server for its time, and chooses the moment to read. */
export async function beginReading(
  options: FirestoreCaptureOptions,
  connection: Reading['connection'],
  facts: DatabaseFacts,
  { clock, signal }: Pick<CaptureContext, 'clock' | 'signal'>,
): Promise<{ reading: Reading; clockOffsetMs: number }> {
  const pause = pauseUntilAborted(signal);
  const sentMs = clock.nowMs();
  try {
    const now = await readAgain(pause, () => serverNow(connection));
    const clockOffsetMs = Math.round(millisecondsOf(now) - (sentMs + clock.nowMs()) / 2);
    const meter = new ReadMeter(options.budget);
    meter.add(1);
    const moment = chooseMoment(now, facts);
    return { reading: { connection, name: options.database, moment, meter, clock, pause, signal }, clockOffsetMs };
  } catch (error) {
    signal.throwIfAborted();
    throw firestoreFailure(error, connection.database, 'source');
  }
}

export function scopesOf(collections: readonly string[] | undefined): Scope[] {
  return collections === undefined ? [{ collection: undefined }] : collections.map((collection) => ({ collection }));
}

/** Whether a document, or what it is below, is named: all of it is asked, so that each pattern is known to name something. */
function isNamed(name: string, named: NamedPaths): boolean {
  return pathsTo(name).filter((path) => named.has(path)).length > 0;
}

/** A path without anything that stands for others, from the root on. */
const PLAIN_TOP = /^\/([^/*?[\\]+)(?:\/|$)/;

/**
 * The collections at the top that patterns can mean something in: what others have is not read, nor charged for.
 * @param chosen those that the plan names; undefined for all
 */
function topsOf(only: readonly string[], chosen: readonly string[] | undefined): readonly string[] | undefined {
  const tops = only.map((pattern) => PLAIN_TOP.exec(pattern)?.[1]);
  if (tops.includes(undefined)) return chosen;
  return [...new Set(tops as string[])].filter((top) => chosen === undefined || chosen.includes(top));
}

/** How fast the last backup was read, and which collections it found. */
interface Previous {
  perSecond: number | undefined;
  groups: string[];
}

async function previousBackup(previous: SnapshotReader | undefined): Promise<Previous> {
  if (previous === undefined || (await isExport(previous))) return { perSecond: undefined, groups: [] };
  const details = await readFirestoreDetails(previous);
  const perSecond = Number((details as { documentsPerSecond?: unknown }).documentsPerSecond);
  const groups = details.collections.map(({ collection }) => collection.slice(collection.lastIndexOf('/') + 1));
  return { perSecond: perSecond > 0 ? perSecond : undefined, groups };
}

async function readDocuments(
  options: FirestoreCaptureOptions,
  reading: Reading,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Omit<Captured, 'facts' | 'reading' | 'clockOffsetMs'>> {
  const only = context.selection?.only;
  const scopes = sorted(scopesOf(only === undefined ? options.collections : topsOf(only, options.collections)));
  const named = only && new NamedPaths(only);
  if (scopes.length === 0) named?.refuseUnused([reading.connection.database], UNNAMED_HINT);
  const previous = await previousBackup(context.previous);
  const counted = await countDocuments(reading, scopes);
  if (counted !== undefined) {
    reading.meter.refuse(counted);
    refuseTooLong(reading.moment, expectedMs(counted, previous.perSecond), options.database);
  }
  context.progress.phase('reading documents', counted === undefined ? undefined : { items: counted });
  const startedMs = context.clock.monotonicMs();
  const streams = await streamsOf(reading, scopes, { groups: previous.groups, documents: counted });
  const { read, ...written } = await readStreams(streams, { reading, named }, writer, context);
  const durationMs = Math.max(1, context.clock.monotonicMs() - startedMs);
  if (counted !== undefined && counted !== read) throw miscounted(counted, read, reading);
  named?.refuseUnused([reading.connection.database], UNNAMED_HINT);
  return { ...written, perSecond: (read / durationMs) * 1000 };
}

/** What is read one after the other, in the order of names: each may be read beside the others. */
type Documents = (reading: Reading) => AsyncGenerator<RawDocument>;

async function streamsOf(
  reading: Reading,
  scopes: readonly Scope[],
  known: { groups: string[]; documents: number | undefined },
): Promise<Documents[]> {
  const root = `${reading.connection.database}/documents`;
  const isWhole = scopes[0]?.collection === undefined;
  if (await answersAcross(reading, scopes[0]!)) {
    const tops = isWhole ? await collectionsBelow(reading, root) : scopes.map(({ collection }) => collection!);
    const groups = [...new Set([...tops, ...known.groups])];
    const ranges = await partition(reading, scopes, { groups, documents: known.documents });
    return ranges.map((range: Range) => (each) => readRange(each, range));
  }
  const tops = isWhole ? await collectionsBelow(reading, root) : scopes.map(({ collection }) => collection!);
  return tops.map((collection) => (each) => walkCollection(each, root, collection));
}

async function readStreams(
  streams: readonly Documents[],
  { reading, named }: { reading: Reading; named: NamedPaths | undefined },
  writer: SnapshotWriter,
  { progress }: CaptureContext,
): Promise<Pick<Captured, 'pieces' | 'digests' | 'documents'> & { read: number }> {
  const { database } = reading.connection;
  let read = 0;
  // What fails ends what runs beside it.
  const failed = new AbortController();
  const signal = AbortSignal.any([reading.signal, failed.signal]);
  const shared = { ...reading, signal, pause: pauseUntilAborted(signal) };
  const atOnce = Math.min(RANGES_AT_ONCE, writer.maxStreams);
  const written = await sideBySide(streams, atOnce, async (documents) => {
    const parts = new PartWriter(writer, database);
    try {
      for await (const document of documents(shared)) {
        read++;
        const isMeant = named === undefined || isNamed(relativeName(document.name ?? '', database), named);
        progress.advance({ items: 1, bytes: isMeant ? await parts.add(document) : 0 });
      }
      await parts.end();
      return parts;
    } catch (error) {
      failed.abort(error);
      parts.abort();
      throw error;
    }
  });
  const digests = new CollectionDigests();
  for (const parts of written) digests.add(parts.digests);
  return {
    read,
    pieces: written.flatMap(({ pieces }) => pieces),
    digests,
    documents: written.reduce((total, { documents }) => total + documents, 0),
  };
}

function sorted(scopes: Scope[]): Scope[] {
  return scopes.sort((left, right) => ((left.collection ?? '') < (right.collection ?? '') ? -1 : 1));
}

function miscounted(counted: number, read: number, { connection, moment }: Reading): HoldfastError {
  return new HoldfastError(
    'source-lost',
    `the server counts ${counted} documents at the moment of this backup, and gave ${read}: nothing was stored`,
    {
      hint: 'Run the backup again; if it stays so, the server does not answer queries across collections faithfully.',
      retryable: true,
      context: { database: connection.database, readTime: new Date(moment.timeMs).toISOString() },
    },
  );
}

async function storeTree(
  { pieces }: Captured,
  configuration: readonly TreeNode[],
  writer: SnapshotWriter,
  timeMs: number,
): Promise<{ root: TreeNode; files: number; bytes: number }> {
  const time = formatTimeMs(timeMs);
  const times = { mtime: time, atime: time, ctime: time };
  const directory = async (name: string, nodes: TreeNode[]): Promise<TreeNode> => ({
    ...{ name, type: 'dir', mode: DIRECTORY_MODE, ...times, content: null },
    subtree: await writer.saveTree(nodes.map((node) => ({ ...node, ...times }))),
  });
  const collections: TreeNode[] = [];
  let [files, bytes] = [configuration.length, 0];
  for (const [collection, parts] of partsByCollection(pieces)) {
    const nodes = parts.map(({ content, sizeBytes }, index): TreeNode => {
      bytes += sizeBytes;
      return { name: partName(index), type: 'file', mode: FILE_MODE, size: sizeBytes, content };
    });
    files += nodes.length;
    collections.push(await directory(collectionDirectory(collection), nodes));
  }
  const documents = await directory(DOCUMENTS_DIRECTORY, collections);
  return { root: await directory('data', [documents, ...configuration]), files, bytes };
}
