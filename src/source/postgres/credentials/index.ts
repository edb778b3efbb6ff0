import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { CredentialsServer, CredentialsState, NewPassword, Rotated } from '../../credentials.ts';
import { assertRotated, type Login } from '../../credentials-proof.ts';
import { quoteIdentifier, quoteLiteral } from '../identifiers.ts';
import { endLateSessions } from '../late-sessions.ts';
import { type Location, labelOf, parseLocation } from '../location.ts';
import { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { withSession } from '../with-session.ts';
import { scramVerifier } from './scram-verifier.ts';

/** How long a session may take to end once it was told to. */
const LONGEST_MS = 10_000;
const PAUSE_MS = 50;
const WRONG_PASSWORD = '28P01';
/** The password was right, and the database is not for this user. */
const NOT_THAT_DATABASE = '42501';

/** Passwords of PostgreSQL's roles. */
export const postgresCredentials: CredentialsServer = {
  look: (url, users, signal) => withSession(url, signal, (session) => rolesIn(session, users, 'login-roles')),
  rotate: (url, given, signal) => withSession(url, signal, (session) => rotate(session, given, signal)),
};

/** What there is to know of roles: `login-roles` passes over those that may not log in. */
export async function rolesIn(
  session: Session,
  users: readonly string[],
  which: 'login-roles' | 'known-roles',
): Promise<CredentialsState> {
  const rows = await session.query('see the roles', sqlFile(which), [JSON.stringify(users)]);
  const [{ login = '', may_change = 'f' } = {}] = rows;
  return {
    label: labelOf(session.location),
    login: login ?? '',
    missing: users.filter((user) => !rows.some(({ role }) => role === user)),
    mayChange: may_change === 't' || may_change === 'true',
  };
}

async function rotate(
  session: Session,
  { user, password, oldUrl }: NewPassword,
  signal: AbortSignal,
): Promise<Rotated> {
  const verifier = quoteLiteral(scramVerifier(password));
  await session.query(`change the password of ${user}`, `ALTER ROLE ${quoteIdentifier(user)} PASSWORD ${verifier}`);
  const { now = null } = await session.one('see the time', 'SELECT pg_catalog.clock_timestamp()::text AS now');
  await endLateSessions(session, signal);
  const endedSessions = await endSessions(session, user, now, signal);
  const old = oldUrl === undefined ? undefined : parseLocation(oldUrl);
  const oldPassword = old?.user === user && old.password !== password ? old.password : undefined;
  await assertRotated(
    { label: labelOf(session.location), user },
    { next: password, wrong: randomBytes(24).toString('base64url'), old: oldPassword },
    (tried) => logIn({ ...session.location, user, password: tried }, signal),
  );
  // Whoever had begun to log in with the old password by then is in by now, if at all.
  const late = await endSessions(session, user, now, signal);
  return { endedSessions: endedSessions + late, oldWasTried: oldPassword !== undefined, isLasting: true };
}

/** Ends a role's sessions that began before a moment: those behind it came with the new password. @returns how many */
export async function endSessions(
  session: Session,
  user: string,
  before: string | null,
  signal: AbortSignal,
): Promise<number> {
  const ended = new Set<string>();
  for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
    const rows = await session.query(`end the sessions of ${user}`, sqlFile('end-sessions-of-role'), [user, before]);
    if (rows.length === 0) return ended.size;
    for (const { pid } of rows) ended.add(pid ?? '');
    await pause(PAUSE_MS, undefined, { signal });
  }
  throw new HoldfastError('source-refused', `sessions of ${user} at ${labelOf(session.location)} do not end`, {
    hint: 'See in pg_stat_activity what they do. The new password is set.',
    context: { database: labelOf(session.location) },
  });
}

/** @throws source-unreachable, source-refused where it is not the password that is refused */
async function logIn(location: Location, signal: AbortSignal): Promise<Login> {
  try {
    const session = await Session.open(location, { side: 'source', signal, settings: 'plain' });
    await session.close();
    return 'in';
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const state = error.context['sqlState'];
    if (state === WRONG_PASSWORD) return 'refused';
    if (state === NOT_THAT_DATABASE) return 'in';
    throw error;
  }
}
