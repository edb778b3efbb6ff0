import type { Connection } from './connection/connection.ts';
import { ReplyError } from './connection/resp.ts';

/** What a server says of itself. */
export interface ServerFacts {
  server: 'Redis' | 'Valkey';
  /** As the server writes it: `7.0.15`. */
  version: string;
  role: string;
  /** Of its data: which history they are. */
  replicationId: string | undefined;
  /** Keys in each database that has any. */
  databases: ReadonlyMap<number, number>;
  isCluster: boolean;
  /** Everything it says, by name. */
  fields: ReadonlyMap<string, string>;
}

/** @throws source-refused, source-lost, timed-out; target-failed on the other side */
export async function inspectServer(connection: Connection): Promise<ServerFacts> {
  const reply = await connection.call('ask the server about itself', ['INFO']);
  const fields = new Map<string, string>();
  for (const line of String(reply).split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const databases = new Map<number, number>();
  for (const [name, value] of fields) {
    const number = /^db(\d+)$/.exec(name)?.[1];
    const keys = /^keys=(\d+)/.exec(value)?.[1];
    if (number !== undefined && keys !== undefined) databases.set(Number(number), Number(keys));
  }
  const valkey = fields.get('valkey_version');
  return {
    server: valkey === undefined ? 'Redis' : 'Valkey',
    version: valkey ?? fields.get('redis_version') ?? 'of unknown version',
    role: fields.get('role') ?? 'master',
    replicationId: fields.get('master_replid'),
    databases,
    isCluster: fields.get('cluster_enabled') === '1' || fields.get('redis_mode') === 'cluster',
    fields,
  };
}

/**
 * How far the server's clock is ahead of ours, as far as the way to it lets one tell; undefined where it does not say.
 * @throws as `Connection.call`
 */
export async function measureClockOffset(
  connection: Connection,
  clock: { nowMs(): number },
): Promise<number | undefined> {
  let best: { tripMs: number; offsetMs: number } | undefined;
  for (let attempt = 0; attempt < 3; attempt++) {
    const before = clock.nowMs();
    const reply = await connection.attempt('read the clock', ['TIME']);
    const after = clock.nowMs();
    if (reply instanceof ReplyError || !Array.isArray(reply)) return undefined;
    const serverMs = Number(String(reply[0])) * 1000 + Number(String(reply[1])) / 1000;
    const tripMs = after - before;
    if (best === undefined || tripMs < best.tripMs) best = { tripMs, offsetMs: serverMs - (before + after) / 2 };
  }
  return best && Math.round(best.offsetMs);
}
