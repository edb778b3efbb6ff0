import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { RestoreContext } from '../index.ts';
import { type ArchiveToc, SECTION, type TocEntry, textOf } from './archive/toc.ts';
import type { LoadableDatabase, LoadableTable } from './loadable.ts';
import { databaseArgument, type Location } from './location.ts';
import type { PreparedTarget } from './prepare-target.ts';
import { runPostgresProgram } from './run-program.ts';
import { Session } from './session.ts';
import { TableLoad } from './table-load.ts';

/** Loading is bound by the server: a third connection keeps it busy while one waits for the repository. */
const CONNECTIONS = 3;
const POST_DATA_JOBS = 2;

export interface Load {
  database: LoadableDatabase;
  location: Location;
  programs: PostgresPrograms;
  prepared: PreparedTarget;
  context: RestoreContext;
  /** Tables stay empty. */
  withoutRows?: boolean;
}

/** Loads a database: definitions first, then rows, then what pg_dump kept of the data, then indexes and constraints. */
export async function load(job: Load): Promise<void> {
  const { database, context } = job;
  const { toc } = database;
  const directory = await database.archiveDirectory(context.scratchDirectory);
  const restore = (section: number, entries: TocEntry[], jobs: number): Promise<void> =>
    pgRestore(job, directory, section, entries, jobs);
  context.progress.phase('making tables');
  await restore(SECTION.preData, entriesIn(toc, SECTION.preData, job), 1);
  if (job.withoutRows !== true) await loadTables(job);
  await restore(SECTION.data, restOfData(job), 1);
  context.progress.phase('making indexes and constraints');
  await restore(SECTION.postData, entriesIn(toc, SECTION.postData, job), POST_DATA_JOBS);
}

/** What pg_dump kept of the data: values of sequences, large objects; not the rows that are loaded here. */
export function restOfData(job: Pick<Load, 'database' | 'prepared'>): TocEntry[] {
  const { toc, tables } = job.database;
  const rowFiles = new Set(tables.map(({ file }) => file));
  return entriesIn(toc, SECTION.data, job).filter(({ fileName }) => !rowFiles.has(textOf(fileName)));
}

/** The entries of a section, without those that the target's login may not restore and nobody would miss. */
export function entriesIn(toc: ArchiveToc, section: number, { prepared }: Pick<Load, 'prepared'>): TocEntry[] {
  // A comment or a grant has no section of its own: as for pg_restore, it goes with what stands before it.
  let current: number = SECTION.preData;
  return toc.entries.filter((entry) => {
    if (entry.section !== SECTION.none) current = entry.section;
    if (current !== section) return false;
    // Only an extension's owner may comment on it; the comment is the extension's own in nearly every case.
    const isExtensionComment = textOf(entry.description) === 'COMMENT' && textOf(entry.tag).startsWith('EXTENSION ');
    return prepared.isSuperuser || !isExtensionComment;
  });
}

const SECTION_NAMES: Record<number, string> = {
  [SECTION.preData]: 'pre-data',
  [SECTION.data]: 'data',
  [SECTION.postData]: 'post-data',
};

/**
 * What pg_restore is told to take some entries of a section, and no others. It makes a file in the scratch directory.
 */
export async function sectionArguments(
  section: number,
  entries: readonly TocEntry[],
  { prepared, context }: Pick<Load, 'prepared' | 'context'>,
): Promise<string[]> {
  const name = SECTION_NAMES[section]!;
  const list = join(context.scratchDirectory, `${name}.list`);
  await writeNew(list, entries.map(({ dumpId }) => `${dumpId};\n`).join(''));
  return [`--section=${name}`, `--use-list=${list}`, ...(prepared.withTablespaces ? [] : ['--no-tablespaces'])];
}

/** From 17 on, pg_restore sets this for its session, on servers too that do not have it yet. */
const UNKNOWN_SETTING = /unrecognized configuration parameter "transaction_timeout"/;

async function pgRestore(
  job: Load,
  directory: string,
  section: number,
  entries: TocEntry[],
  jobs: number,
): Promise<void> {
  if (entries.length === 0) return;
  const { programs, location, prepared, context } = job;
  const forgiving = programs.majorVersion >= 17 && prepared.majorVersion < 17;
  await runPostgresProgram(
    programs.path('pg_restore'),
    [
      ...(forgiving ? [] : ['--exit-on-error']),
      '--no-password',
      ...(await sectionArguments(section, entries, job)),
      ...(jobs > 1 ? [`--jobs=${jobs}`] : []),
      `--dbname=${databaseArgument(location)}`,
      directory,
    ],
    { location, side: 'target', signal: context.signal, ...(forgiving ? { harmless: UNKNOWN_SETTING } : {}) },
  );
}

async function loadTables(job: Load): Promise<void> {
  const { database, context, location } = job;
  const tables = tablesWithRows(database);
  context.progress.phase('loading rows', {
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    items: tables.length,
  });
  const loads = tables.map((table) => new TableLoad(table, database, context.progress));
  const queue = [...loads];
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const work = async (): Promise<void> => {
    const session = await Session.open(location, { side: 'target', signal });
    try {
      for (let load = queue[0]; load !== undefined; load = queue[0]) {
        if (!load.isShared) queue.shift();
        await load.loadOver(session);
        if (load === queue[0]) queue.shift();
      }
    } catch (error) {
      failed.abort(error);
      throw error;
    } finally {
      await session.close();
    }
  };
  const connections = queue.some(({ isShared }) => isShared) ? CONNECTIONS : Math.min(CONNECTIONS, queue.length);
  const results = await Promise.allSettled(Array.from({ length: connections }, work));
  await Promise.all(loads.map((load) => load.close()));
  for (const result of results) if (result.status === 'rejected') throw failed.signal.reason ?? result.reason;
}

/** Those that have rows, as far as that is known, largest first. */
export function tablesWithRows({ tables }: LoadableDatabase): LoadableTable[] {
  return tables.filter(({ rows }) => rows !== 0).sort((a, b) => b.bytes - a.bytes);
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}
