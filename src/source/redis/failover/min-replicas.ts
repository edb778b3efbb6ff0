import type { Connection } from '../connection/connection.ts';
import { ReplyError } from '../connection/resp.ts';

/**
 * A fence has the master demand more replicas than anybody has, so that it refuses every write with NOREPLICAS, and goes on
 * serving reads and its replicas. What it demanded before stands in the same number.
 * Source: Redis's documentation, "Replication", min-replicas-to-write.
 */
const FENCED = 1_000_000;

/** @returns undefined where the user may not ask */
export async function minReplicas(connection: Connection): Promise<number | undefined> {
  const reply = await connection.attempt('ask for its settings', ['CONFIG', 'GET', 'min-replicas-to-write']);
  if (reply instanceof ReplyError || !Array.isArray(reply)) return undefined;
  return Number(String(reply[1]));
}

/** What was demanded before the fence; undefined where there is none. */
export function fencedFrom(demanded: number | undefined): number | undefined {
  return demanded !== undefined && demanded >= FENCED ? demanded - FENCED : undefined;
}

export async function setFence(connection: Connection): Promise<void> {
  const demanded = (await minReplicas(connection)) ?? 0;
  if (fencedFrom(demanded) === undefined) await demand(connection, FENCED + demanded);
}

/** @returns whether there was a fence */
export async function liftFence(connection: Connection): Promise<boolean> {
  const before = fencedFrom(await minReplicas(connection));
  if (before !== undefined) await demand(connection, before);
  return before !== undefined;
}

/** Without a time in which replicas must have answered, none are demanded. */
async function demand(connection: Connection, replicas: number): Promise<void> {
  const lag = await connection.attempt('ask for its settings', ['CONFIG', 'GET', 'min-replicas-max-lag']);
  const isTimeless = Array.isArray(lag) && String(lag[1]) === '0';
  const settings = ['min-replicas-to-write', String(replicas), ...(isTimeless ? ['min-replicas-max-lag', '10'] : [])];
  await connection.call('change how many replicas it demands', ['CONFIG', 'SET', ...settings]);
}
