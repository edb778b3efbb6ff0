import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { quoteIdentifier, quoteLiteral } from './identifiers.ts';
import type { DatabaseFacts } from './loadable.ts';
import { type Location, labelOf, otherDatabase } from './location.ts';
import { type Row, Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** Opens the target database, making it where it does not exist, and sees that it can take the restore. */

const NO_SUCH_DATABASE = '3D000';
/** Databases that every server has, to connect to while another one is made. */
const MAINTENANCE_DATABASES = ['postgres', 'template1'];

export interface PreparedTarget {
  majorVersion: number;
  isSuperuser: boolean;
  /** Whether every tablespace of the source is there. */
  withTablespaces: boolean;
  notes: string[];
}

/** @throws target-failed, target-unsuitable */
export async function openTarget(
  location: Location,
  details: DatabaseFacts,
  signal: AbortSignal,
): Promise<{ session: Session; created: boolean; notes: string[] }> {
  const existing = await openExisting(location, signal);
  if (existing !== undefined) return { session: existing, created: false, notes: [] };
  const notes = await createDatabase(location, details, signal);
  return { session: await Session.open(location, { side: 'target', signal }), created: true, notes };
}

/** @returns undefined where the server has no such database */
export async function openExisting(location: Location, signal: AbortSignal): Promise<Session | undefined> {
  try {
    return await Session.open(location, { side: 'target', signal });
  } catch (error) {
    if (!isHoldfastError(error) || error.context['sqlState'] !== NO_SUCH_DATABASE) throw error;
    return undefined;
  }
}

async function createDatabase(location: Location, details: DatabaseFacts, signal: AbortSignal): Promise<string[]> {
  const session = await openMaintenance(location, signal);
  const create = (locale: string): Promise<unknown> =>
    session.query(
      `make the database ${location.database}`,
      `CREATE DATABASE ${quoteIdentifier(location.database)} TEMPLATE template0 ENCODING ${quoteLiteral(details.encoding)}${locale}`,
    );
  try {
    await create(localeClause(details));
    return [];
  } catch (error) {
    if (!isHoldfastError(error) || !LOCALE_REFUSED.has(String(error.context['sqlState']))) throw error;
    await create(` LC_COLLATE 'C' LC_CTYPE 'C'`);
    return [`the locale ${details.collate} is not on the target's server: the database was made with C`];
  } finally {
    await session.close();
  }
}

/** What a server says of a locale it does not have: a wrong object type, an invalid parameter, a feature it lacks. */
const LOCALE_REFUSED: ReadonlySet<string> = new Set(['42809', '22023', '0A000', '42704']);

function localeClause({ collate, ctype, localeProvider, locale }: DatabaseFacts): string {
  const system = ` LC_COLLATE ${quoteLiteral(collate)} LC_CTYPE ${quoteLiteral(ctype)}`;
  if (localeProvider === 'i' && locale !== null)
    return `${system} LOCALE_PROVIDER icu ICU_LOCALE ${quoteLiteral(locale)}`;
  if (localeProvider === 'b' && locale !== null)
    return `${system} LOCALE_PROVIDER builtin BUILTIN_LOCALE ${quoteLiteral(locale)}`;
  return system;
}

async function openMaintenance(location: Location, signal: AbortSignal): Promise<Session> {
  let refused: unknown;
  for (const database of MAINTENANCE_DATABASES) {
    try {
      return await Session.open(otherDatabase(location, database), { side: 'target', signal });
    } catch (error) {
      refused = error;
    }
  }
  throw refused;
}

/**
 * Finds beforehand what would fail, and makes the roles that are missing where that is possible.
 * @param mayHold whether the database may hold anything: what is there is not touched then
 * @throws target-not-empty, target-unsuitable, not-provable in a sandbox
 */
export async function prepareTarget(
  session: Session,
  details: DatabaseFacts,
  owners: readonly string[],
  { isSandbox, mayHold = false }: { isSandbox: boolean; mayHold?: boolean },
): Promise<PreparedTarget> {
  const { row, list } = await lookAtTarget(session, details, owners);
  const where = labelOf(session.location);
  const unsuitable = (message: string, hint: string): HoldfastError =>
    new HoldfastError(isSandbox ? 'not-provable' : 'target-unsuitable', message, {
      hint,
      context: { database: where },
    });
  const majorVersion = Math.floor(Number(row['version_number']) / 10_000);
  if (majorVersion < details.majorVersion) {
    throw unsuitable(
      `the target is PostgreSQL ${majorVersion}, the source was ${details.majorVersion}`,
      'Restore to a server of the same or a newer major version.',
    );
  }
  const objects = objectsIn(row);
  if (objects.length > 0 && !mayHold) throw notEmpty(where, objects);
  const extensions = list('missing_extensions');
  if (extensions.length > 0) {
    throw unsuitable(
      `the target's server does not have the extension ${extensions.join(', ')}`,
      'Install the packages of these extensions on the server.',
    );
  }
  const foreign = list('foreign_owners');
  if (foreign.length > 0) {
    throw unsuitable(
      `${session.location.user} may not give anything to the role ${foreign.join(', ')}, which owns a part of it`,
      `Run there: ${foreign.map((role) => grantTo(role, session.location.user)).join('; ')};`,
    );
  }
  const missing = list('missing_roles').map((role) => ({
    role,
    // Only a superuser may hand over what it made to a role that it is no member of.
    isJoined: row['is_superuser'] !== 'true' && owners.includes(role),
  }));
  const roles = await makeRoles(session, missing, row['may_create_roles'] === 'true', unsuitable);
  const tablespaces = list('missing_tablespaces');
  return {
    majorVersion,
    isSuperuser: row['is_superuser'] === 'true',
    withTablespaces: tablespaces.length === 0,
    notes: [
      ...(isSandbox ? [] : roles),
      ...(tablespaces.length > 0
        ? [`the tablespace ${tablespaces.join(', ')} is not on the target's server: everything went to the default one`]
        : []),
    ],
  };
}

/** @throws target-not-empty */
export async function refuseFull(session: Session): Promise<void> {
  const objects = await objectsOf(session);
  if (objects.length > 0) throw notEmpty(labelOf(session.location), objects);
}

/** Something that a database has of its own, by which it is not empty. */
export interface TargetObject {
  /** As a person is told. */
  text: string;
  /** As `pg_identify_object` has it: `table`, `public.orders`. */
  type: string;
  identity: string;
}

/** All that a database has of its own. */
export async function objectsOf(session: Session): Promise<TargetObject[]> {
  return objectsIn((await lookAtTarget(session, { extensions: [], roles: [], tablespaces: [] }, [])).row);
}

function objectsIn(row: Row): TargetObject[] {
  const listed = JSON.parse(row['objects'] ?? '[]') as [string, string, string][];
  return listed.map(([text, type, identity]) => ({ text, type, identity }));
}

async function lookAtTarget(
  session: Session,
  { extensions, roles, tablespaces }: Pick<DatabaseFacts, 'extensions' | 'roles' | 'tablespaces'>,
  owners: readonly string[],
): Promise<{ row: Row; list: (name: string) => string[] }> {
  const row = await session.one('look at the target', sqlFile('target'), [
    JSON.stringify(extensions.map(({ name }) => name)),
    JSON.stringify(roles),
    JSON.stringify(tablespaces),
    JSON.stringify(owners),
  ]);
  return { row, list: (name) => JSON.parse(row[name] ?? '[]') as string[] };
}

function notEmpty(where: string, objects: readonly TargetObject[]): HoldfastError {
  const named = objects.slice(0, 3).map(({ text }) => text);
  return new HoldfastError(
    'target-not-empty',
    `the database ${where} is not empty: it has ${named.join(', ')}${objects.length > 3 ? ' …' : ''}`,
    {
      hint: 'Name a database that is empty or does not exist: a restore never overwrites what is there. One table or schema goes beside what is there under another name, with `--only` and `--as`.',
    },
  );
}

async function makeRoles(
  session: Session,
  missing: readonly { role: string; isJoined: boolean }[],
  mayCreate: boolean,
  unsuitable: (message: string, hint: string) => HoldfastError,
): Promise<string[]> {
  const { user } = session.location;
  const statementsFor = ({ role, isJoined }: { role: string; isJoined: boolean }): string[] => [
    `CREATE ROLE ${quoteIdentifier(role)} NOLOGIN`,
    ...(isJoined ? [grantTo(role, user)] : []),
  ];
  if (missing.length > 0 && !mayCreate) {
    throw unsuitable(
      `the target's server does not have the role ${missing.map(({ role }) => role).join(', ')}`,
      `Run there: ${missing.flatMap(statementsFor).join('; ')};`,
    );
  }
  for (const each of missing)
    for (const statement of statementsFor(each)) await session.query(`make the role ${each.role}`, statement);
  return missing.map(({ role, isJoined }) =>
    isJoined
      ? `the role ${role} was missing: it was made, without login, and ${user} is a member of it`
      : `the role ${role} was missing: it was made, without login`,
  );
}

function grantTo(role: string, user: string): string {
  return `GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(user)}`;
}

/** Settings whose value is a list of quoted names already. */
const LIST_SETTINGS = new Set([
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
]);

/** Gives a database that was made here the settings that the source's has. Resolves to what could not be set. */
export async function applySettings(session: Session, { settings }: DatabaseFacts): Promise<string[]> {
  const notes: string[] = [];
  for (const setting of settings) {
    const name = setting.slice(0, setting.indexOf('='));
    const value = setting.slice(setting.indexOf('=') + 1);
    const written = LIST_SETTINGS.has(name.toLowerCase()) ? value : quoteLiteral(value);
    const parts = name.split('.').map(quoteIdentifier).join('.');
    try {
      await session.query(
        `set ${name}`,
        `ALTER DATABASE ${quoteIdentifier(session.location.database)} SET ${parts} TO ${written}`,
      );
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      notes.push(`the database's setting ${name} could not be set`);
    }
  }
  return notes;
}
