import { HoldfastError } from '../../../foundation/errors.ts';
import type { Connection } from '../connection/connection.ts';
import { nonsense, refusal } from '../connection/failures.ts';
import { type Reply, ReplyError } from '../connection/resp.ts';
import { openPayload, type Payload } from '../rdb/payload.ts';
import { RdbWriter } from '../rdb/writer.ts';
import type { ServerFacts } from '../server.ts';
import { SeenKeys } from './seen-keys.ts';

/** As many keys are asked for at a time. */
const KEYS_AT_ONCE = 500;
/** And so that their values are about as much. */
const BYTES_AT_ONCE = 8 * 1024 * 1024;
const UNKNOWN_COMMAND = /^ERR unknown (?:sub)?command/i;

/**
 * Reads a server key by key, and gives an RDB of it. Others go on writing: it is not of one moment.
 * @throws source-refused, source-lost, source-damaged, timed-out
 */
export async function* scanAsRdb(
  connection: Connection,
  facts: ServerFacts,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const libraries = await dumpedFunctions(connection);
  const version = libraries?.version ?? (await formOf(connection));
  const writer = new RdbWriter(version, facts.server, facts.version);
  yield writer.head();
  if (libraries !== undefined && libraries.value.length > 0) yield writer.raw(libraries.value);
  for (const database of [...facts.databases.keys()].sort((a, b) => a - b)) {
    await connection.call(`choose database ${database}`, ['SELECT', database]);
    yield writer.database(database);
    yield* scanDatabase(connection, writer, signal);
  }
  yield writer.end();
}

/**
 * Asks for some keys of what a backup asks for of all, and for one value.
 * @throws source-refused, source-lost, source-damaged, timed-out
 */
export async function tryScan(connection: Connection): Promise<void> {
  await dumpedFunctions(connection);
  await connection.call('choose database 0', ['SELECT', 0]);
  const [, keys] = await scanned(connection, '0');
  const [first = Buffer.from('holdfast')] = keys;
  await connection.call('dump a key', ['DUMP', first]);
  await Promise.all([first, ...keys].map((key) => expiryOf(connection, key)));
}

async function dumpedFunctions(connection: Connection): Promise<Payload | undefined> {
  const functions = await connection.attempt('dump the functions', ['FUNCTION', 'DUMP']);
  // A server that does not know the command has none; one that refuses it may have some, which a backup would lack.
  if (functions instanceof ReplyError && !UNKNOWN_COMMAND.test(functions.message)) {
    throw refusal(functions, connection.location, 'source', 'dump the functions');
  }
  return Buffer.isBuffer(functions) ? openPayload(functions) : undefined;
}

/** The version of the form in which the server dumps values. Servers before 7.0 have no functions that would say it. */
async function formOf(connection: Connection): Promise<number> {
  let cursor = '0';
  do {
    const [next, keys] = await scanned(connection, cursor);
    cursor = next;
    for (const key of keys) {
      const dumped = await connection.call('dump a key', ['DUMP', key]);
      if (Buffer.isBuffer(dumped)) return openPayload(dumped).version;
    }
  } while (cursor !== '0');
  return OLDEST_FORM;
}

/** Of an empty server that does not say. */
const OLDEST_FORM = 6;

async function* scanDatabase(
  connection: Connection,
  writer: RdbWriter,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void> {
  const seen = new SeenKeys();
  let cursor = '0';
  let atOnce = 1;
  do {
    signal.throwIfAborted();
    const [next, named] = await scanned(connection, cursor);
    cursor = next;
    const keys = named.filter((key) => seen.add(key));
    for (let at = 0; at < keys.length; ) {
      const some = keys.slice(at, at + atOnce);
      const bytes = writer.raw(await entriesOf(connection, writer, some));
      yield bytes;
      at += some.length;
      atOnce = Math.max(1, Math.min(KEYS_AT_ONCE, Math.floor((BYTES_AT_ONCE * some.length) / (bytes.length + 1))));
    }
  } while (cursor !== '0');
}

async function entriesOf(connection: Connection, writer: RdbWriter, keys: Buffer[]): Promise<Buffer> {
  const dumps = keys.map((key) => connection.attempt('dump a key', ['DUMP', key]));
  const times = keys.map((key) => expiryOf(connection, key));
  const parts: Buffer[] = [];
  // All are awaited together: one that fails must not leave the others to fail unheard.
  const [dumped, expiring] = await Promise.all([Promise.all(dumps), Promise.all(times)]);
  for (const [index, key] of keys.entries()) {
    const reply = dumped[index]!;
    const expiresMs = expiring[index];
    if (reply instanceof ReplyError) throw refusal(reply, connection.location, 'source', 'dump a key');
    // It was removed, or expired, since its name was given.
    if (!Buffer.isBuffer(reply) || expiresMs === 'gone') continue;
    parts.push(...writer.entry(key, openPayload(reply), expiresMs));
  }
  return Buffer.concat(parts);
}

async function scanned(connection: Connection, cursor: string): Promise<[string, Buffer[]]> {
  const reply = await connection.call('list keys', ['SCAN', cursor, 'COUNT', KEYS_AT_ONCE]);
  const [next, keys] = Array.isArray(reply) ? reply : [];
  if (!Buffer.isBuffer(next) || !Array.isArray(keys)) throw nonsense(connection.location, 'no list of keys');
  return [next.toString('latin1'), keys.filter((key) => Buffer.isBuffer(key))];
}

/** When a key expires, to the millisecond: undefined for never. */
export async function expiryOf(connection: Connection, key: Buffer): Promise<number | 'gone' | undefined> {
  const at = await connection.attempt('read a time to live', ['PEXPIRETIME', key]);
  if (!(at instanceof ReplyError)) return meaningOf(at, 0);
  // Servers before 7.0 know only how long it still is, and what time they have.
  const [left, time] = await Promise.all([
    connection.call('read a time to live', ['PTTL', key]),
    connection.call('read the clock', ['TIME']),
  ]);
  if (!Array.isArray(time)) throw nonsense(connection.location, 'no time');
  return meaningOf(left, Number(String(time[0])) * 1000 + Math.floor(Number(String(time[1])) / 1000));
}

function meaningOf(reply: Reply, fromMs: number): number | 'gone' | undefined {
  if (typeof reply !== 'number') throw new HoldfastError('source-damaged', 'the server gave a time that is no number');
  if (reply === -2) return 'gone';
  return reply < 0 ? undefined : fromMs + reply;
}
