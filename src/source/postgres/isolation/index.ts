import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import type { CredentialsState, UserSwitch } from '../../credentials.ts';
import type { AddressGate } from '../../isolation.ts';
import { endSessions, rolesIn } from '../credentials/index.ts';
import { quoteIdentifier, quoteLiteral } from '../identifiers.ts';
import { endLateSessions } from '../late-sessions.ts';
import { labelOf } from '../location.ts';
import type { Session } from '../session.ts';
import { outlastSilent } from '../silent-connections.ts';
import { sqlFile } from '../sql-files.ts';
import { withSession } from '../with-session.ts';
import { hasBlock, isCutShort, LOCAL, withBlock, withoutBlock } from './hba-block.ts';
import { complementOf, isWithin } from './networks.ts';

const PAUSE_MS = 50;
const LONGEST_MS = 20_000;
/** So often in a row none of the others may be inside: who was logging in shows up late. */
const QUIET_LOOKS = 4;
/** What the file was before, for a person. */
const ASIDE = '.before-isolation';

/** Who gets in to a PostgreSQL server by which address: by lines on top of its pg_hba.conf. */
export const postgresGate: AddressGate = {
  obstacles: (url, allow, signal) => withSession(url, signal, (session) => obstacles(session, allow)),
  close: (url, allow, signal) => withSession(url, signal, (session) => close(session, { url, allow }, signal)),
  open: (url, signal) => withSession(url, signal, (session) => open(session, url, signal)),
};

/** Roles of PostgreSQL let in, or not. */
export const postgresUsers: UserSwitch = {
  look: (url, users, signal) => withSession(url, signal, (session) => rolesIn(session, users, 'known-roles')),
  turn: (url, given, signal) => withSession(url, signal, (session) => turn(session, given, signal)),
};

async function turn(
  session: Session,
  { users, isOn }: { users: readonly string[]; isOn: boolean },
  signal: AbortSignal,
): Promise<{ endedSessions: number; isLasting: boolean }> {
  refuseUsers(await rolesIn(session, users, 'known-roles'), users);
  let endedSessions = 0;
  for (const user of users) {
    const word = isOn ? 'LOGIN' : 'NOLOGIN';
    await session.query(`turn ${user} ${isOn ? 'on' : 'off'}`, `ALTER ROLE ${quoteIdentifier(user)} ${word}`);
    if (isOn) continue;
    await endLateSessions(session, signal);
    endedSessions += await endSessions(session, user, 'infinity', signal);
  }
  return { endedSessions, isLasting: true };
}

function refuseUsers({ label, login, missing, mayChange }: CredentialsState, users: readonly string[]): void {
  const why =
    missing.length > 0
      ? `${label} has no roles ${missing.join(', ')}`
      : users.includes(login)
        ? `${label} is logged in to as ${login}, who would be cut off`
        : mayChange
          ? undefined
          : `${login} may not change roles at ${label}`;
  if (why === undefined) return;
  throw new HoldfastError('source-refused', why, { hint: 'See `users`, and as whom the URL logs in.' });
}

interface Gate {
  login: string;
  from: string;
  /** Undefined where this role may neither see nor change it. */
  file: { path: string; lines: string[] } | undefined;
  encoding: string;
}

async function readGate(session: Session): Promise<Gate> {
  const row = await session.one('ask who gets in', sqlFile('gate-state'));
  const { login, hba_file: path, came_from: from, encoding } = row;
  const isAllowed = row['is_superuser'] === 'true' && typeof path === 'string';
  const lines = isAllowed ? await readLines(session, path) : undefined;
  return {
    ...{ login: login ?? '', from: from ?? LOCAL, encoding: encoding ?? '' },
    file: lines === undefined ? undefined : { path: path!, lines },
  };
}

async function readLines(session: Session, path: string): Promise<string[]> {
  const sql = `SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file($1), 'hex') AS bytes`;
  const { bytes } = await session.one(`read ${path} of the server`, sql, [path]);
  const text = Buffer.from(bytes ?? '', 'hex').toString('utf8');
  return text.replace(/\n$/, '').split(/\r?\n/);
}

async function obstacles(session: Session, allow: readonly string[]): Promise<string[]> {
  const gate = await readGate(session);
  return [() => changeable(session, gate), () => refuseOwn(session, gate, allow)].flatMap((look) => {
    try {
      look();
      return [];
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return [error.message];
    }
  });
}

async function close(
  session: Session,
  { url, allow }: { url: string; allow: readonly string[] },
  signal: AbortSignal,
): Promise<{ label: string; endedSessions: number; silentMs: number }> {
  const gate = await readGate(session);
  const { path, lines } = changeable(session, gate);
  const networks = allow.filter((each) => each !== LOCAL);
  refuseOwn(session, gate, allow);
  // What is there once a step died in the middle is its own work.
  if (!hasBlock(lines)) await writeLines(session, `${path}${ASIDE}`, lines);
  await replaceRules(session, { path, lines, wanted: withBlock(lines, allow) });
  await untilRead(session, url, signal);
  let endedSessions = 0;
  const end = async (): Promise<void> => {
    await endLateSessions(session, signal);
    endedSessions += await endOthers(session, { networks, isLocal: allow.includes(LOCAL) }, signal);
  };
  await end();
  const silentMs = await outlastSilent(session, end, signal);
  return { label: labelOf(session.location), endedSessions, silentMs };
}

async function open(session: Session, url: string, signal: AbortSignal): Promise<boolean> {
  const { path, lines } = changeable(session, await readGate(session));
  if (!hasBlock(lines)) return false;
  await replaceRules(session, { path, lines, wanted: withoutBlock(lines) });
  await untilRead(session, url, signal);
  return true;
}

/** @throws source-refused where this role may not, or the file is not whole, or could not be written as it is */
function changeable({ location }: Session, { login, file, encoding }: Gate): { path: string; lines: string[] } {
  const where = labelOf(location);
  if (file === undefined) {
    throw new HoldfastError(
      'source-refused',
      `the role ${login} may not change who gets in to the server of ${where}`,
      {
        hint: 'Give the step a `url:` with a superuser. Where there is none to be had, as with managed services, isolate with their own tool in an `exec` step.',
        context: { database: where },
      },
    );
  }
  if (isCutShort(file.lines)) {
    throw new HoldfastError('source-refused', `${file.path} is cut short: it could not be written whole before`, {
      hint: `See whether the disk there is full, and put ${file.path}${ASIDE} in its place. The server goes by what it read before.`,
      context: { database: where },
    });
  }
  const isPlain = file.lines.every((line) => /^[\t\x20-\x7e]*$/.test(line));
  if (isPlain || (encoding === 'UTF8' && !file.lines.some((line) => line.includes('\ufffd')))) return file;
  throw new HoldfastError(
    'source-refused',
    `${file.path} has characters that a database in ${encoding} cannot write again`,
    {
      hint: 'Give the step the `url:` of a database in UTF8, or take these characters out of the comments of the file.',
      context: { database: where },
    },
  );
}

/** @throws bad-usage for what is no network; source-refused where the step would cut itself off */
function refuseOwn({ location }: Session, { login, from }: Gate, allow: readonly string[]): void {
  const networks = allow.filter((each) => each !== LOCAL);
  try {
    complementOf(networks);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new HoldfastError('bad-usage', error.message, { hint: 'See `allow` of the step.', cause: error });
  }
  if (from === LOCAL ? allow.includes(LOCAL) : isWithin(from, networks)) return;
  const where = from === LOCAL ? 'a socket of its machine' : from;
  throw new HoldfastError(
    'source-refused',
    `${login} comes to ${labelOf(location)} by ${where}, and would be cut off`,
    {
      hint: `Let \`allow\` have ${from}.`,
    },
  );
}

/** Writes other lines, and those that were there again where the server does not understand them. */
async function replaceRules(
  session: Session,
  { path, lines, wanted }: { path: string; lines: readonly string[]; wanted: readonly string[] },
): Promise<void> {
  try {
    await writeLines(session, path, wanted);
    const wrong = await session.query(
      'see whether the server understands its rules',
      'SELECT line_number::text AS line, error FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL',
    );
    if (wrong[0] === undefined) return;
    const { line, error } = wrong[0];
    throw new HoldfastError('source-refused', `line ${line} of ${path} is wrong: ${error}`, {
      hint: 'Put it right, and have the step done again: the server has read none of it.',
    });
  } catch (error) {
    await writeLines(session, path, lines);
    throw error;
  }
}

/** By the server itself, as a table of one column in which nothing has to be quoted. */
async function writeLines(session: Session, path: string, lines: readonly string[]): Promise<void> {
  const rows = lines.map((line, index) => `(${index}, ${line === '' ? 'NULL' : quoteLiteral(line)})`).join(', ');
  const ordered = `SELECT line FROM (VALUES ${rows}) AS l (number, line) ORDER BY number`;
  const form = `(FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01', NULL '', ENCODING 'UTF8')`;
  await session.query(`write ${path} at the server`, `COPY (${ordered}) TO ${quoteLiteral(path)} WITH ${form}`);
}

/** A session that begins behind the moment at which the server had read its rules is judged by them. */
async function untilRead(session: Session, url: string, signal: AbortSignal): Promise<void> {
  const { now = '' } = await session.one('see the time', 'SELECT pg_catalog.clock_timestamp()::text AS now');
  await session.query('have the server read its rules', 'SELECT pg_catalog.pg_reload_conf()');
  for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
    const isRead = await withSession(url, signal, async (fresh) => {
      const sql = 'SELECT (pg_catalog.pg_conf_load_time() > $1::timestamptz)::text AS is_read';
      return (await fresh.one('see whether the server has read its rules', sql, [now]))['is_read'] === 'true';
    });
    if (isRead) return;
    await pause(PAUSE_MS, undefined, { signal });
  }
  throw new HoldfastError(
    'source-refused',
    `the server of ${labelOf(session.location)} does not read its rules again`,
    {
      hint: 'See in its log why. They are in its pg_hba.conf: SELECT pg_reload_conf().',
      context: { database: labelOf(session.location) },
    },
  );
}

async function endOthers(
  session: Session,
  { networks, isLocal }: { networks: readonly string[]; isLocal: boolean },
  signal: AbortSignal,
): Promise<number> {
  const ended = new Set<string>();
  let quiet = 0;
  for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
    const values = [JSON.stringify(networks), String(isLocal)];
    const rows = await session.query('end the sessions of others', sqlFile('end-sessions-of-others'), values);
    for (const { pid } of rows) ended.add(pid ?? '');
    quiet = rows.length === 0 ? quiet + 1 : 0;
    if (quiet === QUIET_LOOKS) return ended.size;
    await pause(PAUSE_MS, undefined, { signal });
  }
  throw new HoldfastError('source-refused', `sessions of others at ${labelOf(session.location)} do not end`, {
    hint: 'See in pg_stat_activity what they do. Nobody else gets in any more.',
    context: { database: labelOf(session.location) },
  });
}
