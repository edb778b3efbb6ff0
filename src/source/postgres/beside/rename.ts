import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { type NamedPart, wildcard } from '../archive/select-entries.ts';
import { quoteIdentifier } from '../identifiers.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { type NewName, nameBeside } from './name.ts';

interface QualifiedName {
  schema: string;
  name: string;
}

/** What came of renaming a table or a schema. */
export interface Renamed {
  /** What it was, and what it is now. */
  was: NamedPart;
  part: NamedPart;
  /** Every table of it, with the name that it had. */
  tables: { from: QualifiedName; to: QualifiedName }[];
  /** The names that it takes in a schema that may have others: of tables, indexes, sequences. */
  relations: QualifiedName[];
  /** Tables that it was a part or a child of, and is not any more. */
  parents: string[];
}

interface Member extends QualifiedName {
  kind: 'table' | 'index' | 'sequence' | 'statistics';
  oid: string;
  parents: { table: string; isPartition: boolean }[];
}

/**
 * Gives a table or a schema another name, and all that has a name beside it: indexes, sequences, statistics, partitions.
 * It is done by a server on a database of a sandbox, which knows everything that names them: keys, rules, defaults, views.
 * @param pattern as `--only` has it
 * @throws path-missing, bad-usage where it names more than one; source-unsupported where it cannot be renamed
 */
export async function renameInSandbox(session: Session, pattern: string, to: NewName): Promise<Renamed> {
  // What the database does by itself when something is defined would be in the way.
  await session.query('set up the sandbox', `SET session_replication_role = replica`);
  const part = await meantBy(session, pattern);
  const members = await membersOf(session, part);
  await detach(session, members);
  const parents = [...new Set(members.flatMap((member) => member.parents.map(({ table }) => table)))];
  const renamed =
    part.table === undefined
      ? await renameSchema(session, part.schema, members, to)
      : await renameTable(session, { schema: part.schema, name: part.table }, members, to);
  return { ...renamed, was: part, parents };
}

async function meantBy(session: Session, pattern: string): Promise<NamedPart> {
  const matches = wildcard(pattern);
  const rows = await session.query(
    'list what there is',
    `SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind
       FROM pg_catalog.pg_namespace AS n
       LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
  );
  const schemas = [...new Set(rows.map(({ schema }) => schema ?? ''))].filter((schema) => matches(schema));
  const relations = rows.filter(({ schema, name }) => name !== null && matches(`${schema}.${name}`));
  const names = [...schemas, ...relations.map(({ schema, name }) => `${schema}.${name}`)];
  if (names.length === 0) {
    throw new HoldfastError('path-missing', `the snapshot has no schema or table ${JSON.stringify(pattern)}`, {
      hint: 'Write `--only schema` or `--only schema.table`, as the database has the names.',
    });
  }
  if (names.length > 1) {
    throw new HoldfastError('bad-usage', `--as names one table or one schema, and ${pattern} is ${names.join(', ')}`, {
      hint: 'Restore one after the other, or the schema that they are in.',
    });
  }
  const relation = relations[0];
  if (relation === undefined) return { schema: schemas[0]! };
  if (relation['kind'] !== 'r' && relation['kind'] !== 'p') {
    throw new HoldfastError('source-unsupported', `${names[0]} is no table`, {
      hint: 'Another name can be given to a table, with its partitions, or to a whole schema.',
    });
  }
  return { schema: relation['schema'] ?? '', table: relation['name'] ?? '' };
}

async function membersOf(session: Session, { schema, table }: NamedPart): Promise<Member[]> {
  const rows = await session.query('list what belongs to it', sqlFile('beside-members'), [schema, table ?? null]);
  return rows.map((row) => ({
    kind: row['kind'] as Member['kind'],
    oid: row['oid'] ?? '',
    schema: row['schema'] ?? '',
    name: row['name'] ?? '',
    parents: JSON.parse(row['parents'] ?? '[]') as Member['parents'],
  }));
}

/** A part of another table would become a part of the living one. */
async function detach(session: Session, members: readonly Member[]): Promise<void> {
  for (const member of members) {
    for (const { table, isPartition } of member.parents) {
      const change = isPartition
        ? `ALTER TABLE ${table} DETACH PARTITION ${quoted(member)}`
        : `ALTER TABLE ${quoted(member)} NO INHERIT ${table}`;
      await session.query(`take ${quoted(member)} out of ${table}`, change);
    }
  }
}

async function renameTable(
  session: Session,
  table: QualifiedName,
  members: readonly Member[],
  to: NewName,
): Promise<Omit<Renamed, 'was' | 'parents'>> {
  const schema = to.schema ?? table.schema;
  const taken = new Set([to.name]);
  const isItself = ({ kind, ...member }: Member): boolean =>
    kind === 'table' && member.schema === table.schema && member.name === table.name;
  const beside = { from: table.name, to: to.name };
  const all = members.map((member) => ({
    member,
    name: isItself(member) ? to.name : nameBeside(member.name, beside, taken),
  }));
  await makeSchema(session, schema, table);
  // In two steps, since a name that one of them gets may be one that another one still has.
  for (const { member } of all) await alter(session, member, member, `RENAME TO ${passingName(member)}`);
  for (const { member } of all) {
    // Indexes and sequences go with their tables.
    if (member.schema === schema || member.kind === 'index' || member.kind === 'sequence') continue;
    const now = { schema: member.schema, name: passingName(member) };
    await alter(session, member, now, `SET SCHEMA ${quoteIdentifier(schema)}`);
  }
  for (const { member, name } of all) {
    await clear(session, { schema, name });
    await alter(session, member, { schema, name: passingName(member) }, `RENAME TO ${quoteIdentifier(name)}`);
  }
  const tables = all.filter(({ member: { kind } }) => kind === 'table');
  return {
    part: { schema, table: to.name },
    tables: tables.map(({ member, name }) => ({
      from: { schema: member.schema, name: member.name },
      to: { schema, name },
    })),
    relations: all.filter(({ member: { kind } }) => kind !== 'statistics').map(({ name }) => ({ schema, name })),
  };
}

/** The owner of the table gets it: what the sandbox calls its own user means nothing elsewhere. */
async function makeSchema(session: Session, schema: string, table: QualifiedName): Promise<void> {
  const { owner } = await session.one(
    'ask for the owner',
    'SELECT tableowner AS owner FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = $2',
    [table.schema, table.name],
  );
  const authorization = `AUTHORIZATION ${quoteIdentifier(owner ?? '')}`;
  await session.query('make the schema', `CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)} ${authorization}`);
}

/** What is known by its object id alone needs no name that anything else may have. */
function passingName({ oid }: Member): string {
  return `holdfast_${oid}`;
}

/** What had the name by then, from a restore before this one perhaps, gives way: it stays in the sandbox. */
async function clear(session: Session, { schema, name }: QualifiedName): Promise<void> {
  const { oid } = await session.one(
    'see whether the name is free',
    `SELECT c.oid::text AS oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind <> 'c'`,
    [schema, name],
  );
  if (oid === undefined) return;
  const was = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  await session.query(`rename ${was}`, `ALTER TABLE ${was} RENAME TO holdfast_before_${oid}`);
}

const KINDS = { table: 'TABLE', index: 'INDEX', sequence: 'SEQUENCE', statistics: 'STATISTICS' };

function alter(session: Session, { kind }: Member, now: QualifiedName, change: string): Promise<unknown> {
  return session.query(`rename ${quoted(now)}`, `ALTER ${KINDS[kind]} ${quoted(now)} ${change}`);
}

/** Everything in the schema comes along, of whatever kind. Extensions stay where they are: the target has its own. */
async function renameSchema(
  session: Session,
  schema: string,
  members: readonly Member[],
  to: NewName,
): Promise<Omit<Renamed, 'was' | 'parents'>> {
  if (to.schema !== undefined) {
    throw new HoldfastError(
      'bad-usage',
      `a schema cannot be restored into another one, as --as ${to.schema}.${to.name} says`,
      {
        hint: 'Give `--as` a name without a point.',
      },
    );
  }
  const [was, is] = [quoteIdentifier(schema), quoteIdentifier(to.name)];
  for (const member of members) {
    const moves = member.schema !== schema && (member.kind === 'table' || member.kind === 'statistics');
    if (moves) await alter(session, member, member, `SET SCHEMA ${was}`);
  }
  const { oid } = await session.one(
    'see whether the name is free',
    'SELECT oid::text FROM pg_catalog.pg_namespace WHERE nspname = $1',
    [to.name],
  );
  if (oid !== undefined) await session.query(`rename ${is}`, `ALTER SCHEMA ${is} RENAME TO holdfast_before_${oid}`);
  await session.query(`rename ${was}`, `ALTER SCHEMA ${was} RENAME TO ${is}`);
  await moveExtensions(session, to.name, schema);
  const tables = members.filter(({ kind }) => kind === 'table');
  return {
    part: { schema: to.name },
    tables: tables.map(({ schema: from, name }) => ({ from: { schema: from, name }, to: { schema: to.name, name } })),
    relations: [],
  };
}

/** @throws source-unsupported where an extension stays in the schema that it was made in */
async function moveExtensions(session: Session, from: string, to: string): Promise<void> {
  const extensions = await session.query(
    'list the extensions',
    `SELECT e.extname AS name FROM pg_catalog.pg_extension AS e
       JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE n.nspname = $1`,
    [from],
  );
  if (extensions.length === 0) return;
  await session.query('make the schema', `CREATE SCHEMA ${quoteIdentifier(to)}`);
  for (const { name } of extensions) {
    const moved = `ALTER EXTENSION ${quoteIdentifier(name ?? '')} SET SCHEMA ${quoteIdentifier(to)}`;
    await session.query(`move the extension ${name}`, moved).catch((error: unknown) => {
      if (!isHoldfastError(error) || error.context['sqlState'] === undefined) throw error;
      throw new HoldfastError(
        'source-unsupported',
        `the schema ${to} has the extension ${name}, which cannot leave it`,
        {
          hint: 'Restore single tables of it with `--only schema.table`, or all of it to a new database.',
          cause: error,
        },
      );
    });
  }
}

function quoted({ schema, name }: QualifiedName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}
