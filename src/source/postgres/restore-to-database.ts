import { HoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { RestoreContext, Restored } from '../index.ts';
import { isBegunBy, isBesideOf, releaseBeside, releaseTarget } from './begun-target.ts';
import { parseNewName } from './beside/name.ts';
import { restoreBeside } from './beside/restore-beside.ts';
import { refuseTaken } from './beside/target-names.ts';
import { storedDatabase } from './loadable.ts';
import { parseLocation } from './location.ts';
import { openExisting, refuseFull } from './prepare-target.ts';
import { restoreDatabase } from './restore.ts';
import { openRunningDatabase } from './running-database.ts';
import type { Session } from './session.ts';

export type DatabaseTarget = Extract<Target, { kind: 'database' }>;

/**
 * Brings a database, or a part of it, to a database: what a snapshot holds as an archive, or what recovered in a sandbox of
 * a snapshot that holds a whole cluster.
 * @throws as `restoreDatabase` and `restoreBeside`
 */
export async function restoreToDatabase(
  reader: SnapshotReader,
  target: DatabaseTarget,
  context: RestoreContext,
  { isPhysical }: { isPhysical: boolean },
): Promise<Restored> {
  const location = parseLocation(target.url);
  const { sandbox, as } = context;
  if (as !== undefined) {
    const stored = isPhysical ? {} : { stored: await storedDatabase(reader) };
    return restoreBeside({ ...stored, as, location, sandbox: parseLocation(urlOf(sandbox)) }, context);
  }
  const options = { location, isSandbox: target.sandbox };
  if (!isPhysical) return restoreDatabase(await storedDatabase(reader), options, context);
  await using running = await openRunningDatabase(parseLocation(urlOf(sandbox)), context);
  const restored = await restoreDatabase(running, options, context);
  return { ...restored, notes: [...restored.notes, ...(await otherDatabases(running.session))] };
}

function urlOf(sandbox: DatabaseTarget | undefined): string {
  if (sandbox !== undefined) return sandbox.url;
  throw new HoldfastError('internal', 'a restore by way of a sandbox was given none');
}

/** A cluster has more than what goes to one database. */
async function otherDatabases(session: Session): Promise<string[]> {
  const rows = await session.query(
    'list the databases',
    `SELECT datname FROM pg_catalog.pg_database
      WHERE datallowconn AND NOT datistemplate AND datname <> pg_catalog.current_database() AND datname <> 'postgres'
      ORDER BY datname`,
  );
  if (rows.length === 0) return [];
  const names = rows.map(({ datname }) => datname).join(', ');
  return [`of the cluster only the database that the plan's URL names was restored, and not ${names}`];
}

/**
 * Says beforehand what would only come out once a cluster has recovered: that the target cannot take the restore.
 * @throws target-not-empty, target-failed, bad-usage
 */
export async function refuseTarget(
  target: DatabaseTarget,
  { selection, as, begunBy, signal }: Pick<RestoreContext, 'selection' | 'as' | 'begunBy' | 'signal'>,
): Promise<void> {
  const session = await openExisting(parseLocation(target.url), signal);
  if (session === undefined && as !== undefined) throw noDatabase(target);
  try {
    if (session === undefined) return;
    if (as === undefined) {
      if (!(await isBegunBy(session, begunBy))) await refuseFull(session);
    } else if (!(await isBesideOf(session, begunBy))) await refuseName(session, as, selection?.only?.[0] ?? '');
  } finally {
    await session?.close();
  }
}

/** Takes the mark of a restore away that `restoreToDatabase` left. @throws target-failed */
export async function releaseDatabase(
  target: DatabaseTarget,
  { begunBy, as, signal }: Pick<RestoreContext, 'begunBy' | 'as' | 'signal'>,
): Promise<void> {
  if (begunBy === undefined) return;
  const session = await openExisting(parseLocation(target.url), signal);
  try {
    if (session !== undefined) await (as === undefined ? releaseTarget : releaseBeside)(session, begunBy);
  } finally {
    await session?.close();
  }
}

/** Where the pattern is not a plain name, it comes out later. */
async function refuseName(session: Session, as: string, only: string): Promise<void> {
  const { schema, name } = parseNewName(as);
  const point = only.indexOf('.');
  if (point === -1) await refuseTaken(session, { schema: name });
  else await refuseTaken(session, { schema: schema ?? only.slice(0, point), table: name });
}

function noDatabase({ label }: DatabaseTarget): HoldfastError {
  return new HoldfastError('target-unsuitable', `there is no database at ${label}`, {
    hint: 'With `--as`, `--to` names a database that is there; leave `--as` out to have one made.',
  });
}
