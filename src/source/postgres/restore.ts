import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TreeNode } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { Target } from '../../foundation/target.ts';
import type { Selection, SnapshotReader } from '../../repository/index.ts';
import type { RestoreContext, Restored } from '../index.ts';
import { readToc } from './archive/read-toc.ts';
import { selectEntries } from './archive/select-entries.ts';
import { type ArchiveToc, SECTION, type TocEntry, textOf } from './archive/toc.ts';
import { makeArchiveDirectory, TOC_FILE } from './capture.ts';
import { copyIn, rowsOfFile } from './copy-in.ts';
import { type PostgresDetails, readDetails, type TableDetails } from './details.ts';
import { quoteIdentifier } from './identifiers.ts';
import { databaseArgument, type Location, labelOf, parseLocation } from './location.ts';
import { applySettings, openTarget, type PreparedTarget, prepareTarget } from './prepare-target.ts';
import { runPostgresProgram } from './run-program.ts';
import { Session } from './session.ts';

/** Loading is bound by the server: a third connection keeps it busy while one waits for the repository. */
const CONNECTIONS = 3;
const POST_DATA_JOBS = 2;
const TOC_LIMIT_BYTES = 512 * 1024 * 1024;

/** Brings an archive back into a database that is empty or made here. */
export async function restoreDatabase(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  context: RestoreContext,
): Promise<Restored> {
  const captured = await readDetails(reader);
  const location = parseLocation(target.url);
  const programs = await findPostgresPrograms({
    programs: ['pg_restore'],
    atLeastMajor: Number.parseInt(captured.details.pgDumpVersion, 10),
  });
  const files = await archiveFiles(reader);
  const whole = readToc(await reader.readWhole(fileOf(files, TOC_FILE), TOC_LIMIT_BYTES));
  const { toc, details, notes: partNotes } = partOf(whole, captured.details, context.selection);
  const { session, created, notes } = await openTarget(location, details, context.signal);
  let loading = false;
  try {
    const prepared = await prepareTarget(session, details, ownersIn(toc), target.sandbox);
    loading = true;
    const rowFiles = new Set(captured.details.tables.map(({ file }) => file));
    await load({ rowFiles, reader, context, details, location, programs, prepared, files, toc });
    notes.push(...partNotes, ...prepared.notes, ...(created ? await applySettings(session, details) : []));
  } catch (error) {
    throw isHoldfastError(error) && (created || loading) ? incomplete(error, location, created) : error;
  } finally {
    await session.close();
  }
  return {
    bytes: details.tables.reduce((sum, { bytes }) => sum + bytes, 0),
    items: details.tables.length,
    notes,
    problems: [],
  };
}

/** What of an archive is to be restored, and what a person should know of what is not. */
function partOf(
  toc: ArchiveToc,
  details: PostgresDetails,
  selection: Selection | undefined,
): { toc: ArchiveToc; details: PostgresDetails; notes: string[] } {
  if (selection?.only === undefined) return { toc, details, notes: [] };
  const selected = selectEntries(toc, selection.only);
  const { entries } = selected.toc;
  const kindOf = ({ description }: TocEntry): string => textOf(description);
  const files = new Set(
    entries.filter((entry) => kindOf(entry) === 'TABLE DATA').map(({ fileName }) => textOf(fileName)),
  );
  const extensions = new Set(entries.filter((entry) => kindOf(entry) === 'EXTENSION').map(({ tag }) => textOf(tag)));
  return {
    toc: selected.toc,
    details: {
      ...details,
      tables: details.tables.filter(({ file }) => files.has(file)),
      extensions: details.extensions.filter(({ name }) => extensions.has(name)),
      roles: details.roles.filter((role) =>
        entries.some(({ owner, definition }) => textOf(owner) === role || textOf(definition).includes(role)),
      ),
    },
    notes: [
      ...selected.withoutRows.map(
        (table) => `${table} was made without its rows: something that was asked for needs it`,
      ),
      ...selected.leftOut.map((entry) => `${entry} was left out: it needs a table that was not asked for`),
    ],
  };
}

interface Load {
  /** The files that hold tables' rows, asked for or not. */
  rowFiles: ReadonlySet<string>;
  reader: SnapshotReader;
  context: RestoreContext;
  details: PostgresDetails;
  location: Location;
  programs: PostgresPrograms;
  prepared: PreparedTarget;
  files: Map<string, TreeNode>;
  toc: ArchiveToc;
}

/** The roles that own something in the archive, the database itself aside. */
function ownersIn(toc: ArchiveToc): string[] {
  const entries = toc.entries.filter(({ description }) => !textOf(description).startsWith('DATABASE'));
  return [...new Set(entries.map(({ owner }) => textOf(owner)))].filter((owner) => owner !== '');
}

/** Definitions first, then rows, then what pg_dump kept of the data, then indexes and constraints. */
async function load(job: Load): Promise<void> {
  const { reader, context, files, toc, rowFiles } = job;
  const directory = await makeArchiveDirectory(context.scratchDirectory);
  for (const [name, node] of files) if (!rowFiles.has(name)) await writeFileOf(reader, node, join(directory, name));
  const restore = (section: number, entries: TocEntry[], jobs: number): Promise<void> =>
    pgRestore(job, directory, section, entries, jobs);
  context.progress.phase('making tables');
  await restore(SECTION.preData, wanted(toc, SECTION.preData, job), 1);
  await loadTables(job);
  const rest = wanted(toc, SECTION.data, job).filter(({ fileName }) => !rowFiles.has(textOf(fileName)));
  await restore(SECTION.data, rest, 1);
  context.progress.phase('making indexes and constraints');
  await restore(SECTION.postData, wanted(toc, SECTION.postData, job), POST_DATA_JOBS);
}

/** The entries of a section, without those that the target's login may not restore and nobody would miss. */
function wanted(toc: ArchiveToc, section: number, { prepared }: Load): TocEntry[] {
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
  const name = SECTION_NAMES[section]!;
  const forgiving = programs.majorVersion >= 17 && prepared.majorVersion < 17;
  const list = join(context.scratchDirectory, `${name}.list`);
  await writeNew(list, entries.map(({ dumpId }) => `${dumpId};\n`).join(''));
  await runPostgresProgram(
    programs.path('pg_restore'),
    [
      ...(forgiving ? [] : ['--exit-on-error']),
      '--no-password',
      `--section=${name}`,
      `--use-list=${list}`,
      ...(prepared.withTablespaces ? [] : ['--no-tablespaces']),
      ...(jobs > 1 ? [`--jobs=${jobs}`] : []),
      `--dbname=${databaseArgument(location)}`,
      directory,
    ],
    { location, side: 'target', signal: context.signal, ...(forgiving ? { harmless: UNKNOWN_SETTING } : {}) },
  );
}

async function loadTables(job: Load): Promise<void> {
  const { details, context, location } = job;
  const queue = details.tables.filter(({ rows }) => rows > 0).sort((a, b) => b.bytes - a.bytes);
  context.progress.phase('loading rows', {
    bytes: queue.reduce((sum, { bytes }) => sum + bytes, 0),
    items: queue.length,
  });
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const work = async (): Promise<void> => {
    const session = await Session.open(location, { side: 'target', signal });
    try {
      for (let table = queue.shift(); table !== undefined; table = queue.shift()) await loadTable(job, session, table);
    } catch (error) {
      failed.abort(error);
      throw error;
    } finally {
      await session.close();
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(CONNECTIONS, queue.length) }, work));
  for (const result of results) if (result.status === 'rejected') throw failed.signal.reason ?? result.reason;
}

async function loadTable(
  { reader, details, files, context }: Load,
  session: Session,
  table: TableDetails,
): Promise<void> {
  const qualified = `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`;
  const columns = table.columns.length === 0 ? '' : `(${table.columns.map(quoteIdentifier).join(', ')})`;
  const sql = `COPY ${qualified} ${columns} FROM STDIN WITH (ENCODING '${details.encoding}')`;
  const rows = counted(rowsOfFile(reader.read(fileOf(files, table.file)), table.file), (bytes) =>
    context.progress.advance({ bytes }),
  );
  const loaded = await copyIn(session, `load table ${qualified}`, sql, rows);
  context.progress.advance({ items: 1 });
  if (loaded === table.rows) return;
  throw new HoldfastError('target-failed', `table ${qualified} has ${loaded} rows, the snapshot ${table.rows}`, {
    hint: 'See whether a rule or trigger on the target keeps rows out.',
  });
}

async function* counted(rows: AsyncIterable<Uint8Array>, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const bytes of rows) {
    yield bytes;
    count(bytes.length);
  }
}

/** The files under `/data`, by name. */
export async function archiveFiles(reader: SnapshotReader): Promise<Map<string, TreeNode>> {
  const data = await reader.find('/data');
  if (data?.subtree === undefined) throw new HoldfastError('repository-damaged', 'the snapshot has no /data');
  return new Map((await reader.entries(data.subtree)).map((node) => [node.name, node]));
}

/** @throws archive-damaged */
export function fileOf(files: ReadonlyMap<string, TreeNode>, name: string): TreeNode {
  const node = files.get(name);
  if (node?.type === 'file') return node;
  throw new HoldfastError('archive-damaged', `the snapshot has no file /data/${name}`, {
    hint: 'Restore an older snapshot.',
  });
}

/** Writes a file of the snapshot to a path where there is none. */
export async function writeFileOf(reader: SnapshotReader, node: TreeNode, path: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const bytes of reader.read(node)) await file.writeFile(bytes);
  } finally {
    await file.close();
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

function incomplete(error: HoldfastError, location: Location, created: boolean): HoldfastError {
  const state = created ? 'was made and is incomplete: drop it' : 'has a part of the restore: drop it, or empty it,';
  const left = `The database ${labelOf(location)} ${state} before you try again.`;
  return new HoldfastError(error.code, error.message, {
    hint: error.hint === undefined ? left : `${error.hint} ${left}`,
    retryable: error.retryable,
    context: error.context,
    cause: error,
  });
}
