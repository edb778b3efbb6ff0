import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { RedisFailover, RedisServerState } from '../../failover.ts';
import type { Connection } from '../connection/connection.ts';
import { isSocket, type Location, labelOf, parseLocation } from '../connection/location.ts';
import { type Reply, ReplyError } from '../connection/resp.ts';
import { liftFence, setFence } from './min-replicas.ts';
import { connected, readState } from './server-state.ts';

const PAUSE_MS = 50;

/** A failover of Redis, by its own commands. */
export const redisFailover: RedisFailover = {
  look: (url, signal) => connected(url, signal, readState),
  fence: (url, signal) => connected(url, signal, fence),
  unfence: (url, signal) => connected(url, signal, unfence),
  promote: (url, signal) => connected(url, signal, promote),
  follow: ({ url, from }, context) => connected(url, context.signal, (connection) => follow(connection, from, context)),
};

async function fence(connection: Connection): Promise<RedisServerState & { isLasting: boolean }> {
  const before = await readState(connection);
  // Of a replica nothing was changed.
  if (before.isReplica) return { ...before, isLasting: true };
  await setFence(connection);
  const written = await tryWrite(connection);
  if (!(written instanceof ReplyError) || written.kind !== 'NOREPLICAS') throw stillWrites(connection);
  return { isLasting: await isLasting(connection), ...(await readState(connection)) };
}

async function unfence(connection: Connection): Promise<boolean> {
  const wasFenced = await liftFence(connection);
  if (wasFenced) await isLasting(connection);
  return wasFenced;
}

/** Source: Redis's documentation, "REPLICAOF". */
async function promote(connection: Connection): Promise<{ wasReplica: boolean; offset: bigint; isLasting: boolean }> {
  const before = await readState(connection);
  if (before.isReplica) {
    await connection.call('promote the replica', ['REPLICAOF', 'NO', 'ONE']);
    await liftFence(connection);
  }
  const written = await tryWrite(connection);
  if (written instanceof ReplyError) throw refusesWrites(connection, written);
  const { offset } = await readState(connection);
  return { wasReplica: before.isReplica, offset, isLasting: await isLasting(connection) };
}

/** Removes a key that nobody has: a write to the server, and to nobody's data. */
function tryWrite(connection: Connection): Promise<Reply> {
  return connection.attempt('try a write', ['DEL', `holdfast:${randomBytes(16).toString('hex')}`]);
}

async function follow(
  connection: Connection,
  from: string,
  { signal, tell }: { signal: AbortSignal; tell(line: string): void },
): Promise<{ offset: bigint; isLasting: boolean }> {
  const master = parseLocation(from);
  if (isSocket(master.host)) {
    throw new HoldfastError('plan-invalid', 'a Redis server follows no other one through a socket', {
      hint: 'Let `from:` name its host and port.',
    });
  }
  const wanted = `${master.host}:${master.port}`;
  const before = await readState(connection);
  if (before.follows !== wanted) {
    await connection.call('say how it logs in', ['CONFIG', 'SET', ...loginSettings(master)]);
    await connection.call('have it follow', ['REPLICAOF', master.host, master.port]);
    tell(`${before.label} copies ${wanted}`);
  }
  const offset = await untilLinked(connection, wanted, signal);
  // Of a replica it means nothing; once it is promoted it would.
  await liftFence(connection);
  return { offset, isLasting: await isLasting(connection) };
}

function loginSettings({ user, password, tls }: Location): string[] {
  const login = ['masteruser', user ?? '', 'masterauth', password ?? ''];
  return tls === undefined ? login : [...login, 'tls-replication', 'yes'];
}

async function untilLinked(connection: Connection, wanted: string, signal: AbortSignal): Promise<bigint> {
  for (;;) {
    const { follows, isLinked, offset, label } = await readState(connection);
    if (follows !== wanted) {
      throw new HoldfastError('source-changed', `${label} follows ${follows ?? 'nobody'}, and not ${wanted}`, {
        hint: 'Somebody else, such as a Sentinel, decides there whom it follows.',
      });
    }
    if (isLinked === true) return offset;
    await pause(PAUSE_MS, undefined, { signal });
  }
}

/** Whether its own file says what it is now, for the next time that it starts: some servers have none. */
async function isLasting(connection: Connection): Promise<boolean> {
  return !((await connection.attempt('have it write its configuration', ['CONFIG', 'REWRITE'])) instanceof ReplyError);
}

function stillWrites({ location }: Connection): HoldfastError {
  return new HoldfastError('source-refused', `${labelOf(location)} still takes writes`, {
    hint: 'See whether its user may CONFIG SET min-replicas-to-write.',
    context: { server: labelOf(location) },
  });
}

function refusesWrites({ location }: Connection, reply: ReplyError): HoldfastError {
  const hint =
    reply.kind === 'NOREPLICAS'
      ? 'It demands replicas that it does not have. Run there: CONFIG SET min-replicas-to-write 0, and run the step again.'
      : 'See what the server says in the reason, and run the step again.';
  return new HoldfastError(
    'source-refused',
    `${labelOf(location)} is a master now, and refuses writes: ${reply.message}`,
    {
      hint,
      retryable: true,
      context: { server: labelOf(location), reason: reply.message },
    },
  );
}
