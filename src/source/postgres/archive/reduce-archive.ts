import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readToc } from './read-toc.ts';
import { selectEntries } from './select-entries.ts';
import { TOC_FILE, textOf } from './toc.ts';
import { writeToc } from './write-toc.ts';

export interface ReducedArchive {
  /** Object ids of the tables that are left, also of those that something else needs. */
  tables: ReadonlySet<number>;
  /** What belongs to what is left and needs something that is not, as a person is told. */
  leftOut: string[];
}

/**
 * Takes out of an archive of pg_dump in a directory what patterns do not name, see `selectEntries`, with its files.
 * @throws path-missing when one of them names nothing
 */
export async function reduceArchive(directory: string, patterns: readonly string[]): Promise<ReducedArchive> {
  const path = join(directory, TOC_FILE);
  const { toc, leftOut } = selectEntries(readToc(await readFile(path)), patterns);
  await writeFile(path, writeToc(toc), { mode: 0o600 });
  const files = new Set([TOC_FILE, ...toc.entries.map(({ fileName }) => textOf(fileName))]);
  for (const name of await readdir(directory)) if (!files.has(name)) await rm(join(directory, name));
  const tables = toc.entries.filter(({ description }) => textOf(description) === 'TABLE');
  return { tables: new Set(tables.map(({ oid }) => Number(textOf(oid)))), leftOut };
}
