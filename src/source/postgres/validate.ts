import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Target } from '../../foundation/target.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Check, ValidateContext } from '../index.ts';
import { readToc } from './archive/read-toc.ts';
import { TOC_FILE } from './capture.ts';
import { copyOutStatement, countedOf } from './capture-tables.ts';
import { compareSchemas } from './compare-schema.ts';
import { copyOut } from './copy-out.ts';
import { type PostgresDetails, readDetails, type TableDetails } from './details.ts';
import { dumpArchive, excludable, findDumpPrograms } from './dump.ts';
import { digestLargeObjects } from './large-objects.ts';
import { type Location, parseLocation } from './location.ts';
import { type PlannedCheck, runPlanned } from './planned-checks.ts';
import { archiveFiles, fileOf } from './restore.ts';
import { RowDigest } from './row-digest.ts';
import { inspectServer } from './server.ts';
import { Session } from './session.ts';
import { exportSnapshot, joinSnapshot, LOCK_TIMEOUT_MS, type SourceTable } from './snapshot.ts';

const CONNECTIONS = 3;
const TOC_LIMIT_BYTES = 512 * 1024 * 1024;

/** Holds a database against the snapshot's manifest, all at one moment, then runs the plan's own checks there. */
export async function validateDatabase(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Check[]> {
  const { details, clockOffsetMs } = await readDetails(reader);
  const location = parseLocation(target.url);
  const main = await Session.open(location, { side: 'target', signal: context.signal });
  try {
    const exported = await exportSnapshot(main);
    const { majorVersion } = await inspectServer(main);
    const archive = await dumpRest(location, exported.tables, exported.id, details, majorVersion, context);
    const expected = readToc(await reader.readWhole(fileOf(await archiveFiles(reader), TOC_FILE), TOC_LIMIT_BYTES));
    const schema = compareSchemas(expected, readToc(await readFile(join(archive, TOC_FILE))));
    const rows = await compareRows(location, exported, details, context);
    const checks = [schema, ...rows, ...largeObjectsCheck(details, await digestLargeObjects(archive))];
    const plans = await runPlanned(location, target, planned, context, context.timeMs + clockOffsetMs);
    return [...checks, ...plans];
  } finally {
    await main.close();
  }
}

/** What pg_dump says of everything but the rows, as a capture would have it. */
async function dumpRest(
  location: Location,
  tables: SourceTable[],
  snapshotId: string,
  { encoding, pgDumpVersion }: PostgresDetails,
  majorVersion: number,
  { scratchDirectory, signal }: ValidateContext,
): Promise<string> {
  const directory = join(scratchDirectory, 'found');
  const programs = await findDumpPrograms(Math.max(majorVersion, Number.parseInt(pgDumpVersion, 10)));
  await dumpArchive({
    programs,
    location,
    side: 'target',
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    directory,
    snapshotId,
    without: excludable(tables),
    encoding,
    signal,
  });
  return directory;
}

async function compareRows(
  location: Location,
  { id, tables }: { id: string; tables: SourceTable[] },
  details: PostgresDetails,
  context: ValidateContext,
): Promise<Check[]> {
  const found = new Map(tables.map((table) => [JSON.stringify([table.schema, table.name]), table]));
  const queue = [...details.tables.entries()].sort(([, a], [, b]) => b.bytes - a.bytes);
  const checks: Check[] = new Array(queue.length);
  context.progress.phase('comparing rows', {
    bytes: details.tables.reduce((sum, { bytes }) => sum + bytes, 0),
    items: queue.length,
  });
  const work = async (): Promise<void> => {
    const session = await Session.open(location, { side: 'target', signal: context.signal });
    try {
      await joinSnapshot(session, id);
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [index, expected] = next;
        checks[index] = await compareTable(
          session,
          expected,
          found.get(JSON.stringify([expected.schema, expected.name])),
          details,
          context,
        );
      }
    } finally {
      await session.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONNECTIONS, queue.length) }, work));
  const expected = new Set(details.tables.map(({ schema, name }) => JSON.stringify([schema, name])));
  const extra = tables.filter(({ schema, name }) => !expected.has(JSON.stringify([schema, name])));
  return [
    ...checks,
    ...extra.map(
      ({ qualified }): Check => ({
        name: `rows ${qualified}`,
        result: 'failed',
        detail: 'the table was not in the snapshot',
      }),
    ),
  ];
}

async function compareTable(
  session: Session,
  expected: TableDetails,
  table: SourceTable | undefined,
  { encoding }: PostgresDetails,
  { progress }: ValidateContext,
): Promise<Check> {
  const name = `rows ${expected.schema}.${expected.name}`;
  if (table === undefined) return { name, result: 'failed', detail: 'the table is missing' };
  if (table.columns.join('\0') !== expected.columns.join('\0'))
    return { name, result: 'failed', detail: 'the table has other columns' };
  const digest = new RowDigest();
  const rows = await copyOut(
    session,
    `read table ${table.qualified}`,
    copyOutStatement(table, encoding),
    async (bytes) => {
      digest.update(bytes);
      progress.advance({ bytes: bytes.length });
    },
  );
  const counted = countedOf(digest, table, rows);
  if (counted.rows !== expected.rows)
    return { name, result: 'failed', detail: `${counted.rows} rows, the snapshot has ${expected.rows}` };
  const equal = counted.digest === expected.digest;
  return {
    name,
    result: equal ? 'passed' : 'failed',
    detail: `${rows} rows, digest ${equal ? 'equal' : `${counted.digest}, not ${expected.digest}`}`,
  };
}

function largeObjectsCheck(details: PostgresDetails, found: PostgresDetails['largeObjects']): Check[] {
  const expected = details.largeObjects;
  if (expected.count === 0 && found.count === 0) return [];
  const equal = expected.count === found.count && expected.digest === found.digest;
  return [
    {
      name: 'large objects',
      result: equal ? 'passed' : 'failed',
      detail: `${found.count} of ${expected.count}, contents ${equal ? 'equal' : 'differ'}`,
    },
  ];
}
