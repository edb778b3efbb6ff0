import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { PostgresPrograms } from '../../../foundation/postgres-programs.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import { type NamedEntries, withoutNeeded } from '../archive/select-entries.ts';
import { SECTION, type TocEntry, textOf } from '../archive/toc.ts';
import { isBesideOf, markBeside } from '../begun-target.ts';
import { entriesIn, restOfData, sectionArguments, tablesWithRows } from '../load.ts';
import type { LoadableDatabase } from '../loadable.ts';
import { type Location, labelOf } from '../location.ts';
import { type PreparedTarget, prepareTarget } from '../prepare-target.ts';
import { amountOf, findRestorePrograms, ownersIn, withEntries, withHint } from '../restore.ts';
import { runPostgresProgram } from '../run-program.ts';
import type { RunningDatabase } from '../running-database.ts';
import { Session } from '../session.ts';
import { TableLoad } from '../table-load.ts';
import type { Renamed } from './rename.ts';
import { findPresent, hasAddress, refuseTaken } from './target-names.ts';

export interface BesideLoad {
  /** The living database. */
  location: Location;
  /** The sandbox's, where everything has its new name. */
  running: RunningDatabase;
  /** The same, with the rows. */
  database: LoadableDatabase;
  selected: NamedEntries;
  renamed: Renamed;
  context: RestoreContext;
}

/** Puts what was selected into a living database, in one transaction. */
export async function loadBeside(work: BesideLoad): Promise<Restored> {
  const { location, context, database, selected, renamed } = work;
  const programs = await findRestorePrograms(database.facts);
  const session = await Session.open(location, { side: 'target', signal: context.signal });
  try {
    if (await isBesideOf(session, context.begunBy)) {
      const notes = ['it was there already, as this step had brought it'];
      return { ...amountOf(withEntries(database, selected.toc)), notes, problems: [] };
    }
    await session.query('begin a transaction', 'BEGIN');
    await refuseTaken(session, renamed.part);
    for (const { schema, name } of renamed.relations) await refuseTaken(session, { schema, table: name });
    const there = await findPresent(work.running.session, session, selected.needed);
    refuseMissing(
      [...selected.needed].filter((entry) => !there.has(entry)),
      location,
    );
    const part = withEntries(database, withoutNeeded(selected.toc, selected.needed, there));
    const prepared = await prepareTarget(session, part.facts, ownersIn(part.toc), { isSandbox: false, mayHold: true });
    await loadInto(session, { database: part, prepared, context, programs });
    if (context.begunBy !== undefined && context.keepsMark === true) await markBeside(session, context.begunBy);
    await session.query('commit', 'COMMIT');
    const made = part.toc.entries.filter((entry) => selected.needed.has(entry) && hasAddress(entry));
    const notes = made.map((entry) => `${nameOf(entry)} was not there any more, and was made: it is needed`);
    return { ...amountOf(part), notes: [...notes, ...prepared.notes], problems: [] };
  } catch (error) {
    throw isHoldfastError(error) ? withHint(error, `Nothing was changed in ${labelOf(location)}.`) : error;
  } finally {
    await session.close();
  }
}

/** Definitions and grants can be made where they are gone; a table would come without its rows. @throws target-unsuitable */
function refuseMissing(missing: readonly TocEntry[], location: Location): void {
  const table = missing.find(({ description }) => /TABLE$|VIEW$/.test(textOf(description)));
  if (table === undefined) return;
  const name = `${textOf(table.namespace)}.${textOf(table.tag)}`;
  throw new HoldfastError('target-unsuitable', `it needs ${name}, which ${labelOf(location)} does not have`, {
    hint: `Restore ${name} first, or all of it to a new database.`,
  });
}

interface Scripts {
  database: LoadableDatabase;
  prepared: PreparedTarget;
  context: RestoreContext;
  programs: PostgresPrograms;
}

/** In the transaction of the session: nobody sees half of it, and what is cut off leaves nothing behind. */
async function loadInto(session: Session, scripts: Scripts): Promise<void> {
  const { database, context } = scripts;
  const { toc } = database;
  context.progress.phase('making tables');
  await runSection(session, SECTION.preData, entriesIn(toc, SECTION.preData, scripts), scripts);
  const tables = tablesWithRows(database);
  context.progress.phase('loading rows', {
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    items: tables.length,
  });
  for (const table of tables) await new TableLoad(table, database, context.progress).loadOver(session);
  const values = restOfData(scripts).filter(({ description }) => textOf(description) !== 'TABLE DATA');
  await runSection(session, SECTION.data, values, scripts);
  context.progress.phase('making indexes and constraints');
  await runSection(session, SECTION.postData, entriesIn(toc, SECTION.postData, scripts), scripts);
}

/** pg_restore writes what is to be done, and the session does it. */
async function runSection(
  session: Session,
  section: number,
  entries: readonly TocEntry[],
  { database, prepared, context, programs }: Scripts,
): Promise<void> {
  if (entries.length === 0) return;
  const file = join(context.scratchDirectory, `section-${section}.sql`);
  const directory = await database.archiveDirectory(context.scratchDirectory);
  await runPostgresProgram(
    programs.path('pg_restore'),
    [...(await sectionArguments(section, entries, { prepared, context })), `--file=${file}`, directory],
    { location: session.location, side: 'target', signal: context.signal },
  );
  const script = withoutCommands(textIn(await readFile(file)));
  await session.query(section === SECTION.postData ? 'make indexes and constraints' : 'make what is restored', script);
}

/** A database without an encoding may hold names that are no text. @throws target-unsuitable */
function textIn(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new HoldfastError('target-unsuitable', 'its definitions have names or texts that are not UTF-8', {
      hint: 'Restore it to a new database, with `--only` alone.',
      cause,
    });
  }
}

/** Without what only psql takes, first and last, and without a setting that older servers do not know. */
function withoutCommands(script: string): string {
  const start = script.indexOf('\n-- Name: ');
  if (start === -1) return '';
  const settings = script.slice(0, start).replaceAll(/^(\\restrict .*|SET transaction_timeout = 0;)$/gm, '');
  const end = script.lastIndexOf('\n\\unrestrict ');
  const isLast = end !== -1 && !script.slice(end).trim().includes('\n');
  return `${settings}${script.slice(start, isLast ? end : undefined)}`;
}

function nameOf({ description, namespace, tag }: TocEntry): string {
  return [description, namespace, tag]
    .map(textOf)
    .filter((part) => part !== '')
    .join(' ');
}
