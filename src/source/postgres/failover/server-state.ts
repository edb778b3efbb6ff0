import { parseLsnText } from '../../../repository/index.ts';
import type { PostgresServerState } from '../../failover.ts';
import { labelOf, parseLocation } from '../location.ts';
import { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { refusesAll } from './refusal.ts';
import { openInside } from './way-in.ts';

/** Looks at a server, over a connection that ends with it; a fence keeps only those out who are no superusers. */
export async function lookAtServer(url: string, signal: AbortSignal): Promise<PostgresServerState> {
  const { session, isFenced } = await openPastFence(url, signal);
  try {
    return { ...(await readState(session)), isFenced };
  } finally {
    await session.close();
  }
}

/** As anybody, so that a role without privileges can look; past the fence where there is one. */
async function openPastFence(url: string, signal: AbortSignal): Promise<{ session: Session; isFenced: boolean }> {
  try {
    return { session: await Session.open(parseLocation(url), { side: 'source', signal }), isFenced: false };
  } catch (error) {
    if (!refusesAll(error)) throw error;
    return { session: await openInside(url, signal), isFenced: true };
  }
}

/** @param session an ordinary connection */
export async function readState(session: Session): Promise<Omit<PostgresServerState, 'isFenced'>> {
  const row = await session.one('ask the server what it is', sqlFile('failover-state'));
  const timeline = row['timeline'] == null ? Number(row['replayed_timeline']) : Number.parseInt(row['timeline'], 16);
  return {
    label: labelOf(session.location),
    isStandby: row['in_recovery'] === 'true',
    isSuperuser: row['is_superuser'] === 'true',
    version: Math.floor(Number(row['version_number']) / 10_000),
    system: row['system'] ?? '',
    timeline,
    lsn: row['lsn'] == null ? 0n : parseLsnText(row['lsn']),
    ...(row['replayed_ms'] != null && { replayedMs: Number(row['replayed_ms']) }),
    ...(row['in_recovery'] === 'true' && { isReceiving: row['is_receiving'] === 'true' }),
  };
}
