import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotReader } from '../../repository/index.ts';
import type { RestoreContext } from '../index.ts';
import { readToc } from './archive/read-toc.ts';
import { type ArchiveToc, TOC_FILE } from './archive/toc.ts';
import { compareSchemas, type Recovered, type SchemaComparison } from './compare-schema.ts';
import { compareTables, digestTables, type ExpectedTable, type TableComparison } from './compare-tables.ts';
import { comparedPart, presentPart } from './compared-part.ts';
import { type PostgresDetails, readDetails } from './details.ts';
import { dumpArchive, excludable, findDumpPrograms } from './dump.ts';
import type { Side } from './failures.ts';
import { digestLargeObjects } from './large-objects.ts';
import { storedToc } from './loadable.ts';
import type { Location } from './location.ts';
import { inspectServer } from './server.ts';
import { Session } from './session.ts';
import { type ExportedSnapshot, exportSnapshot, LOCK_TIMEOUT_MS } from './snapshot.ts';

/** What a database is held against. */
export interface ExpectedDatabase extends Pick<PostgresDetails, 'encoding' | 'pgDumpVersion' | 'largeObjects'> {
  toc: ArchiveToc;
  tables: ExpectedTable[];
  /** How far the captured server's clock was ahead. */
  clockOffsetMs: number;
  /** Where a recovery made it. */
  recovered?: Recovered;
}

/** A snapshot and a database, held against each other. */
export interface DatabaseComparison {
  schema: SchemaComparison;
  /** Every table of the snapshot, and those of the database that the snapshot does not have. */
  tables: TableComparison[];
  largeObjects: { expected: PostgresDetails['largeObjects']; found: PostgresDetails['largeObjects'] };
  /** Tables of which only the definitions could be compared. */
  emptied: string[];
}

/** What the database is that a snapshot holds as an archive. @throws repository-damaged, archive-damaged */
export async function expectedOf(reader: SnapshotReader): Promise<ExpectedDatabase> {
  const { details, clockOffsetMs } = await readDetails(reader);
  return { ...details, clockOffsetMs, toc: await storedToc(reader) };
}

/** What a database is that recovered in a sandbox: all of it is read there, or the rows of a part that is asked for. @throws path-missing */
export async function recoveredDatabase(location: Location, context: RestoreContext): Promise<ExpectedDatabase> {
  const directory = join(context.scratchDirectory, 'expected');
  return lookAt({ location, side: 'target', directory }, context, {}, async (seen) => {
    const { toc, encoding, pgDumpVersion, largeObjects, main } = seen;
    const sequences = await main.query(
      'list the unlogged sequences',
      `SELECT n.nspname || ' ' || c.relname AS name
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence = 'u'`,
    );
    const recovered = { unloggedSequences: sequences.map(({ name }) => name ?? '') };
    const tables = await digestTables(partOfSeen(seen, context.selection?.only, comparedPart));
    return { toc, tables, encoding, pgDumpVersion, largeObjects, clockOffsetMs: 0, recovered };
  });
}

/**
 * Holds a database, or the part of it that the context selects, against what it is expected to be: all at one moment, in
 * transactions that only read. Large objects belong to no part.
 * @param side which end the database is at: it decides what its failures are called
 * @throws path-missing when what is selected is not in what is expected
 */
export async function compareDatabase(
  whole: ExpectedDatabase,
  location: Location,
  side: Side,
  context: RestoreContext,
): Promise<DatabaseComparison> {
  const directory = join(context.scratchDirectory, 'found');
  const only = context.selection?.only;
  const expected = partOfExpected(whole, only);
  return lookAt({ location, side, directory }, context, expected, async (all) => {
    const seen = partOfSeen(all, only, presentPart);
    return {
      schema: compareSchemas(expected.toc, seen.toc, expected),
      tables: await compareTables(expected.tables, seen),
      largeObjects: { expected: expected.largeObjects, found: seen.largeObjects },
      emptied: expected.tables.filter(({ isEmptied }) => isEmptied).map(({ schema, name }) => `${schema}.${name}`),
    };
  });
}

const NO_LARGE_OBJECTS: PostgresDetails['largeObjects'] = { count: 0, bytes: 0, digest: '' };

function partOfExpected(whole: ExpectedDatabase, only: readonly string[] | undefined): ExpectedDatabase {
  if (only === undefined) return whole;
  const { toc, hasRowsOf } = comparedPart(whole.toc, only);
  return { ...whole, toc, tables: whole.tables.filter(hasRowsOf), largeObjects: NO_LARGE_OBJECTS };
}

/** @param choose what is a part of it */
function partOfSeen(seen: Seen, only: readonly string[] | undefined, choose: typeof comparedPart): Seen {
  if (only === undefined) return seen;
  const { toc, hasRowsOf } = choose(seen.toc, only);
  const exported = { ...seen.exported, tables: seen.exported.tables.filter(hasRowsOf) };
  return { ...seen, toc, exported, largeObjects: NO_LARGE_OBJECTS };
}

/** A database at one moment, with everything known of it but its rows. */
interface Seen extends Pick<PostgresDetails, 'encoding' | 'pgDumpVersion' | 'largeObjects'> {
  toc: ArchiveToc;
  main: Session;
  location: Location;
  side: Side;
  exported: ExportedSnapshot;
  context: RestoreContext;
}

interface Place {
  location: Location;
  side: Side;
  /** Where its definitions are dumped; does not exist yet. */
  directory: string;
}

/** @param as in which encoding, and by which pg_dump: as what it is held against; the database's own by default */
async function lookAt<T>(
  { location, side, directory }: Place,
  context: RestoreContext,
  as: Partial<Pick<ExpectedDatabase, 'encoding' | 'pgDumpVersion'>>,
  work: (seen: Seen) => Promise<T>,
): Promise<T> {
  const { signal, progress } = context;
  const main = await Session.open(location, { side, signal });
  try {
    const exported = await exportSnapshot(main);
    const server = await inspectServer(main);
    const encoding = as.encoding ?? server.encoding;
    progress.phase('reading definitions');
    const programs = await findDumpPrograms(
      Math.max(server.majorVersion, Number.parseInt(as.pgDumpVersion ?? '0', 10)),
    );
    await dumpArchive({
      ...{ programs, location, side, lockTimeoutMs: LOCK_TIMEOUT_MS, directory, snapshotId: exported.id },
      ...{ without: excludable(exported.tables), encoding, signal },
    });
    const toc = readToc(await readFile(join(directory, TOC_FILE)));
    const largeObjects = await digestLargeObjects(directory);
    return await work({
      ...{ toc, encoding, pgDumpVersion: programs.version, largeObjects },
      ...{ main, location, side, exported, context },
    });
  } finally {
    await main.close();
  }
}
