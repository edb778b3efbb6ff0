import { HoldfastError } from '../../../foundation/errors.ts';
import type { Target } from '../../../foundation/target.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { RestoreContext, Restored } from '../../index.ts';
import { Connection } from '../connection/connection.ts';
import { labelOf } from '../connection/location.ts';
import { type RedisDetails, readDetails } from '../details.ts';
import { anyPattern, NamedKeys } from '../key-pattern.ts';
import { RdbDamage } from '../rdb/damage.ts';
import type { RdbEntry } from '../rdb/reader.ts';
import { rdbNode, readRdb, wasVerified } from '../rdb-file.ts';
import { SeenKeys } from '../scan/seen-keys.ts';
import { inspectServer, type ServerFacts } from '../server.ts';
import { countReplayed, notInPart, notReplayable, replayedStream } from '../stream/replay.ts';
import { emptyWhereBegun, markBegun, releaseBegun } from './begun-server.ts';
import { KeyRestore } from './keys.ts';
import { restoreByReplication } from './replicate.ts';
import { refuseServer, targetLocation } from './target.ts';

export type ServerTarget = Extract<Target, { kind: 'database' }>;

/** @throws target-not-empty, target-unsuitable, target-failed, bad-usage */
export async function refuseTarget(
  reader: SnapshotReader,
  target: ServerTarget,
  { selection, signal }: Pick<RestoreContext, 'selection' | 'signal'>,
): Promise<void> {
  const connection = await open(target, signal);
  try {
    await refuseServer(connection, await readDetails(reader), selection?.only !== undefined);
  } finally {
    connection.destroy();
  }
}

/**
 * Restores into a running server: all at once by being its master, or key by key where only some are wanted or it refuses
 * to be a replica. What is sent was verified before.
 * @throws target-not-empty, target-unsuitable, target-failed, repository-damaged, bad-usage
 */
export async function restoreToServer(
  reader: SnapshotReader,
  target: ServerTarget,
  context: RestoreContext,
): Promise<Restored> {
  const { selection, signal, log } = context;
  if (log !== undefined && selection?.only !== undefined) throw notInPart();
  if (selection?.exclude !== undefined) {
    throw new HoldfastError('bad-usage', '--exclude is for files', { hint: 'Name the keys with `--only PATTERN`.' });
  }
  const details = await readDetails(reader);
  const connection = await open(target, signal);
  const begunBy = selection?.only === undefined ? context.begunBy : undefined;
  try {
    if (begunBy !== undefined) await emptyWhereBegun(connection, begunBy);
    const facts = await refuseServer(connection, details, selection?.only !== undefined);
    await verify(reader, details, context);
    if (begunBy !== undefined) await markBegun(connection, begunBy);
    const restored = await fill({ connection, facts, details, reader, target }, context);
    if (begunBy !== undefined && context.keepsMark !== true) await releaseBegun(connection, begunBy);
    return restored;
  } finally {
    connection.destroy();
  }
}

/** Takes the mark of a restore away that `restoreToServer` left. @throws target-failed, target-unsuitable */
export async function releaseServer(
  target: ServerTarget,
  { begunBy, signal }: Pick<RestoreContext, 'begunBy' | 'signal'>,
): Promise<void> {
  if (begunBy === undefined) return;
  const connection = await open(target, signal);
  try {
    await releaseBegun(connection, begunBy);
  } finally {
    connection.destroy();
  }
}

interface Filling {
  connection: Connection;
  facts: ServerFacts;
  details: RedisDetails;
  reader: SnapshotReader;
  target: ServerTarget;
}

async function fill(
  { connection, facts, details, reader, target }: Filling,
  context: RestoreContext,
): Promise<Restored> {
  const { selection, signal, progress, log } = context;
  progress.phase('loading keys', { bytes: details.sizeBytes });
  if (selection?.only !== undefined) return restoreSome(connection, reader, details, context);
  const data = {
    sizeBytes: details.sizeBytes,
    hasFunctions: details.functions > 0,
    rdb: () => sentParts(reader, context),
    ...(log && { stream: () => replayedStream(log, details, context) }),
  };
  const refused = hasModules(details)
    ? { refused: 'some values belong to modules, and a server without them would end itself' }
    : await restoreByReplication(connection, facts, data, signal);
  if (refused !== undefined) {
    if (log !== undefined) throw notReplayable(target, refused.refused);
    const restored = await new KeyRestore(connection, details, undefined).run(reader, context);
    const note = `the keys were restored one by one, since ${refused.refused}`;
    return { ...restored, notes: [note, ...notesOf(details)] };
  }
  if (log !== undefined) {
    const items = await countReplayed(connection, facts);
    return { bytes: details.sizeBytes + log.bytes, items, notes: notesOf(details), problems: [] };
  }
  const keys = await countKeys(connection, details);
  return { bytes: details.sizeBytes, items: keys, notes: notesOf(details), problems: [] };
}

function open(target: ServerTarget, signal: AbortSignal): Promise<Connection> {
  const location = targetLocation(target.url);
  if (location.database !== 0) {
    throw new HoldfastError('bad-usage', 'a restore goes to all databases of a server', {
      hint: 'Leave the number of the database out of the URL: each key comes back to the one that it was in.',
    });
  }
  return Connection.open(location, { side: 'target', signal });
}

/** Nothing that a server would choke on is sent to it. */
async function verify(reader: SnapshotReader, details: RedisDetails, { progress, signal }: RestoreContext) {
  if (wasVerified(await rdbNode(reader), details)) return;
  progress.phase('verifying the RDB', { bytes: details.sizeBytes });
  const seen = new SeenKeys();
  const onKey = ({ key, database }: RdbEntry): void => {
    // A server that meets a key twice ends itself.
    if (!seen.add(Buffer.concat([Buffer.from(`${database}:`), key]))) throw new RdbDamage('a key that it has twice');
  };
  await readRdb(reader, { signal, onKey });
}

async function* sentParts(
  reader: SnapshotReader,
  { progress, signal }: RestoreContext,
): AsyncGenerator<Uint8Array, void> {
  for await (const bytes of reader.read(await rdbNode(reader))) {
    signal.throwIfAborted();
    const { length } = bytes;
    yield bytes;
    progress.advance({ bytes: length });
  }
}

async function restoreSome(
  connection: Connection,
  reader: SnapshotReader,
  details: RedisDetails,
  context: RestoreContext,
): Promise<Restored> {
  const patterns = context.selection?.only ?? [];
  await refuseUnmatched(reader, patterns, context.signal);
  return { ...(await new KeyRestore(connection, details, anyPattern(patterns)).run(reader, context)), notes: [] };
}

/** What is misspelt must not pass for restored, and is found before anything is written. @throws path-missing */
async function refuseUnmatched(reader: SnapshotReader, patterns: readonly string[], signal: AbortSignal) {
  const named = new NamedKeys(patterns);
  await readRdb(reader, { signal, onKey: ({ key }) => named.see(key) });
  if (named.unused.length === 0) return;
  throw new HoldfastError('path-missing', `no key of the snapshot matches ${named.unused.join(', nor ')}`, {
    hint: 'Patterns are those of SCAN: `session:*`, `user:[0-9]*`.',
  });
}

/** @throws target-failed where the server has other keys than were sent, and not because their time had come */
async function countKeys(connection: Connection, { keys, expiring }: RedisDetails): Promise<number> {
  const facts: ServerFacts = await inspectServer(connection);
  const found = [...facts.databases.values()].reduce((sum, each) => sum + each, 0);
  if (found <= keys && found >= keys - expiring) return found;
  throw new HoldfastError(
    'target-failed',
    `the server at ${labelOf(connection.location)} has ${found} keys after the restore, and the snapshot ${keys}`,
    { hint: "See in the server's log what it did not load.", context: { found, keys, expiring } },
  );
}

function hasModules({ moduleFacts, counts }: RedisDetails): boolean {
  return moduleFacts > 0 || counts.some(({ type }) => type === 'module');
}

function notesOf({ functions }: RedisDetails): string[] {
  return functions > 0 ? [`${functions} libraries of functions came with the keys`] : [];
}
