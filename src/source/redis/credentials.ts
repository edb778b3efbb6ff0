import { createHash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import type { CredentialsServer, CredentialsState, NewPassword, Rotated, UserSwitch } from '../credentials.ts';
import { assertRotated, type Login } from '../credentials-proof.ts';
import { Connection } from './connection/connection.ts';
import { isWrongPassword } from './connection/failures.ts';
import { type Location, labelOf, parseLocation } from './connection/location.ts';
import { type Reply, ReplyError } from './connection/resp.ts';
import { connected } from './failover/server-state.ts';

/** Passwords of Redis's users. Each server has its own: replicas do not take them over. Source: Redis's documentation, "ACL". */
export const redisCredentials: CredentialsServer = {
  look: (url, users, signal) => connected(url, signal, (connection) => look(connection, users)),
  rotate: (url, given, signal) => connected(url, signal, (connection) => rotate(connection, given, signal)),
};

/** Users of Redis let in, or not. */
export const redisUsers: UserSwitch = {
  look: redisCredentials.look,
  turn: (url, given, signal) => connected(url, signal, (connection) => turn(connection, given)),
};

async function turn(
  connection: Connection,
  { users, isOn }: { users: readonly string[]; isOn: boolean },
): Promise<{ endedSessions: number; isLasting: boolean }> {
  const { login, missing, label } = await look(connection, users);
  if (missing.length > 0 || users.includes(login)) {
    const why =
      missing.length > 0 ? `has no users ${missing.join(', ')}` : `is logged in to as ${login}, who would be cut off`;
    throw new HoldfastError('source-refused', `${label} ${why}`, { hint: 'See `users`, and as whom the URL logs in.' });
  }
  let endedSessions = 0;
  for (const user of users) {
    // A user that is turned off keeps the sessions that it has.
    await connection.call(`turn ${user} ${isOn ? 'on' : 'off'}`, ['ACL', 'SETUSER', user, isOn ? 'on' : 'off']);
    if (!isOn)
      endedSessions += Number(await connection.call(`end the sessions of ${user}`, ['CLIENT', 'KILL', 'USER', user]));
  }
  return { endedSessions, isLasting: await saved(connection) };
}

async function look(connection: Connection, users: readonly string[]): Promise<CredentialsState> {
  const { location } = connection;
  const known = await connection.attempt('see the users', ['ACL', 'USERS']);
  const names = Array.isArray(known) ? known.map(String) : undefined;
  return {
    label: labelOf(location),
    login: location.user ?? 'default',
    missing: names === undefined ? [] : users.filter((user) => !names.includes(user)),
    mayChange: names !== undefined,
  };
}

async function rotate(
  connection: Connection,
  { user, password, oldUrl }: NewPassword,
  signal: AbortSignal,
): Promise<Rotated> {
  const { location } = connection;
  // Its hash alone goes to the server, where MONITOR would show the password.
  const hash = createHash('sha256').update(password).digest('hex');
  await connection.call(`change the password of ${user}`, ['ACL', 'SETUSER', user, 'resetpass', `#${hash}`]);
  const ended = await connection.call(`end the sessions of ${user}`, ['CLIENT', 'KILL', 'USER', user]);
  const isLasting = await saved(connection);
  if (await isOff(connection, user)) {
    await assertOnly(connection, user, hash);
    return { endedSessions: Number(ended), oldWasTried: false, isLasting, isOff: true };
  }
  const old = oldUrl === undefined ? undefined : parseLocation(oldUrl);
  const isOwn = (old?.user ?? 'default') === user && old?.password !== password;
  const oldPassword = isOwn ? old?.password : undefined;
  await assertRotated(
    { label: labelOf(location), user },
    { next: password, wrong: randomBytes(24).toString('base64url'), old: oldPassword },
    (tried) => logIn({ ...location, user, password: tried, database: 0 }, signal),
  );
  return { endedSessions: Number(ended), oldWasTried: oldPassword !== undefined, isLasting };
}

/** By what `ACL GETUSER` says: names and values by turns, or by maps where the connection speaks the newer protocol. */
async function userFields(connection: Connection, user: string): Promise<ReadonlyMap<string, Reply>> {
  const reply = await connection.call(`see the user ${user}`, ['ACL', 'GETUSER', user]);
  const parts = Array.isArray(reply) ? reply : [];
  return new Map(parts.flatMap((name, index) => (index % 2 === 0 ? [[String(name), parts[index + 1]!] as const] : [])));
}

async function isOff(connection: Connection, user: string): Promise<boolean> {
  return flagsOf(await userFields(connection, user)).includes('off');
}

function flagsOf(fields: ReadonlyMap<string, Reply>): string[] {
  const flags = fields.get('flags');
  return Array.isArray(flags) ? flags.map(String) : [];
}

/**
 * Nobody may try to log in as who is turned off: what the server says of it is the proof that no other password is left.
 * @throws validation-failed
 */
async function assertOnly(connection: Connection, user: string, hash: string): Promise<void> {
  const fields = await userFields(connection, user);
  const passwords = fields.get('passwords');
  const known = Array.isArray(passwords) ? passwords.map(String) : [];
  if (known.length === 1 && known[0] === hash && !flagsOf(fields).includes('nopass')) return;
  throw new HoldfastError('validation-failed', `${labelOf(connection.location)}: ${user} has other passwords as well`, {
    hint: `See \`ACL GETUSER ${user}\`.`,
  });
}

/** Users are kept in a file of their own, or in the server's configuration file; some servers have neither. */
async function saved(connection: Connection): Promise<boolean> {
  for (const words of [
    ['ACL', 'SAVE'],
    ['CONFIG', 'REWRITE'],
  ]) {
    if (!((await connection.attempt('have it write its users', words)) instanceof ReplyError)) return true;
  }
  return false;
}

async function logIn(location: Location, signal: AbortSignal): Promise<Login> {
  try {
    const connection = await Connection.open(location, { side: 'source', signal });
    connection.destroy();
    return 'in';
  } catch (error) {
    // That it lets nobody in for another reason, such as too many connections, says nothing of a password.
    if (isWrongPassword(error)) return 'refused';
    throw error;
  }
}
