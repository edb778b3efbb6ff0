import type { RedisServerState } from '../../failover.ts';
import { Connection } from '../connection/connection.ts';
import { labelOf, parseLocation } from '../connection/location.ts';
import { inspectServer } from '../server.ts';
import { fencedFrom, minReplicas } from './min-replicas.ts';

/** Opens a connection, does something with it, and ends it. */
export async function connected<T>(
  url: string,
  signal: AbortSignal,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.open(parseLocation(url), { side: 'source', signal });
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}

/** Source: Redis's documentation, "INFO", section replication. */
export async function readState(connection: Connection): Promise<RedisServerState> {
  const { role, replicationId, fields } = await inspectServer(connection);
  const isReplica = role !== 'master';
  const common = {
    label: labelOf(connection.location),
    isReplica,
    offset: BigInt((isReplica ? fields.get('slave_repl_offset') : undefined) ?? fields.get('master_repl_offset') ?? 0),
    replicationId: replicationId ?? '',
    replicas: replicasIn(fields),
    isFenced: !isReplica && fencedFrom(await minReplicas(connection)) !== undefined,
  };
  if (!isReplica) return common;
  const isLinked = fields.get('master_link_status') === 'up' && fields.get('master_sync_in_progress') === '0';
  const silent = Number(fields.get(isLinked ? 'master_last_io_seconds_ago' : 'master_link_down_since_seconds') ?? -1);
  return {
    ...common,
    isLinked,
    follows: `${fields.get('master_host')}:${fields.get('master_port')}`,
    ...(silent >= 0 && { silentMs: silent * 1000 }),
  };
}

/** `slave0:ip=127.0.0.1,port=6380,state=online,offset=42,lag=0` */
function replicasIn(fields: ReadonlyMap<string, string>): RedisServerState['replicas'] {
  return [...fields].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return [];
    const parts = new Map(value.split(',').map((part) => part.split('=', 2) as [string, string]));
    // What captures the stream for a backup follows as a replica does, and says no port.
    const port = Number(parts.get('port'));
    if (!(port > 0)) return [];
    return [{ host: parts.get('ip') ?? '', port, offset: BigInt(parts.get('offset') ?? 0) }];
  });
}
