import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTimeMs, type TreeNode } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { SnapshotWriter } from '../../repository/index.ts';
import type { Capture, CaptureContext, Manifest, Problem } from '../index.ts';
import { addTableData } from './archive/add-table-data.ts';
import { tableFileName } from './archive/file-name.ts';
import { readToc } from './archive/read-toc.ts';
import { reduceArchive } from './archive/reduce-archive.ts';
import { archiveVersion, TOC_FILE } from './archive/toc.ts';
import { writeToc } from './archive/write-toc.ts';
import { type CapturedTable, capturedTables, captureParts } from './capture-tables.ts';
import { measureClockOffset } from './clock-offset.ts';
import { countDumped } from './count-dumped.ts';
import { ARCHIVE_FORMAT, type PostgresDetails } from './details.ts';
import { dumpArchive, excludable, findDumpPrograms } from './dump.ts';
import { digestLargeObjects } from './large-objects.ts';
import type { Location } from './location.ts';
import { ROW_DIGEST } from './row-digest.ts';
import { inspectServer, rolesIn, type ServerFacts } from './server.ts';
import { Session } from './session.ts';
import { type ExportedSnapshot, exportSnapshot, joinSnapshot, type SourceTable } from './snapshot.ts';
import { type CapturedPart, type NamedTable, partsOf, type TablePart } from './table-parts.ts';

/** More connections do not read faster than two processors pack, and each is one less for the living. */
const CONNECTIONS = 3;

/** Go's FileModes of a directory and a file that only their owner may read. */
const DIRECTORY_MODE = 2 ** 31 + 0o700;
const FILE_MODE = 0o600;

export interface CaptureOptions {
  source: string;
  version: string;
  location: Location;
  /** How long another session's exclusive lock is waited for. */
  lockTimeoutMs: number;
  /** About as much of a table is read at a time. */
  partBytes: number;
}

interface Captured {
  facts: ServerFacts;
  programs: PostgresPrograms;
  clockOffsetMs: number;
  timeMs: number;
  tables: CapturedTable[];
  /** Those that pg_dump copied, with all the rest. */
  left: SourceTable[];
  archiveDirectory: string;
}

/** Captures a database, as it was at one moment, as an archive that stock pg_restore restores. */
export async function captureDatabase(
  options: CaptureOptions,
  writer: SnapshotWriter,
  context: CaptureContext,
): Promise<Capture> {
  const startedMs = context.clock.nowMs();
  const captured = await readMoment(options, writer, context);
  const { nodes, problems, details, bytes } = await storeArchive(captured, writer);
  context.signal.throwIfAborted();
  const times = timesOf(captured.timeMs);
  const data: TreeNode = {
    ...{ name: 'data', type: 'dir', mode: DIRECTORY_MODE, ...times, content: null },
    subtree: await writer.saveTree(nodes.map((node) => ({ ...node, ...times }))),
  };
  const manifest: Manifest = {
    version: 1,
    source: options.source,
    type: 'postgres',
    startedAt: formatTimeMs(startedMs),
    finishedAt: formatTimeMs(context.clock.nowMs()),
    time: formatTimeMs(captured.timeMs),
    clockOffsetMs: captured.clockOffsetMs,
    tool: { name: 'holdfast', version: options.version },
    details: { ...details },
    problems: problems.map(({ item, error }) => ({ item, code: error.code, message: error.message })),
  };
  const counts = { filesNew: nodes.length, filesChanged: 0, filesUnmodified: 0, dirs: 1, bytesProcessed: bytes };
  return { roots: [data], paths: [`/${options.source}`], timeMs: captured.timeMs, manifest, problems, counts };
}

/** Reads everything at one moment: rows over several connections, and beside them, by pg_dump, all the rest. */
async function readMoment(options: CaptureOptions, writer: SnapshotWriter, context: CaptureContext): Promise<Captured> {
  // What fails ends what runs beside it: an error must not wait until the largest table is through.
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const main = await Session.open(options.location, { side: 'source', signal });
  try {
    const facts = await inspectServer(main);
    const programs = await findDumpPrograms(facts.majorVersion);
    const clockOffsetMs = await measureClockOffset(main, context.clock);
    const exported = await exportSnapshot(main, options.lockTimeoutMs);
    const timeMs = Math.floor(exported.serverTimeMs - clockOffsetMs);
    context.progress.phase('copying tables', { bytes: facts.sizeBytes, items: exported.tables.length });
    const archiveDirectory = join(context.scratchDirectory, 'archive');
    const excluded = new Set(excludable(exported.tables));
    const dump = dumpArchive({
      ...{ programs, location: options.location, side: 'source', directory: archiveDirectory, snapshotId: exported.id },
      ...{ without: [...excluded], lockTimeoutMs: options.lockTimeoutMs, signal },
    });
    const isWanted = context.selection === undefined ? () => true : await reduced(dump, archiveDirectory, context);
    const copies = copyTables(main, named([...excluded].filter(isWanted)), {
      options,
      exported,
      facts,
      writer,
      context,
      signal,
      failed,
    });
    const works = [dump, copies].map((work: Promise<unknown>) => endOthersOnFailure(work, failed));
    for (const result of await Promise.allSettled(works)) {
      if (result.status === 'rejected') throw failed.signal.reason ?? result.reason;
    }
    const left = exported.tables.filter((table) => !excluded.has(table) && isWanted(table));
    return { facts, programs, clockOffsetMs, timeMs, tables: await copies, left, archiveDirectory };
  } finally {
    await main.close();
  }
}

/** Which tables a selection means is known from the definitions alone. */
async function reduced(
  dump: Promise<void>,
  archiveDirectory: string,
  { selection, progress }: CaptureContext,
): Promise<(table: SourceTable) => boolean> {
  await dump;
  const { tables, leftOut } = await reduceArchive(archiveDirectory, selection?.only ?? []);
  if (leftOut.length > 0) progress.note(`left out, since it needs what was not asked for: ${leftOut.join(', ')}`);
  return ({ oid }) => tables.has(oid);
}

async function endOthersOnFailure<T>(work: Promise<T>, failed: AbortController): Promise<T> {
  try {
    return await work;
  } catch (error) {
    failed.abort(error);
    throw error;
  }
}

interface Copy {
  options: CaptureOptions;
  exported: ExportedSnapshot;
  facts: ServerFacts;
  writer: SnapshotWriter;
  context: CaptureContext;
  signal: AbortSignal;
  failed: AbortController;
}

/** Copies tables over several connections, and over the main one those that somebody else waits to lock. */
async function copyTables(main: Session, tables: NamedTable[], copy: Copy): Promise<CapturedTable[]> {
  const { options, facts, writer, context, failed } = copy;
  const queue = partsOf(tables, facts.majorVersion, options.partBytes);
  const passed: TablePart[] = [];
  const count = Math.min(CONNECTIONS, writer.maxStreams - 1, queue.length);
  const copies = Array.from({ length: count }, () => endOthersOnFailure(copyQueue(queue, passed, copy), failed));
  // All have ended before an error goes on: nothing writes into a snapshot that was given up.
  await Promise.allSettled(copies);
  const parts = (await Promise.all(copies)).flat();
  parts.push(...(await captureParts(main, passed, undefined, facts.encoding, writer, context.progress)));
  return capturedTables(parts);
}

async function copyQueue(
  queue: TablePart[],
  passed: TablePart[],
  { options, exported, facts, writer, context, signal }: Copy,
): Promise<CapturedPart[]> {
  const session = await Session.open(options.location, { side: 'source', signal });
  try {
    await joinSnapshot(session, exported.id, options.lockTimeoutMs);
    return await captureParts(session, queue, passed, facts.encoding, writer, context.progress);
  } finally {
    await session.close();
  }
}

function named(tables: ExportedSnapshot['tables']): NamedTable[] {
  const taken = new Set<string>();
  return tables.map((table) => ({ ...table, fileName: tableFileName(table.schema, table.name, table.oid, taken) }));
}

/** Puts pg_dump's archive and the tables' rows together, and stores them. */
async function storeArchive(
  { facts, programs, tables, left, archiveDirectory }: Captured,
  writer: SnapshotWriter,
): Promise<{ nodes: TreeNode[]; problems: Problem[]; details: PostgresDetails; bytes: number }> {
  const written = readToc(await readFile(join(archiveDirectory, TOC_FILE)));
  const { toc, missing } = addTableData(written, tables);
  await writeFile(join(archiveDirectory, TOC_FILE), writeToc(toc), { mode: FILE_MODE });
  const { dumped, missing: notDumped } = await countDumped(toc, left, archiveDirectory);
  const lost = [...missing, ...notDumped];
  const problems = lost.map(({ qualified }) => ({ item: qualified, error: withoutDefinition(qualified) }));
  const present = tables.filter((table) => !missing.includes(table));
  const nodes = present.map(({ fileName, stored }): TreeNode => fileNode(fileName, stored.content, stored.sizeBytes));
  for (const name of await readdir(archiveDirectory)) nodes.push(await storeFile(archiveDirectory, name, writer));
  const details: PostgresDetails = {
    ...facts,
    roles: rolesIn(facts, toc),
    format: ARCHIVE_FORMAT,
    archiveVersion: archiveVersion(toc),
    pgDumpVersion: programs.version,
    digest: ROW_DIGEST,
    tables: [...present, ...dumped]
      .map(({ schema, name, fileName, counted, columns }) => ({ schema, name, file: fileName, ...counted, columns }))
      .sort((a, b) => (`${a.schema}.${a.name}` < `${b.schema}.${b.name}` ? -1 : 1)),
    largeObjects: await digestLargeObjects(archiveDirectory),
  };
  return { nodes, problems, details, bytes: nodes.reduce((sum, { size }) => sum + Number(size), 0) };
}

async function storeFile(directory: string, name: string, writer: SnapshotWriter): Promise<TreeNode> {
  const path = join(directory, name);
  if (!(await stat(path)).isFile())
    throw new HoldfastError('archive-unsupported', `pg_dump's archive holds ${name}, which is no file`);
  const descriptor = openSync(path, 'r');
  try {
    const { stored } = await writer.writeFrom(descriptor);
    const { content, sizeBytes } = await stored;
    return fileNode(name, content, sizeBytes);
  } finally {
    closeSync(descriptor);
  }
}

function fileNode(name: string, content: string[], sizeBytes: number): TreeNode {
  return { name, type: 'file', mode: FILE_MODE, size: sizeBytes, content };
}

function timesOf(timeMs: number): Pick<TreeNode, 'mtime' | 'atime' | 'ctime'> {
  const time = formatTimeMs(timeMs);
  return { mtime: time, atime: time, ctime: time };
}

function withoutDefinition(qualified: string): HoldfastError {
  return new HoldfastError(
    'source-unsupported',
    `pg_dump has no definition of table ${qualified}, so its rows are not kept`,
    {
      hint: 'See whether the table belongs to an extension or to the system.',
    },
  );
}
