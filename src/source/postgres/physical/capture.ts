import { formatTimeMs, type TreeNode } from '../../../format/index.ts';
import { CRC32C_START, crc32cText, updateCrc32c } from '../../../foundation/crc32c.ts';
import { isHoldfastError } from '../../../foundation/errors.ts';
import { parseLsnText, type SnapshotReader, type SnapshotWriter } from '../../../repository/index.ts';
import {
  type Capture,
  type CaptureContext,
  type Manifest,
  manifestLog,
  type Problem,
  readManifest,
} from '../../index.ts';
import { measureClockOffset } from '../clock-offset.ts';
import type { Location } from '../location.ts';
import { Session } from '../session.ts';
import { explainStandbyFailure } from '../standby.ts';
import { ensureSlot } from '../wal/slot.ts';
import { changeBackupManifest, checkBackupManifest, type StoredContent } from './backup-manifest.ts';
import { type BackupStop, runBaseBackup } from './base-backup.ts';
import { confirmBroken } from './broken-pages.ts';
import { type ClusterFacts, inspectCluster } from './cluster.ts';
import { CONFIGURATION_FILES, minimalConfiguration } from './configuration.ts';
import { type ContentsSeen, lastingContents, lookAtContents, MOST_TABLES } from './contents.ts';
import { cutBytesFor } from './cut.ts';
import type { Attributes, DataTree } from './data-tree.ts';
import { type ClusterContents, DATA_DIRECTORY_FORMAT, type PhysicalDetails } from './details.ts';
import { refuseNewTablespaces } from './new-tablespaces.ts';
import { ClusterReceiver, SIGNAL_FILES } from './receive.ts';
import { keepLog, openReplication } from './replication.ts';
import { behindWhatWasSeen, lookAtStandby, momentWithin, type StandbyStart } from './standby-start.ts';

export interface PhysicalCaptureOptions {
  source: string;
  version: string;
  location: Location;
  /** Of a standby, where its primary is: it tells of which moment the backup is. */
  primary?: Location | undefined;
  /** The permanent slot that keeps the log from this backup on for whoever follows it; made if it is not there. */
  slot?: string | undefined;
}

/** What is seen of a cluster before it is backed up. */
interface Inspected {
  facts: ClusterFacts;
  clockOffsetMs: number;
  before: ContentsSeen;
  /** Of a standby. */
  standby: StandbyStart | undefined;
}

interface Received extends Omit<Inspected, 'before'> {
  systemIdentifier: string;
  receiver: ClusterReceiver;
  problems: Problem[];
  stop: BackupStop;
  contents: ClusterContents | undefined;
  warnings: string[];
}

/** Captures a whole cluster, as a data directory that a server starts from and brings to the moment the backup ended. */
export async function captureCluster(
  options: PhysicalCaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const startedMs = context.clock.nowMs();
  const received = await receiveCluster(options, writer, context);
  const { receiver, clockOffsetMs, problems } = received;
  checkBackupManifest(receiver.manifestText, receiver.stored);
  const { made, roots, files, directories } = await storeTrees(received, writer);
  context.signal.throwIfAborted();
  const timeMs = momentOf(received) ?? startedMs;
  const finishedMs = context.clock.nowMs();
  const log = logOf(received);
  const manifest: Manifest = {
    version: 1,
    source: options.source,
    type: 'postgres',
    startedAt: formatTimeMs(startedMs),
    finishedAt: formatTimeMs(finishedMs),
    time: formatTimeMs(timeMs),
    clockOffsetMs,
    log: manifestLog(log, finishedMs + clockOffsetMs),
    tool: { name: 'holdfast', version: options.version },
    details: { ...detailsOf(received, { files, made }) },
    problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
  };
  const counts = {
    filesNew: files,
    filesChanged: 0,
    filesUnmodified: 0,
    dirs: directories,
    bytesProcessed: receiver.bytes,
  };
  return { roots, paths: [`/${options.source}`], timeMs, manifest, problems, counts, log };
}

/** All that was committed by then is in the backup; on Holdfast's clock. */
function momentOf({ receiver, standby, stop, clockOffsetMs }: Received): number | undefined {
  if (standby === undefined) return receiver.controlFileMs;
  return Math.round(momentWithin(standby, parseLsnText(stop.lsnText)) - clockOffsetMs);
}

function logOf({ systemIdentifier, receiver, stop }: Received): NonNullable<Capture['log']> {
  const [start, end] = [parseLsnText(receiver.startedAt.lsnText), parseLsnText(stop.lsnText)];
  return { system: systemIdentifier, timeline: stop.timeline, start, end };
}

async function receiveCluster(
  { location, primary, slot }: PhysicalCaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Received> {
  const { facts, clockOffsetMs, before, standby } = await inspect(location, primary, context);
  const previousCutBytes = await cutBytesOf(context.previous);
  const replication = await openReplication(location, facts, context.signal);
  const warnings = [...(standby?.warnings ?? [])];
  replication.client.on('notice', ({ message }) => {
    if (warnings.length < MAX_WARNINGS && message !== undefined) warnings.push(message);
  });
  const receiver = new ClusterReceiver({
    writer,
    context,
    directoryMode: facts.directoryMode,
    pages: facts.pages,
    cutBytes: (bytes) => cutBytesFor(bytes, previousCutBytes),
  });
  try {
    const { systemid } = await replication.one('identify the cluster', 'IDENTIFY_SYSTEM');
    if (slot !== undefined) await ensureSlot(replication, slot);
    await keepLog(replication);
    context.progress.phase('waiting for a checkpoint');
    const stop = await runBaseBackup(replication, receiver).catch(async (error: unknown) => {
      throw standby === undefined ? error : await explainStandbyFailure(error, location, context.signal);
    });
    const problems = await problemsOf(location, receiver, facts, context.signal);
    const lag = standby && behindWhatWasSeen(standby, parseLsnText(stop.lsnText));
    if (lag !== undefined) warnings.push(lag);
    const afterwards = { location, warnings, signal: context.signal };
    const contents = await lookAfterwards(afterwards, async (session) => {
      await refuseNewTablespaces(session, receiver.startedAt.tablespaces);
      return lag === undefined ? lastingContents(before, await lookAtContents(session, MOST_TABLES)) : undefined;
    });
    const systemIdentifier = systemid ?? '';
    return { facts, clockOffsetMs, standby, systemIdentifier, receiver, problems, stop, warnings, contents };
  } finally {
    receiver.abort();
    await replication.close();
  }
}

async function problemsOf(
  location: Location,
  { broken, startedAt }: ClusterReceiver,
  { pages }: ClusterFacts,
  signal: AbortSignal,
): Promise<Problem[]> {
  if (broken.length === 0 || pages === undefined) return [];
  const session = await Session.open(location, { side: 'source', signal });
  try {
    return await confirmBroken(session, broken, pages, startedAt.lsn);
  } finally {
    await session.close();
  }
}

/** A backup that is complete does not fail because nobody is let in any more: nothing is known of afterwards then, and it says so. */
async function lookAfterwards<Result>(
  { location, warnings, signal }: { location: Location; warnings: string[]; signal: AbortSignal },
  look: (session: Session) => Promise<Result>,
): Promise<Result | undefined> {
  try {
    const session = await Session.open(location, { side: 'source', signal });
    try {
      return await look(session);
    } finally {
      await session.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error) || error.code === 'source-changed') throw error;
    warnings.push(`Holdfast could not look at what the cluster has after the backup: ${error.message}`);
    return undefined;
  }
}

/** So many are kept in the manifest. */
const MAX_WARNINGS = 100;

async function inspect(
  location: Location,
  primary: Location | undefined,
  { clock, signal }: CaptureContext,
): Promise<Inspected> {
  const session = await Session.open(location, { side: 'source', signal });
  try {
    const facts = await inspectCluster(session);
    const clockOffsetMs = await measureClockOffset(session, clock);
    const before = await lookAtContents(session, MOST_TABLES);
    // After what was seen, which is in the log before where the standby is now.
    const standby = facts.isStandby ? await lookAtStandby(session, primary, signal) : undefined;
    return { facts, clockOffsetMs, before, standby };
  } finally {
    await session.close();
  }
}

async function cutBytesOf(previous: SnapshotReader | undefined): Promise<number | undefined> {
  if (previous === undefined) return undefined;
  try {
    const bytes = (await readManifest(previous)).details['cutBytes'];
    return typeof bytes === 'number' ? bytes : undefined;
  } catch (error) {
    // That an older snapshot is damaged must not keep anybody from making a new one; `check` is what tells of it.
    if (isHoldfastError(error, 'repository-damaged') || isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  }
}

/** Adds what Holdfast makes itself to what the server sent, and stores the trees. */
async function storeTrees(
  { receiver, facts }: Received,
  writer: SnapshotWriter,
): Promise<{ made: string[]; roots: TreeNode[]; files: number; directories: number }> {
  const { data, spaces } = receiver;
  const attributes = { ...data.attributes, mode: 0o600 };
  const made = await addConfiguration(data, attributes, facts, writer);
  const manifest = Buffer.from(changeBackupManifest(receiver.manifestText, made, SIGNAL_FILES));
  await addFile(data, 'backup_manifest', manifest, attributes, writer);
  const saved = [await data.save(writer)];
  const roots = [saved[0]!.node];
  if (spaces.size > 0) {
    for (const space of spaces.values()) saved.push(await space.save(writer));
    const subtree = await writer.saveTree(saved.slice(1).map(({ node }) => node));
    roots.push({ ...roots[0]!, name: 'tablespaces', subtree });
  }
  const sum = (of: (each: (typeof saved)[number]) => number): number => saved.reduce((all, each) => all + of(each), 0);
  const [files, directories] = [sum((each) => each.files), sum((each) => each.directories)];
  return { made: made.map(({ path }) => path), roots, files, directories };
}

type MadeFile = StoredContent & { path: string; modifiedSeconds: number };

async function addConfiguration(
  data: DataTree,
  attributes: Attributes,
  { settings }: ClusterFacts,
  writer: SnapshotWriter,
): Promise<MadeFile[]> {
  const made: MadeFile[] = [];
  for (const path of CONFIGURATION_FILES.filter((name) => !data.has(name))) {
    const content = Buffer.from(minimalConfiguration(path, settings));
    const stored = await addFile(data, path, content, attributes, writer);
    made.push({ ...stored, path, modifiedSeconds: attributes.modifiedSeconds });
  }
  return made;
}

async function addFile(
  data: DataTree,
  path: string,
  content: Buffer,
  attributes: Attributes,
  writer: SnapshotWriter,
): Promise<StoredContent> {
  const stream = await writer.openFile();
  await stream.write(content);
  data.addFile(path, attributes, Promise.resolve(await stream.end()));
  return { sizeBytes: content.length, crc32c: crc32cText(updateCrc32c(CRC32C_START, content)) };
}

function detailsOf(
  { facts, systemIdentifier, receiver, stop, warnings, contents }: Received,
  { files, made }: { files: number; made: string[] },
): PhysicalDetails {
  const { majorVersion, serverVersion, serverVersionNumber, database, superuser, settings, pages } = facts;
  return {
    format: DATA_DIRECTORY_FORMAT,
    majorVersion,
    serverVersion,
    serverVersionNumber,
    systemIdentifier,
    startLsn: receiver.startedAt.lsnText,
    stopLsn: stop.lsnText,
    timeline: stop.timeline,
    database,
    superuser,
    settings,
    cutBytes: receiver.cutBytes,
    pageChecksums: pages !== undefined,
    files,
    bytes: receiver.bytes,
    tablespaces: receiver.tablespaces,
    madeConfiguration: made,
    ...(facts.isStandby && { isStandby: true }),
    warnings,
    ...(contents !== undefined && { contents }),
  };
}
