import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { PostgresFence } from '../../failover.ts';
import { endLateSessions } from '../late-sessions.ts';
import { labelOf, parseLocation } from '../location.ts';
import { Session } from '../session.ts';
import { outlastSilent } from '../silent-connections.ts';
import { sqlFile } from '../sql-files.ts';
import { refusesAll } from './refusal.ts';
import { readState } from './server-state.ts';
import { FENCE_LIBRARY, openInside } from './way-in.ts';

const PAUSE_MS = 50;
const LONGEST_MS = 20_000;
/** So often in a row nobody may be inside: who was logging in when the fence came shows up late. */
const QUIET_LOOKS = 4;

/** See `PostgresFailover.fence`. */
export async function fence(
  { admin, application }: { admin: string; application: string },
  signal: AbortSignal,
): Promise<PostgresFence> {
  const session = await openInside(admin, signal);
  try {
    const before = await readFence(session);
    const common = { label: labelOf(session.location), preparedTransactions: before.preparedTransactions };
    if (before.isStandby) {
      const { lsn, timeline } = await readState(session);
      return { ...common, lsn, timeline, isStandby: true, endedSessions: 0, silentMs: 0 };
    }
    refuseUnlessHolding(session, before);
    if (!before.isSet) await preload(session, [FENCE_LIBRARY, ...before.others]);
    await untilRefused(application, signal);
    let endedSessions = 0;
    const end = async (): Promise<void> => {
      await endLateSessions(session, signal);
      endedSessions += await endSessions(session, signal);
    };
    await end();
    const silentMs = await outlastSilent(session, end, signal);
    const { lsn, timeline } = await readState(session);
    return { ...common, lsn, timeline, isStandby: false, endedSessions, silentMs };
  } finally {
    await session.close();
  }
}

/** See `PostgresFailover.unfence`. */
export async function unfence(url: string, signal: AbortSignal): Promise<boolean> {
  const session = await openInside(url, signal);
  try {
    return await liftFence(session);
  } finally {
    await session.close();
  }
}

/** @returns whether there was a fence */
export async function liftFence(session: Session): Promise<boolean> {
  const { isSet, others } = await readFence(session);
  if (isSet) await preload(session, others);
  return isSet;
}

interface FenceState {
  isStandby: boolean;
  isSuperuser: boolean;
  isSet: boolean;
  /** What ALTER SYSTEM has sessions load beside. */
  others: string[];
  /** Whose own setting stands before the server's. */
  exceptions: string | undefined;
  preparedTransactions: number;
}

async function readFence(session: Session): Promise<FenceState> {
  const row = await session.one('ask whether the server is fenced', sqlFile('fence-state'));
  const preloaded = (row['preloaded'] ?? '').split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  return {
    isStandby: row['in_recovery'] === 'true',
    isSuperuser: row['is_superuser'] === 'true',
    isSet: preloaded.includes(FENCE_LIBRARY),
    others: preloaded.filter((name) => name !== '' && name !== FENCE_LIBRARY),
    exceptions: row['exceptions'] ?? undefined,
    preparedTransactions: Number(row['prepared']),
  };
}

/** @throws source-refused before anything was changed */
function refuseUnlessHolding({ location }: Session, { isSuperuser, exceptions }: FenceState): void {
  const where = labelOf(location);
  if (!isSuperuser) {
    throw new HoldfastError('source-refused', `the role ${location.user} may not fence the server of ${where}`, {
      hint: 'Give the step a `url:` with a superuser. Where there is none to be had, as with managed services, fence with their own tool in an `exec` step.',
      context: { database: where },
    });
  }
  if (exceptions === undefined) return;
  throw new HoldfastError('source-refused', `a fence of the server of ${where} would not hold for ${exceptions}`, {
    hint: 'They have a `session_preload_libraries` of their own. Take it away with ALTER ROLE or ALTER DATABASE … RESET session_preload_libraries.',
    context: { database: where },
  });
}

/** Libraries that every new session is to load from now on, by ALTER SYSTEM; none leaves it to postgresql.conf. */
async function preload(session: Session, libraries: readonly string[]): Promise<void> {
  const names = libraries.map((name) => `'${name.replaceAll("'", "''")}'`).join(', ');
  const change =
    libraries.length === 0 ? 'RESET session_preload_libraries' : `SET session_preload_libraries = ${names}`;
  await session.query('change who the server lets in', `ALTER SYSTEM ${change}`);
  await session.query('have the server read its settings', 'SELECT pg_catalog.pg_reload_conf()');
}

/** Tries what an application would, until the server has read its settings. @throws source-refused when it goes on letting in */
async function untilRefused(application: string, signal: AbortSignal): Promise<void> {
  const location = parseLocation(application);
  for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
    try {
      await (await Session.open(location, { side: 'source', signal, settings: 'plain' })).close();
    } catch (error) {
      if (refusesAll(error)) return;
      throw error;
    }
    await pause(PAUSE_MS, undefined, { signal });
  }
  throw new HoldfastError('source-refused', `the server of ${labelOf(location)} still lets applications in`, {
    hint: 'See in its log why it does not read its settings. The fence stands there as session_preload_libraries in postgresql.auto.conf.',
    context: { database: labelOf(location) },
  });
}

/** @returns how many there were. @throws source-refused when one does not end */
async function endSessions(session: Session, signal: AbortSignal): Promise<number> {
  const ended = new Set<string>();
  let quiet = 0;
  let left: string[] = [];
  for (let waitedMs = 0; waitedMs < LONGEST_MS; waitedMs += PAUSE_MS) {
    const rows = await session.query('end the sessions of others', sqlFile('end-sessions'));
    left = rows.map(({ pid, backend_type }) => `${backend_type} ${pid}`);
    for (const { pid, state } of rows) if (state !== 'starting') ended.add(pid ?? '');
    quiet = rows.length === 0 ? quiet + 1 : 0;
    if (quiet === QUIET_LOOKS) return ended.size;
    await pause(PAUSE_MS, undefined, { signal });
  }
  throw new HoldfastError('source-refused', `sessions of ${labelOf(session.location)} do not end: ${left.join(', ')}`, {
    hint: 'What an extension starts comes back: turn it off, or stop the server.',
    context: { database: labelOf(session.location) },
  });
}
