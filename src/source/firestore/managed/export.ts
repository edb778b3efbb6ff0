import { formatTimeMs, type TreeNode } from '../../../format/index.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { SnapshotWriter } from '../../../repository/index.ts';
import type { Capture, CaptureContext, Manifest } from '../../index.ts';
import { beginReading, type FirestoreCaptureOptions } from '../capture/capture.ts';
import { captureConfiguration } from '../capture/configuration.ts';
import { databaseFacts } from '../capture/database-facts.ts';
import type { Moment } from '../capture/moment.ts';
import { encodeTimestamp } from '../codec/values.ts';
import { openFirestore, openFirestoreAdmin } from '../connection.ts';
import { countExport } from './counts.ts';
import { EXPORT_FILE, EXPORT_FORMAT, outsideNote } from './details.ts';
import { finished, type LongOperation, operationFailure, workOf } from './operation.ts';

/** Go's FileModes of a directory and a file that only their owner may read. */
const DIRECTORY_MODE = 2 ** 31 + 0o700;
const FILE_MODE = 0o600;

/**
 * Has Google export the documents to a bucket, and captures where they lie, how many there are, and the configuration beside.
 * With point-in-time recovery they are of one moment; else of the time that the export takes.
 * @param bucket `gs://BUCKET/PREFIX`
 */
export async function captureExport(
  options: FirestoreCaptureOptions,
  bucket: string,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const { clock, signal } = context;
  const startedMs = clock.nowMs();
  const { project, database } = options.database;
  await using connection = openFirestore(options.database, options.endpoint);
  await using admin = openFirestoreAdmin(project, options.endpoint);
  const facts = await databaseFacts(admin, connection);
  const { reading, clockOffsetMs } = await beginReading(options, connection, facts, context);
  const { moment, meter } = reading;
  const chosen = options.collections;
  const living = { pause: pauseUntilAborted(signal), signal, side: 'source' as const };
  const counted = await countExport(connection, living, { chosen, readTime: moment.readTime });
  meter.refuse(counted.documents);
  const location = `${bucket.replace(/\/$/, '')}/${options.source}-${formatTimeMs(startedMs).replaceAll(/[-:.]/g, '')}`;
  context.progress.phase('exporting documents', { items: counted.documents });
  const exported = await exportTo(location, admin, { database: connection.database, chosen, moment }, context);
  if (isOneMoment(moment) && (exported.documents ?? counted.documents) < counted.documents) {
    throw tooFew(exported.documents!, counted.documents, location);
  }
  context.progress.note(outsideNote(location));
  const timeMs = Math.floor(moment.timeMs - clockOffsetMs);
  const about = {
    format: EXPORT_FORMAT,
    ...{ project, database },
    ...(facts.location !== undefined && { location: facts.location }),
    ...(facts.databaseType !== undefined && { databaseType: facts.databaseType }),
    ...(options.endpoint.emulator !== undefined && { emulator: options.endpoint.emulator }),
    export: location,
    note: outsideNote(location),
    ...(chosen !== undefined && { chosen }),
    isOneMoment: isOneMoment(moment),
    readTime: JSON.parse(encodeTimestamp(moment.readTime)),
    documents: exported.documents ?? counted.documents,
    ...(exported.bytes !== undefined && { exportedBytes: exported.bytes }),
    collections: counted.collections,
  };
  const configuration = await captureConfiguration(admin, options, writer, context);
  const file = await storedFile(writer, `${JSON.stringify(about, null, 2)}\n`);
  const nodes = [file, ...configuration.nodes];
  const root = await directoryOf(writer, nodes, formatTimeMs(timeMs));
  const manifest: Manifest = {
    version: 1,
    source: options.source,
    type: 'firestore',
    startedAt: formatTimeMs(startedMs),
    finishedAt: formatTimeMs(clock.nowMs()),
    time: formatTimeMs(timeMs),
    clockOffsetMs,
    tool: { name: 'holdfast', version: options.version },
    details: { ...about, configuration: configuration.details },
    problems: [],
  };
  const bytesProcessed = nodes.reduce((sum, { size = 0 }) => sum + Number(size), 0);
  const counts = { filesNew: nodes.length, filesChanged: 0, filesUnmodified: 0, dirs: 1, bytesProcessed };
  return { roots: [root], paths: [`/${options.source}`], timeMs, manifest, problems: [], counts };
}

/** A moment that lasts for days is one that Google can export as well. */
function isOneMoment({ expiresMs }: Moment): boolean {
  return expiresMs === undefined;
}

async function exportTo(
  location: string,
  { client, callOptions }: ReturnType<typeof openFirestoreAdmin>,
  { database, chosen, moment }: { database: string; chosen: readonly string[] | undefined; moment: Moment },
  context: CaptureContext,
): Promise<{ documents: number | undefined; bytes: number | undefined }> {
  const request = {
    ...{ name: database, outputUriPrefix: location },
    ...(chosen !== undefined && { collectionIds: [...chosen] }),
    ...(isOneMoment(moment) && { snapshotTime: moment.readTime }),
  };
  try {
    const [operation] = await client.exportDocuments(request as object, callOptions);
    const { progressDocuments, progressBytes } = await finished(operation as unknown as LongOperation, context);
    return { documents: workOf(progressDocuments), bytes: workOf(progressBytes) };
  } catch (error) {
    throw operationFailure(error, { what: `export to ${location}`, side: 'source', signal: context.signal });
  }
}

function tooFew(exported: number, counted: number, location: string): HoldfastError {
  return new HoldfastError(
    'source-lost',
    `the server counts ${counted} documents at the moment of this export, and exported ${exported}: nothing was stored`,
    { hint: 'Run the backup again.', retryable: true, context: { location } },
  );
}

async function storedFile(writer: SnapshotWriter, text: string): Promise<TreeNode> {
  const stream = await writer.openFile();
  await stream.write(Buffer.from(text));
  const { content, sizeBytes } = await stream.end();
  return { name: EXPORT_FILE, type: 'file', mode: FILE_MODE, size: sizeBytes, content };
}

async function directoryOf(writer: SnapshotWriter, nodes: readonly TreeNode[], time: string): Promise<TreeNode> {
  const times = { mtime: time, atime: time, ctime: time };
  const subtree = await writer.saveTree(nodes.map((node) => ({ ...node, ...times })));
  return { name: 'data', type: 'dir', mode: DIRECTORY_MODE, ...times, content: null, subtree };
}
