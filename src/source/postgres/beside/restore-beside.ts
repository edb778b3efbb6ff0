import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RestoreContext, Restored } from '../../index.ts';
import { type NamedEntries, selectNamed } from '../archive/select-entries.ts';
import { textOf } from '../archive/toc.ts';
import type { LoadableDatabase, LoadableTable } from '../loadable.ts';
import type { Location } from '../location.ts';
import { restoreDatabase } from '../restore.ts';
import { openRunningDatabase, type RunningDatabase } from '../running-database.ts';
import { Session } from '../session.ts';
import { loadBeside } from './load-beside.ts';
import { parseNewName } from './name.ts';
import { type Renamed, renameInSandbox } from './rename.ts';

export interface BesideOptions {
  /** The living database. */
  location: Location;
  /** A database in a sandbox: the one that recovered there, or an empty one where it is `stored`. */
  sandbox: Location;
  /** What a snapshot holds, of which the rows are taken; left out, all of it is in the sandbox. */
  stored?: LoadableDatabase;
  /** `--as` */
  as: string;
}

/** Definitions are said to the living server in this encoding, as everything is that a session sends. */
const ENCODING = 'UTF8';

/**
 * Brings one table or schema back beside what a database has, under another name: all of it or nothing, in one transaction
 * that changes nothing that was there.
 *
 * A server in the sandbox renames it, so that everything that names it follows. What it needs and the living database has,
 * such as a type, is used there; what that has no more is made.
 * @throws target-not-empty where the name is taken, target-unsuitable, target-failed, path-missing, bad-usage; not-provable
 *   where the sandbox lacks what the definitions need
 */
export async function restoreBeside(
  { location, sandbox, stored, as }: BesideOptions,
  context: RestoreContext,
): Promise<Restored> {
  const to = parseNewName(as);
  const [pattern = ''] = context.selection?.only ?? [];
  if (stored !== undefined) await defineInSandbox(stored, sandbox, context);
  const renamed = await renamedIn(sandbox, context, (session) => renameInSandbox(session, pattern, to));
  await using running = await openRunningDatabase(sandbox, context, ENCODING);
  const selected = selectNamed(running.toc, renamed.part);
  const database = stored === undefined ? running : withStoredRows(running, stored, renamed);
  const loaded = await loadBeside({ location, running, database, selected, renamed, context });
  // The sandbox has no more of what is stored than what was asked for.
  const told = stored === undefined ? selected : selectNamed(stored.toc, renamed.was);
  return { ...loaded, notes: [...notesOf(told, renamed), ...loaded.notes] };
}

/** The definitions of the part, and the values of its sequences. */
async function defineInSandbox(
  stored: LoadableDatabase,
  sandbox: Location,
  { begunBy: _, ...context }: RestoreContext,
): Promise<void> {
  const scratchDirectory = join(context.scratchDirectory, 'sandbox');
  await mkdir(scratchDirectory, { mode: 0o700 });
  const options = { location: sandbox, isSandbox: true, withoutRows: true };
  await restoreDatabase(stored, options, { ...context, scratchDirectory });
}

async function renamedIn(
  sandbox: Location,
  { signal }: RestoreContext,
  rename: (session: Session) => Promise<Renamed>,
): Promise<Renamed> {
  const session = await Session.open(sandbox, { side: 'target', signal });
  try {
    return await rename(session);
  } finally {
    await session.close();
  }
}

/** The tables of a sandbox, which are empty there, with the rows that are stored under the names that they had. */
function withStoredRows(running: RunningDatabase, stored: LoadableDatabase, { tables }: Renamed): LoadableDatabase {
  const key = ({ schema, name }: { schema: string; name: string }): string => JSON.stringify([schema, name]);
  const before = new Map(tables.map(({ from, to }) => [key(to), key(from)]));
  const storedByName = new Map(stored.tables.map((table) => [key(table), table]));
  const byFile = new Map<string, LoadableTable>();
  for (const table of running.tables) {
    const found = storedByName.get(before.get(key(table)) ?? '');
    if (found !== undefined) byFile.set(table.file, found);
  }
  return {
    ...running,
    facts: { ...running.facts, majorVersion: stored.facts.majorVersion, encoding: stored.facts.encoding },
    tables: running.tables.flatMap((table) => {
      const found = byFile.get(table.file);
      const { schema, name, file } = table;
      return found === undefined ? [] : [{ ...found, schema, name, file }];
    }),
    rowsOf: ({ file }) => stored.rowsOf(byFile.get(file)!),
  };
}

function notesOf({ toc, leftOut, pointing }: NamedEntries, { was, part, parents }: Renamed): string[] {
  const [before, now] = [was, part].map(({ schema, table }) => (table === undefined ? schema : `${schema}.${table}`));
  // A statement for a body follows whatever it names; a text does not.
  const functions = toc.entries.some(
    ({ description, namespace }) =>
      /^(FUNCTION|PROCEDURE)$/.test(textOf(description)) &&
      textOf(namespace) === was.schema &&
      part.table === undefined,
  );
  return [
    ...leftOut.map((entry) => `${entry} was left out: it needs a table that was not asked for`),
    ...parents.map((table) => `${now} is no part of ${table}, as ${before} was`),
    ...pointing.map((entry) => `${entry} leads to ${before}: nothing leads to ${now}`),
    ...(functions ? [`bodies of functions in ${now} that are texts still say ${before}, where they name it`] : []),
  ];
}
