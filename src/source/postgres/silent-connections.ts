import { setTimeout as pause } from 'node:timers/promises';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

const PAUSE_MS = 100;
/** It is a minute that servers let anybody be silent, as a rule; they look when they have the time. */
const LONGEST_MS = 65_000;
/** A connection that ends while it is looked at makes a look fail. */
const LOOKS = 5;

/**
 * Waits until everybody who had connected, and had said nothing, has: such a connection goes by what the server went by when it
 * was made, and gets in by that. Called once the server goes by something else: who connects later is judged by that. Usually
 * there is nobody, and it waits for nothing; the server ends who says nothing for its `authentication_timeout`.
 * @param end ends who may not be inside; called while there is somebody, and behind the last of them
 * @returns for how long from now on somebody may still get in, in milliseconds: nothing, or all that the server allows where it
 *   does not show who is silent (no Linux, no superuser), or somebody still is after a minute
 */
export async function outlastSilent(session: Session, end: () => Promise<void>, signal: AbortSignal): Promise<number> {
  const allowedMs = await authenticationTimeoutMs(session);
  let left = await silentConnections(session);
  for (let waitedMs = 0; left !== undefined && left.length > 0; waitedMs += PAUSE_MS) {
    if (waitedMs > LONGEST_MS) return allowedMs;
    await pause(PAUSE_MS, undefined, { signal });
    const before = left;
    const now = await silentConnections(session);
    left = now && before.filter((pid) => now.includes(pid));
    await end();
  }
  return left === undefined ? allowedMs : 0;
}

async function authenticationTimeoutMs(session: Session): Promise<number> {
  const sql = `SELECT setting FROM pg_catalog.pg_settings WHERE name = 'authentication_timeout'`;
  return Number((await session.one('ask how long a login may take', sql))['setting']) * 1000;
}

/** @returns their process ids; undefined where the server does not show them */
async function silentConnections(session: Session): Promise<string[] | undefined> {
  for (let look = 0; look < LOOKS; look++) {
    try {
      const rows = await session.query('see who is connected and silent', sqlFile('silent-connections'));
      if (!rows.some(({ is_own }) => is_own === 'true')) return undefined;
      return rows.flatMap(({ pid, is_own }) => (is_own === 'true' ? [] : [pid ?? '']));
    } catch (error) {
      if (!isHoldfastError(error) || error.context['sqlState'] === undefined) throw error;
    }
  }
  return undefined;
}
