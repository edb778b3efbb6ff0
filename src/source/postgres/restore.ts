import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { findPostgresPrograms, type PostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { Selection } from '../../repository/index.ts';
import type { RestoreContext, Restored } from '../index.ts';
import { selectEntries } from './archive/select-entries.ts';
import { type ArchiveToc, type TocEntry, textOf } from './archive/toc.ts';
import { BegunTarget, markedLocation } from './begun-target.ts';
import { load } from './load.ts';
import type { DatabaseFacts, LoadableDatabase } from './loadable.ts';
import { type Location, labelOf } from './location.ts';
import { applySettings, openTarget, prepareTarget } from './prepare-target.ts';

export interface RestoreOptions {
  location: Location;
  isSandbox: boolean;
  /** Tables stay empty. */
  withoutRows?: boolean;
}

/**
 * Brings a database, or a part of it, into one that is empty or made here.
 * @throws target-not-empty, target-unsuitable, target-failed, program-missing, path-missing; not-provable in a sandbox
 */
export async function restoreDatabase(
  whole: LoadableDatabase,
  { location: given, isSandbox, withoutRows = false }: RestoreOptions,
  context: RestoreContext,
): Promise<Restored> {
  const programs = await findRestorePrograms(whole.facts);
  const { part: database, notes: partNotes } = partOf(whole, context.selection);
  const { facts, toc } = database;
  const { begunBy } = context;
  const location = markedLocation(given, begunBy);
  const { session, created, notes } = await openTarget(location, facts, context.signal);
  let loading = false;
  try {
    const begun = begunBy === undefined ? undefined : await BegunTarget.open(session, begunBy, created);
    const mayHold = begun?.isResumed ?? false;
    const prepared = await prepareTarget(session, facts, ownersIn(toc), { isSandbox, mayHold });
    await begun?.mark();
    loading = true;
    await load({ database, location, programs, prepared, context, withoutRows });
    const isOurs = begun?.created ?? created;
    notes.push(...partNotes, ...prepared.notes, ...(isOurs ? await applySettings(session, facts) : []));
    if (context.keepsMark !== true) await begun?.release();
  } catch (error) {
    const isLeft = isHoldfastError(error) && begunBy === undefined && (created || loading);
    throw isLeft ? incomplete(error, location, created) : error;
  } finally {
    await session.close();
  }
  return { ...amountOf(database), notes, problems: [] };
}

/** pg_restore reads what a pg_dump of its own version or an older one wrote. @throws program-missing, program-too-old */
export function findRestorePrograms({
  pgDumpVersion,
}: Pick<DatabaseFacts, 'pgDumpVersion'>): Promise<PostgresPrograms> {
  return findPostgresPrograms({ programs: ['pg_restore'], atLeastMajor: Number.parseInt(pgDumpVersion, 10) });
}

/** How much a restore of it brings. */
export function amountOf({ tables }: LoadableDatabase): Pick<Restored, 'bytes' | 'items'> {
  return { bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0), items: tables.length };
}

/** What of a database is to be restored, and what a person should know of what is not. */
export function partOf(
  database: LoadableDatabase,
  selection: Selection | undefined,
): { part: LoadableDatabase; notes: string[] } {
  if (selection?.only === undefined) return { part: database, notes: [] };
  const { toc, leftOut, withoutRows } = selectEntries(database.toc, selection.only);
  return {
    part: withEntries(database, toc),
    notes: [
      ...withoutRows.map((table) => `${table} was made without its rows: something that was asked for needs it`),
      ...leftOut.map((entry) => `${entry} was left out: it needs a table that was not asked for`),
    ],
  };
}

/** A database of which only some entries are restored. */
export function withEntries(database: LoadableDatabase, toc: ArchiveToc): LoadableDatabase {
  const { entries } = toc;
  const kindOf = ({ description }: TocEntry): string => textOf(description);
  const files = new Set(
    entries.filter((entry) => kindOf(entry) === 'TABLE DATA').map(({ fileName }) => textOf(fileName)),
  );
  const extensions = new Set(entries.filter((entry) => kindOf(entry) === 'EXTENSION').map(({ tag }) => textOf(tag)));
  const { facts } = database;
  return {
    ...database,
    toc,
    tables: database.tables.filter(({ file }) => files.has(file)),
    facts: {
      ...facts,
      extensions: facts.extensions.filter(({ name }) => extensions.has(name)),
      roles: facts.roles.filter((role) =>
        entries.some(({ owner, definition }) => textOf(owner) === role || textOf(definition).includes(role)),
      ),
    },
  };
}

/** The roles that own something in the archive, the database itself aside. */
export function ownersIn(toc: ArchiveToc): string[] {
  const entries = toc.entries.filter(({ description }) => !textOf(description).startsWith('DATABASE'));
  return [...new Set(entries.map(({ owner }) => textOf(owner)))].filter((owner) => owner !== '');
}

function incomplete(error: HoldfastError, location: Location, created: boolean): HoldfastError {
  const state = created ? 'was made and is incomplete: drop it' : 'has a part of the restore: drop it, or empty it,';
  return withHint(error, `The database ${labelOf(location)} ${state} before you try again.`);
}

/** An error that says as well what it left behind. */
export function withHint(error: HoldfastError, left: string): HoldfastError {
  return new HoldfastError(error.code, error.message, {
    hint: error.hint === undefined ? left : `${error.hint} ${left}`,
    retryable: error.retryable,
    context: error.context,
    cause: error,
  });
}
