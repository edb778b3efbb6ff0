import { randomBytes } from 'node:crypto';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { hbaLine } from '../hba-line.ts';
import { isSocket, type Location, labelOf } from '../location.ts';
import { Session } from '../session.ts';
import { type ClusterFacts, withoutPermission } from './cluster.ts';

const NO_PRIVILEGE = '42501';
const NO_SENDER_LEFT = '53300';
const NO_SLOT_LEFT = '53400';
const NO_LINE = '28000';

/**
 * Opens a connection that speaks the replication protocol.
 * @throws source-refused with the line that mends it; source-unreachable; plan-invalid
 */
export async function openReplication(location: Location, facts: ClusterFacts, signal: AbortSignal): Promise<Session> {
  try {
    return await Session.open(location, { side: 'source', signal, settings: 'plain', replication: true });
  } catch (error) {
    throw isHoldfastError(error, 'source-refused') ? explained(error, location, facts) : error;
  }
}

/** Why a server refused a connection for replication; undefined where it is what may befall any connection. */
export function whyRefused({ context }: HoldfastError): 'no-privilege' | 'no-sender-left' | 'no-line' | undefined {
  const state = context['sqlState'];
  if (state === NO_PRIVILEGE) return 'no-privilege';
  if (state === NO_SENDER_LEFT) return 'no-sender-left';
  return state === NO_LINE && /pg_hba\.conf/.test(String(context['reason'])) ? 'no-line' : undefined;
}

function explained(error: HoldfastError, location: Location, facts: ClusterFacts): HoldfastError {
  const why = whyRefused(error);
  const say = (message: string, hint: string, retryable = false): HoldfastError =>
    new HoldfastError('source-refused', message, { hint, retryable, context: error.context, cause: error });
  const where = labelOf(location);
  if (why === 'no-privilege') return say(...withoutPermission(location));
  if (why === 'no-sender-left') {
    return say(
      `the server of ${where} has no connection left for a backup: all ${facts.maxWalSenders} of max_wal_senders are taken`,
      `Put the line \`max_wal_senders = ${facts.maxWalSenders + 5}\` into its postgresql.conf and restart it, or end a connection that \`SELECT * FROM pg_stat_replication\` lists.`,
      true,
    );
  }
  if (why === 'no-line') {
    return say(
      `the server of ${where} does not let ${location.user} in for replication`,
      `Put the line \`${replicationLine(location, facts)}\` into its pg_hba.conf, and run: SELECT pg_reload_conf();`,
    );
  }
  return error;
}

/** The line of pg_hba.conf that lets a role in for replication from here. */
export function replicationLine({ host, user, password }: Location, { clientAddress }: ClusterFacts): string {
  return hbaLine({ user, address: isSocket(host) ? undefined : clientAddress, hasPassword: password !== undefined });
}

/**
 * Makes the server keep its log from now on, for as long as this connection lasts: without, a segment that the backup needs
 * may be gone when it ends.
 */
export async function keepLog(session: Session): Promise<void> {
  const name = `holdfast_${randomBytes(8).toString('hex')}`;
  await createSlot(session, `"${name}" TEMPORARY PHYSICAL RESERVE_WAL`);
}

/** @param definition what follows CREATE_REPLICATION_SLOT */
export async function createSlot(session: Session, definition: string): Promise<void> {
  try {
    await session.query('make a slot', `CREATE_REPLICATION_SLOT ${definition}`);
  } catch (error) {
    if (!isHoldfastError(error) || error.context['sqlState'] !== NO_SLOT_LEFT) throw error;
    throw new HoldfastError(
      'source-refused',
      `the server of ${labelOf(session.location)} has no replication slot left, which keeps its log while it is backed up`,
      {
        hint: 'Raise `max_replication_slots` in its postgresql.conf and restart it, or drop a slot that nobody uses any more: SELECT slot_name FROM pg_replication_slots WHERE NOT active;',
        retryable: true,
        context: error.context,
        cause: error,
      },
    );
  }
}
