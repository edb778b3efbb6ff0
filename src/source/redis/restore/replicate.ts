import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../../foundation/errors.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import { Connection } from '../connection/connection.ts';
import { type Location, labelOf } from '../connection/location.ts';
import { ReplyError } from '../connection/resp.ts';
import { inspectServer, type ServerFacts } from '../server.ts';
import { type MasterData, OneTimeMaster } from './master.ts';

/** How long a server may take to find us: it tries once a second. */
const REACH_TIMEOUT_MS = 15_000;
const POLL_MS = 50;
/** As often it is asked in a row, the link is down and nothing is under way: then it has given up. */
const DOWN_POLLS = 20;
const RELEASE_TRIES = 3;
const RELEASE_TIMEOUT_MS = 15_000;

/** Why a server is not restored to by replication, in words that complete "…, since". */
export type Refused = { refused: string };

/**
 * Makes an empty server a replica of ours for as long as it takes to load the RDB. Whatever happens, it is told to replicate
 * from nobody in the end.
 * @returns why it cannot be done, with nothing changed; or nothing
 * @throws target-failed, what reading the data throws, the reason of the signal
 */
export async function restoreByReplication(
  connection: Connection,
  facts: ServerFacts,
  data: MasterData,
  signal: AbortSignal,
): Promise<Refused | undefined> {
  const { replicationId } = facts;
  if (connection.location.tls !== undefined) return { refused: 'its connection is encrypted and replication is not' };
  if (replicationId === undefined) return { refused: 'it does not name its data' };
  const encrypted = await connection.attempt('read the configuration', ['CONFIG', 'GET', 'tls-replication']);
  if (Array.isArray(encrypted) && String(encrypted[1]) === 'yes') {
    return { refused: 'it replicates with TLS only, for which we have no certificate' };
  }
  const master = await OneTimeMaster.open(connection, replicationId, data);
  try {
    const { host, port } = master.address;
    const told = await connection
      .attempt('make it a replica', ['REPLICAOF', host, port])
      .catch(async (failure: unknown) => {
        // It may have done so, and only its answer is lost.
        await release(connection, { failure, setting: undefined });
        throw failure;
      });
    if (told instanceof ReplyError) return { refused: `it refuses to be a replica: ${told.message}` };
    let failure: unknown;
    let setting: string | undefined;
    try {
      // Redis before 8.0 was ready used memory that it had freed, where functions come so, and was gone (its change 13880).
      if (!data.hasFunctions) setting = await loadAsItComes(connection);
      return await follow(connection, master, signal);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      await release(connection, { failure, setting });
    }
  } finally {
    master.close();
  }
}

/**
 * Has the server load what comes, instead of writing it to its disk first: it is empty, and what comes was verified. Where it
 * does not let itself be told so it is slower, and no worse.
 * @returns what the setting was, where it was changed
 */
async function loadAsItComes(connection: Connection): Promise<string | undefined> {
  const reply = await connection.attempt('read the configuration', ['CONFIG', 'GET', LOAD_SETTING]);
  const before = Array.isArray(reply) && Buffer.isBuffer(reply[1]) ? String(reply[1]) : undefined;
  if (before !== 'disabled') return undefined;
  await connection.attempt('change the configuration', ['CONFIG', 'SET', LOAD_SETTING, 'on-empty-db']);
  return before;
}

const LOAD_SETTING = 'repl-diskless-load';

async function follow(
  connection: Connection,
  master: OneTimeMaster,
  signal: AbortSignal,
): Promise<Refused | undefined> {
  const stop = new AbortController();
  try {
    const late = awaitedLater(pause(REACH_TIMEOUT_MS, 'late' as const, { signal: stop.signal }));
    const interrupted = awaitedLater(aborted(signal));
    if ((await Promise.race([master.asked, late, interrupted])) === 'late') {
      return { refused: `it cannot reach us at ${master.address.host}:${master.address.port}` };
    }
    // A server that is stuck takes nothing, and whoever sends waits for it.
    await Promise.race([master.sent, interrupted]);
    await loaded(connection, signal);
    return undefined;
  } finally {
    stop.abort();
  }
}

/** Never resolves. @throws the reason of the signal */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Resolves when all was loaded. */
async function loaded(connection: Connection, signal: AbortSignal): Promise<void> {
  for (let down = 0; down < DOWN_POLLS; ) {
    const { fields } = await inspectServer(connection);
    const isLoading = fields.get('loading') === '1' || fields.get('async_loading') === '1';
    if (fields.get('master_link_status') === 'up' && !isLoading) return;
    down = isLoading || fields.get('master_sync_in_progress') === '1' ? 0 : down + 1;
    await pause(POLL_MS, undefined, { signal });
  }
  throw new HoldfastError('target-failed', `the server at ${labelOf(connection.location)} did not load the backup`, {
    hint: "See in the server's log why; it may hold a part, which `FLUSHALL` removes.",
    context: { server: labelOf(connection.location) },
  });
}

/**
 * @param before what failed, and a setting that was changed
 * @throws target-failed where the server stays a replica
 */
async function release(
  connection: Connection,
  before: { failure: unknown; setting: string | undefined },
): Promise<void> {
  const { location } = connection;
  for (let attempt = 0; attempt < RELEASE_TRIES; attempt++) {
    try {
      // Another connection: the first one may be gone with the signal, or with what it was about.
      const signal = AbortSignal.timeout(RELEASE_TIMEOUT_MS);
      const fresh = await Connection.open(location, { side: 'target', signal });
      try {
        await fresh.call('make it its own master again', ['REPLICAOF', 'NO', 'ONE']);
        if (before.setting === undefined) return;
        await fresh.call('put its configuration back', ['CONFIG', 'SET', LOAD_SETTING, before.setting]);
        return;
      } finally {
        fresh.destroy();
      }
    } catch (error) {
      if (attempt === RELEASE_TRIES - 1) throw leftBehind(location, before.failure ?? error);
    }
  }
}

function leftBehind(location: Location, cause: unknown): HoldfastError {
  return new HoldfastError(
    'target-failed',
    `the server at ${labelOf(location)} is gone, or left a replica of this restore`,
    {
      hint: 'Where it runs, give it `REPLICAOF NO ONE`, and `FLUSHALL` before another restore.',
      context: { server: labelOf(location) },
      cause,
    },
  );
}
