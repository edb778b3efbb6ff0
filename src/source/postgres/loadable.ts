import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeNode } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { archiveFiles, fileOf, writeFileOf } from './archive/files.ts';
import { readToc } from './archive/read-toc.ts';
import { type ArchiveToc, TOC_FILE } from './archive/toc.ts';
import { rowsOfFile } from './copy-in.ts';
import { type PostgresDetails, readDetails, type TableDetails } from './details.ts';

const TOC_LIMIT_BYTES = 512 * 1024 * 1024;

/** A database as a restore takes it: stored in a snapshot, or running in a sandbox. */
export interface LoadableDatabase {
  facts: DatabaseFacts;
  toc: ArchiveToc;
  tables: LoadableTable[];
  /** The rows of one of `tables`. */
  rowsOf(table: LoadableTable): TableRows;
  /**
   * A directory with the archive that `toc` is the table of contents of, without the rows of `tables`.
   * @param scratchDirectory where it is made, if it is not there yet; once only
   */
  archiveDirectory(scratchDirectory: string): Promise<string>;
}

/** What a target must be able to take. */
export type DatabaseFacts = Pick<
  PostgresDetails,
  | ('majorVersion' | 'pgDumpVersion' | 'encoding' | 'collate' | 'ctype' | 'localeProvider' | 'locale')
  | ('settings' | 'extensions' | 'roles' | 'tablespaces')
>;

/** `rows` where they are known beforehand. */
export type LoadableTable = Omit<TableDetails, 'rows' | 'digest'> & { rows?: number };

export interface TableRows {
  /** As COPY writes them. */
  bytes: AsyncIterable<Uint8Array>;
  /** How many they are; asked for once all have been read. */
  count(): number;
}

/**
 * The database that a snapshot holds as an archive.
 * @throws repository-damaged, archive-damaged
 */
export async function storedDatabase(reader: SnapshotReader): Promise<LoadableDatabase> {
  const { details } = await readDetails(reader);
  const files = await archiveFiles(reader);
  const toc = await tocIn(reader, files);
  const rowFiles = new Set(details.tables.map(({ file }) => file));
  return {
    facts: details,
    toc,
    tables: details.tables,
    rowsOf: ({ file, rows }) => ({
      bytes: rowsOfFile(reader.read(fileOf(files, file)), file),
      count: () => rows ?? Number.NaN,
    }),
    archiveDirectory: (scratchDirectory) => writeRest(reader, files, rowFiles, scratchDirectory),
  };
}

/** The table of contents of the archive that a snapshot holds. @throws repository-damaged, archive-damaged */
export async function storedToc(reader: SnapshotReader): Promise<ArchiveToc> {
  return tocIn(reader, await archiveFiles(reader));
}

async function tocIn(reader: SnapshotReader, files: ReadonlyMap<string, TreeNode>): Promise<ArchiveToc> {
  return readToc(await reader.readWhole(fileOf(files, TOC_FILE), TOC_LIMIT_BYTES));
}

async function writeRest(
  reader: SnapshotReader,
  files: ReadonlyMap<string, TreeNode>,
  rowFiles: ReadonlySet<string>,
  scratchDirectory: string,
): Promise<string> {
  const directory = join(scratchDirectory, 'archive');
  await mkdir(directory, { mode: 0o700 });
  for (const [name, node] of files) if (!rowFiles.has(name)) await writeFileOf(reader, node, join(directory, name));
  return directory;
}
