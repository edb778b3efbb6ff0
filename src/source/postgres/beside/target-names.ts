import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { NamedPart } from '../archive/select-entries.ts';
import { type TocEntry, textOf } from '../archive/toc.ts';
import { labelOf } from '../location.ts';
import type { Session } from '../session.ts';

/** What a living database has, by name, before something is put beside it. */

/** SQLSTATEs of a name that nothing has: of an object, a column, a function, a relation, a schema, a database. */
const NOT_THERE = /^(42704|42703|42883|42P01|3F000|3D000)$/;

/** @throws target-not-empty where the database has such a table, or another relation, or the schema */
export async function refuseTaken(session: Session, { schema, table }: NamedPart): Promise<void> {
  const { found } = await session.one(
    'see whether the name is free',
    table === undefined
      ? 'SELECT true::text AS found FROM pg_catalog.pg_namespace WHERE nspname = $1 AND $2::text IS NULL'
      : `SELECT true::text AS found FROM pg_catalog.pg_class AS c
           JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table ?? null],
  );
  if (found === undefined) return;
  const name = table === undefined ? `a schema ${schema}` : `${schema}.${table}`;
  throw new HoldfastError('target-not-empty', `the database ${labelOf(session.location)} has ${name} already`, {
    hint: 'Give another name with `--as`, or rename what is there: a restore never overwrites what is there.',
  });
}

/**
 * Those of some definitions that a database has already: types, functions, schemas, by name and arguments.
 * @param from a database that has all of them
 * @param to in a transaction
 */
export async function findPresent(from: Session, to: Session, entries: Iterable<TocEntry>): Promise<Set<TocEntry>> {
  const all = [...entries];
  const present = new Set<TocEntry>();
  for (const entry of all.filter(hasAddress)) {
    const [catalogue, oid] = [textOf(entry.tableOid), textOf(entry.oid)];
    const address = await from.one(
      'identify what is needed',
      `SELECT type, object_names::text AS names, object_args::text AS arguments
         FROM pg_catalog.pg_identify_object_as_address($1::oid, $2::oid, 0)`,
      [catalogue, oid],
    );
    if (await isPresent(to, address['type'] ?? '', address['names'] ?? '{}', address['arguments'] ?? '{}')) {
      present.add(entry);
    }
  }
  // A type that is announced before its functions is the type itself.
  const names = new Set([...present].filter(isType).map(nameOf));
  for (const entry of all) if (!hasAddress(entry) && isType(entry) && names.has(nameOf(entry))) present.add(entry);
  return present;
}

/** A comment or a grant is nothing by itself. */
export function hasAddress({ tableOid }: TocEntry): boolean {
  return !['', '0'].includes(textOf(tableOid));
}

function isType({ description }: TocEntry): boolean {
  return /TYPE$/.test(textOf(description));
}

function nameOf({ namespace, tag }: TocEntry): string {
  return JSON.stringify([textOf(namespace), textOf(tag)]);
}

async function isPresent(session: Session, type: string, names: string, argumentTypes: string): Promise<boolean> {
  await session.query('look for what is needed', 'SAVEPOINT looking');
  try {
    await session.query(
      'look for what is needed',
      'SELECT FROM pg_catalog.pg_get_object_address($1, $2::text[], $3::text[])',
      [type, names, argumentTypes],
    );
    await session.query('look for what is needed', 'RELEASE looking');
    return true;
  } catch (error) {
    if (!isHoldfastError(error) || !NOT_THERE.test(String(error.context['sqlState']))) throw error;
    await session.query('look for what is needed', 'ROLLBACK TO looking');
    return false;
  }
}
