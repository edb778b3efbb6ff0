import { HoldfastError } from '../../../foundation/errors.ts';
import type { Session } from '../session.ts';
import type { Tablespace } from './base-backup.ts';

/** Below that are what a cluster begins with. */
const FIRST_OID_OF_USERS = 16384;

/**
 * A tablespace that is made while a backup is taken is not in it, and its making is in the log that comes with the backup: a
 * server that is started on it makes the tablespace where it was, beside a living server in that one's files.
 * @param known those that the backup began with
 * @throws source-changed
 */
export async function refuseNewTablespaces(session: Session, known: readonly Tablespace[]): Promise<void> {
  const rows = await session.query(
    'list the tablespaces',
    `SELECT oid::text, spcname FROM pg_catalog.pg_tablespace WHERE oid >= ${FIRST_OID_OF_USERS} ORDER BY oid`,
  );
  const made = rows.find(({ oid }) => known.every((each) => each.oid !== oid));
  if (made === undefined) return;
  const tablespace = made['spcname'] ?? '';
  throw new HoldfastError(
    'source-changed',
    `the tablespace ${tablespace} was made while the backup was taken, which does not have it`,
    { hint: 'Run the backup again.', retryable: true, context: { tablespace } },
  );
}
