import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RestoreContext } from '../index.ts';
import { addTableData } from './archive/add-table-data.ts';
import { tableFileName } from './archive/file-name.ts';
import { readToc } from './archive/read-toc.ts';
import { type ArchiveToc, TOC_FILE, textOf } from './archive/toc.ts';
import { rowsOfFile } from './copy-in.ts';
import { copiedRows } from './copy-rows.ts';
import { dumpArchive, excludable, findDumpPrograms } from './dump.ts';
import type { LoadableDatabase, LoadableTable, TableRows } from './loadable.ts';
import type { Location } from './location.ts';
import { RowDigest } from './row-digest.ts';
import { inspectServer, rolesIn } from './server.ts';
import { Session } from './session.ts';
import { exportSnapshot, joinSnapshot, LOCK_TIMEOUT_MS, type SourceTable } from './snapshot.ts';
import { copyOutStatement } from './table-parts.ts';

/** A database that runs in a sandbox, as one that can be loaded elsewhere. */
export interface RunningDatabase extends LoadableDatabase, AsyncDisposable {
  /** Reads the moment that all of it is of. */
  session: Session;
}

/**
 * Opens a database of a sandbox: its definitions are dumped here, its rows are read as they are asked for, all of it at one
 * moment. It is of use as long as it is open.
 * @param encoding of the definitions; the database's own by default
 * @throws target-failed, program-missing, program-too-old
 */
export async function openRunningDatabase(
  location: Location,
  { scratchDirectory, signal, progress }: RestoreContext,
  encoding?: string,
): Promise<RunningDatabase> {
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const exported = await exportSnapshot(session);
    const facts = await inspectServer(session);
    const programs = await findDumpPrograms(facts.majorVersion);
    const directory = join(scratchDirectory, 'running');
    const copied = excludable(exported.tables);
    progress.phase('reading definitions');
    await dumpArchive({
      ...{ programs, location, side: 'target', lockTimeoutMs: LOCK_TIMEOUT_MS, directory, snapshotId: exported.id },
      ...{ without: copied, signal, ...(encoding !== undefined && { encoding }) },
    });
    const dumped = readToc(await readFile(join(directory, TOC_FILE)));
    const { toc, tables, byFile } = withRows(dumped, exported.tables, new Set(copied));
    const idle: Session[] = [];
    const lend = async (): Promise<Session> => {
      const waiting = idle.pop();
      if (waiting !== undefined) return waiting;
      const reading = await Session.open(location, { side: 'target', signal });
      await joinSnapshot(reading, exported.id);
      return reading;
    };
    const giveBack = (reading: Session): void => void idle.push(reading);
    return {
      session,
      facts: { ...facts, roles: rolesIn(facts, toc), pgDumpVersion: programs.version },
      toc,
      tables,
      rowsOf: ({ file }) => {
        const table = byFile.get(file);
        if (table === undefined) return dumpedRows(join(directory, file));
        return copiedRows({ lend, giveBack }, `read table ${table.qualified}`, copyOutStatement(table, facts.encoding));
      },
      archiveDirectory: async () => directory,
      [Symbol.asyncDispose]: async () => {
        for (const each of [...idle, session]) await each.close();
      },
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

interface WithRows {
  toc: ArchiveToc;
  tables: LoadableTable[];
  /** Those whose rows are copied, by the names that their files would have. */
  byFile: Map<string, SourceTable>;
}

/** Adds the entries of rows that pg_dump was told to leave out. Tables that it has no definition of belong to nobody. */
function withRows(dumped: ArchiveToc, all: readonly SourceTable[], copied: ReadonlySet<SourceTable>): WithRows {
  const taken = new Set<string>();
  const named = all.map((table) => ({ ...table, fileName: tableFileName(table.schema, table.name, table.oid, taken) }));
  const { toc } = addTableData(
    dumped,
    named.filter((_, index) => copied.has(all[index]!)),
  );
  const rows = toc.entries.filter(({ description }) => textOf(description) === 'TABLE DATA');
  const files = new Map(rows.map(({ oid, fileName }) => [Number(textOf(oid)), textOf(fileName)]));
  const byFile = new Map<string, SourceTable>();
  const tables: LoadableTable[] = [];
  for (const [index, { oid, schema, name, columns, sizeBytes }] of named.entries()) {
    const file = files.get(oid);
    if (file === undefined) continue;
    tables.push({ schema, name, file, bytes: sizeBytes, columns });
    if (copied.has(all[index]!)) byFile.set(file, all[index]!);
  }
  return { toc, tables, byFile };
}

function dumpedRows(path: string): TableRows {
  const digest = new RowDigest();
  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const bytes of rowsOfFile(createReadStream(path), path)) {
      digest.update(bytes);
      yield bytes;
    }
  }
  return { bytes: read(), count: () => digest.rows };
}
