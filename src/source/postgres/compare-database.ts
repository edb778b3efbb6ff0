import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotReader } from '../../repository/index.ts';
import type { RestoreContext } from '../index.ts';
import { readToc } from './archive/read-toc.ts';
import { TOC_FILE } from './capture.ts';
import { compareSchemas, type SchemaComparison } from './compare-schema.ts';
import { compareTables, type TableComparison } from './compare-tables.ts';
import { type PostgresDetails, readDetails } from './details.ts';
import { dumpArchive, excludable, findDumpPrograms } from './dump.ts';
import type { Side } from './failures.ts';
import { digestLargeObjects } from './large-objects.ts';
import type { Location } from './location.ts';
import { archiveFiles, fileOf } from './restore.ts';
import { inspectServer } from './server.ts';
import { Session } from './session.ts';
import { type ExportedSnapshot, exportSnapshot, LOCK_TIMEOUT_MS } from './snapshot.ts';

const TOC_LIMIT_BYTES = 512 * 1024 * 1024;

/** A snapshot and a database, held against each other. */
export interface DatabaseComparison {
  schema: SchemaComparison;
  /** Every table of the snapshot, and those of the database that the snapshot does not have. */
  tables: TableComparison[];
  largeObjects: { expected: PostgresDetails['largeObjects']; found: PostgresDetails['largeObjects'] };
  /** How far the captured server's clock was ahead. */
  clockOffsetMs: number;
}

/**
 * Holds a database against a snapshot's manifest and definitions: all of it at one moment, in transactions that only read.
 * @param side which end the database is at: it decides what its failures are called
 */
export async function compareDatabase(
  reader: SnapshotReader,
  location: Location,
  side: Side,
  context: RestoreContext,
): Promise<DatabaseComparison> {
  const { details, clockOffsetMs } = await readDetails(reader);
  const main = await Session.open(location, { side, signal: context.signal });
  try {
    const exported = await exportSnapshot(main);
    const { majorVersion } = await inspectServer(main);
    context.progress.phase('reading definitions');
    const archive = await dumpRest({ location, side, exported, details, majorVersion }, context);
    const expected = readToc(await reader.readWhole(fileOf(await archiveFiles(reader), TOC_FILE), TOC_LIMIT_BYTES));
    const schema = compareSchemas(expected, readToc(await readFile(join(archive, TOC_FILE))));
    const tables = await compareTables({ main, location, side, exported, details, context });
    const largeObjects = { expected: details.largeObjects, found: await digestLargeObjects(archive) };
    return { schema, tables, largeObjects, clockOffsetMs };
  } finally {
    await main.close();
  }
}

interface Dump {
  location: Location;
  side: Side;
  exported: ExportedSnapshot;
  details: PostgresDetails;
  majorVersion: number;
}

/** What pg_dump says of everything but the rows, as a capture would have it. */
async function dumpRest(
  { location, side, exported, details, majorVersion }: Dump,
  { scratchDirectory, signal }: RestoreContext,
): Promise<string> {
  const directory = join(scratchDirectory, 'found');
  const programs = await findDumpPrograms(Math.max(majorVersion, Number.parseInt(details.pgDumpVersion, 10)));
  await dumpArchive({
    programs,
    location,
    side,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    directory,
    snapshotId: exported.id,
    without: excludable(exported.tables),
    encoding: details.encoding,
    signal,
  });
  return directory;
}
