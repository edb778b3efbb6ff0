import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import type { SnapshotWriter } from '../../repository/index.ts';
import { type Capture, type CaptureContext, type Manifest, manifestLog } from '../index.ts';
import { Connection } from './connection/connection.ts';
import type { Location } from './connection/location.ts';
import { detailsOf, RDB_NAME, type RedisDetails } from './details.ts';
import { type StoredRdb, storeRdb } from './rdb-file.ts';
import { ReplicaLink, type StreamPosition } from './replication/replica-link.ts';
import { scanAsRdb } from './scan/scan.ts';
import { inspectServer, measureClockOffset, type ServerFacts } from './server.ts';
import { systemOf } from './stream/history.ts';

/** Go's FileModes of a directory and a file that only their owner may read. */
const DIRECTORY_MODE = 2 ** 31 + 0o700;
const FILE_MODE = 0o600;

export interface CaptureOptions {
  source: string;
  version: string;
  location: Location;
  method: 'replication' | 'scan';
}

interface Captured extends StoredRdb {
  timeMs: number;
  position?: StreamPosition;
}

/** Captures a server with all of its databases as an RDB file. */
export async function captureServer(
  options: CaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const { clock, signal, progress } = context;
  const startedMs = clock.nowMs();
  const connection = await Connection.open(options.location, { side: 'source', signal });
  try {
    const facts = await inspectServer(connection);
    const clockOffsetMs = await measureClockOffset(connection, clock);
    progress.phase(options.method === 'scan' ? 'reading keys' : 'reading the RDB');
    const captured =
      options.method === 'scan'
        ? await scan(connection, facts, writer, context)
        : await replicate(options.location, writer, context);
    // It may have come while the last of it was read.
    signal.throwIfAborted();
    const manifest = manifestOf(options, { facts, clockOffsetMs, startedMs, captured }, clock.nowMs());
    return await storeTree(options, captured, writer, manifest);
  } finally {
    connection.destroy();
  }
}

async function replicate(
  location: Location,
  writer: SnapshotWriter,
  { clock, signal, progress }: CaptureContext,
): Promise<Captured> {
  const link = await ReplicaLink.open(location, { signal, purpose: 'rdb-only' });
  try {
    const synchronized = await link.synchronize();
    // The server answers when it has forked: what it sends is of this moment.
    const timeMs = clock.nowMs();
    if (synchronized.kind !== 'full') throw new TypeError('the stream goes on, which nobody asked for');
    const stored = await storeRdb(synchronized.rdb, writer, progress);
    return { ...stored, timeMs, position: synchronized.position };
  } finally {
    link.close();
  }
}

async function scan(
  connection: Connection,
  facts: ServerFacts,
  writer: SnapshotWriter,
  { clock, progress, signal }: CaptureContext,
): Promise<Captured> {
  // What changes meanwhile may be in it as it was or as it became: no moment is promised but the first.
  const timeMs = clock.nowMs();
  return { ...(await storeRdb(scanAsRdb(connection, facts, signal), writer, progress)), timeMs };
}

interface Known {
  facts: ServerFacts;
  clockOffsetMs: number | undefined;
  startedMs: number;
  captured: Captured;
}

function manifestOf(options: CaptureOptions, known: Known, finishedMs: number): Manifest {
  const { facts, clockOffsetMs, startedMs, captured } = known;
  const { position, summary, content, timeMs } = captured;
  const streamDatabase = Number(summary.facts.get('repl-stream-db') ?? -1);
  const log = logOf(captured);
  const details: RedisDetails = {
    ...detailsOf(summary, content),
    server: facts.server,
    serverVersion: facts.version,
    method: options.method,
    ...(position && { replicationId: position.replicationId, offset: String(position.offset) }),
    ...(streamDatabase >= 0 && { streamDatabase }),
    notes: notesOf(options, captured),
  };
  return {
    version: 1,
    source: options.source,
    type: 'redis',
    startedAt: formatTimeMs(startedMs),
    finishedAt: formatTimeMs(finishedMs),
    time: formatTimeMs(timeMs),
    ...(clockOffsetMs !== undefined && { clockOffsetMs }),
    ...(log && { log: manifestLog(log, timeMs + (clockOffsetMs ?? 0)) }),
    tool: { name: 'holdfast', version: options.version },
    details: { ...details },
    problems: [],
  };
}

/** A history that the server took over in a failover has this name only here: a log of it may have another one. */
function logOf({ position }: Captured): Capture['log'] {
  if (position === undefined) return undefined;
  const { offset } = position;
  return { system: systemOf(position.replicationId), timeline: 1, start: offset, end: offset };
}

function notesOf({ method }: CaptureOptions, { summary }: Captured): string[] {
  const notes: string[] = [];
  if (method === 'scan') notes.push('keys were read one after the other while others wrote: it is not of one moment');
  if (summary.checksum === undefined) {
    notes.push('the server writes no checksum (rdbchecksum no): damage inside a value may go unseen');
  }
  return notes;
}

async function storeTree(
  { source }: CaptureOptions,
  captured: Captured,
  writer: SnapshotWriter,
  manifest: Manifest,
): Promise<Capture> {
  const { content, summary, timeMs } = captured;
  const log = logOf(captured);
  const time = formatTimeMs(timeMs);
  const times = { mtime: time, atime: time, ctime: time };
  const { sizeBytes } = summary;
  const file: TreeNode = { name: RDB_NAME, type: 'file', mode: FILE_MODE, ...times, size: sizeBytes, content };
  const data: TreeNode = {
    ...{ name: 'data', type: 'dir', mode: DIRECTORY_MODE, ...times, content: null },
    subtree: await writer.saveTree([file]),
  };
  const counts = { filesNew: 1, filesChanged: 0, filesUnmodified: 0, dirs: 1, bytesProcessed: sizeBytes };
  return { roots: [data], paths: [`/${source}`], timeMs, manifest, problems: [], counts, ...(log && { log }) };
}
