import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { type ArchiveToc, textOf } from './archive/toc.ts';
import { type CapturedTable, countedOf } from './capture-tables.ts';
import { rowsOfFile } from './copy-in.ts';
import { RowDigest } from './row-digest.ts';
import type { SourceTable } from './snapshot.ts';

/** A table whose rows are in a file of pg_dump's own. */
export type DumpedTable = SourceTable & Pick<CapturedTable, 'fileName' | 'counted'>;

/** Counts the rows that pg_dump was left to copy, from its files. `missing` are the tables that it has no rows of. */
export async function countDumped(
  toc: ArchiveToc,
  tables: readonly SourceTable[],
  archiveDirectory: string,
): Promise<{ dumped: DumpedTable[]; missing: SourceTable[] }> {
  const entries = toc.entries.filter(({ description }) => textOf(description) === 'TABLE DATA');
  const files = new Map(entries.map(({ oid, fileName }) => [Number(textOf(oid)), textOf(fileName)]));
  const dumped: DumpedTable[] = [];
  const missing: SourceTable[] = [];
  for (const table of tables) {
    const fileName = files.get(table.oid);
    if (fileName === undefined || fileName === '') missing.push(table);
    else dumped.push({ ...table, fileName, counted: await countFile(table, join(archiveDirectory, fileName)) });
  }
  return { dumped, missing };
}

async function countFile(table: SourceTable, path: string): Promise<CapturedTable['counted']> {
  const digest = new RowDigest();
  for await (const bytes of rowsOfFile(createReadStream(path), path)) digest.update(bytes);
  return countedOf(digest, table, digest.rows);
}
