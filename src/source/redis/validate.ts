import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { RedisCheck, Resolved } from '../../plan/index.ts';
import { lsnText, type SnapshotReader } from '../../repository/index.ts';
import {
  type Check,
  type CheckedPlace,
  type LogToReplay,
  runCommandCheck,
  type ValidateContext,
  type Validation,
} from '../index.ts';
import { isSocket, parseLocation } from './connection/location.ts';
import { RDB_NAME, type RedisDetails, readDetails } from './details.ts';
import { keyPattern } from './key-pattern.ts';
import { RdbReader, type RdbSummary } from './rdb/reader.ts';
import type { TypeCount } from './rdb/tally.ts';
import { readRdb } from './rdb-file.ts';
import type { ServerTarget } from './restore/server.ts';
import { readServer } from './server-rdb.ts';

type PlannedCheck = Resolved<RedisCheck>;

/** Holds what a server has against the snapshot, and runs the plan's checks. */
export async function validateServer(
  reader: SnapshotReader,
  target: ServerTarget,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Validation> {
  const { progress, signal } = context;
  const details = await readDetails(reader);
  const counters = planned.flatMap((check) =>
    check.kind === 'keys' ? [{ check, matches: keyPattern(check.keys), count: 0 }] : [],
  );
  progress.phase('reading what was restored');
  const server = { location: parseLocation(target.url), method: 'replication', side: 'target' } as const;
  const onKey = ({ key }: { key: Uint8Array }): void => {
    for (const counter of counters) if (counter.matches(key)) counter.count++;
  };
  const { summary, expiredBeforeMs } = await readServer(server, context, counters.length > 0 ? { onKey } : {});
  progress.phase('reading the snapshot');
  const expected = await readRdb(reader, { signal, expiredBeforeMs });
  const checks = [
    manifestCheck(expected, details),
    ...(context.log === undefined ? countChecks(expected, summary) : [streamCheck(context.log, summary)]),
  ];
  for (const { check, count } of counters) checks.push(judgeCount(check, count));
  for (const check of planned)
    if (check.kind === 'exec') checks.push(await runCommandCheck(check, placeOf(target), signal));
  const gone = context.log === undefined ? expected.expired : 0;
  const notes = gone === 0 ? [] : [`${gone} keys have expired since, as they were to, and were left out`];
  return { checks, notes: [...details.notes, ...notes] };
}

/** Holds the dump.rdb in a directory against the snapshot's manifest. */
export async function validateDirectory(
  reader: SnapshotReader,
  directory: string,
  { signal }: ValidateContext,
): Promise<Validation> {
  const details = await readDetails(reader);
  const found = new RdbReader({ origin: 'snapshot' });
  try {
    for await (const bytes of createReadStream(join(directory, RDB_NAME), { signal })) found.write(bytes as Buffer);
    return { checks: [manifestCheck(found.end(), details)], notes: details.notes };
  } catch (error) {
    if (!isHoldfastError(error)) throw unreadable(error, directory);
    return { checks: [{ name: 'manifest', result: 'failed', detail: error.message }], notes: [] };
  }
}

/** Whether the RDB is the one that was captured. */
function manifestCheck(found: RdbSummary, details: RedisDetails): Check {
  const isSame =
    found.checksum === details.checksum &&
    found.sizeBytes === details.sizeBytes &&
    found.keys + found.expired === details.keys &&
    found.functions === details.functions;
  const detail = isSame
    ? `${details.keys} keys in ${details.sizeBytes} bytes, with the checksum of the manifest`
    : `the manifest has ${details.keys} keys in ${details.sizeBytes} bytes, and ${found.keys + found.expired} in ${found.sizeBytes} were found`;
  return { name: 'manifest', result: isSame ? 'passed' : 'failed', detail };
}

/** What the stream did to the backup nobody knows but a server, which has done all of it: else it was no restore. */
function streamCheck({ bytes, end }: LogToReplay, { keys }: RdbSummary): Check {
  const detail = `${bytes} bytes were replayed and acknowledged, up to ${lsnText(end.lsn)}; ${keys} keys are there, and can be read`;
  return { name: 'stream', result: 'passed', detail };
}

/** One check for each type of value in each database, and one for functions. */
function countChecks(expected: RdbSummary, found: RdbSummary): Check[] {
  const checks = pairsOf(expected.counts, found.counts).map(({ name, before, now }): Check => {
    const isSame = before?.digest === now?.digest && before?.keys === now?.keys;
    const detail = isSame
      ? `${before?.keys ?? 0} keys, with the digest of the snapshot`
      : before?.keys === now?.keys
        ? `${before?.keys ?? 0} keys, and other values or times than in the snapshot`
        : `${now?.keys ?? 0} keys, where the snapshot has ${before?.keys ?? 0}`;
    return { name: `keys ${name}`, result: isSame ? 'passed' : 'failed', detail };
  });
  if (expected.functions + found.functions > 0) {
    const isSame = expected.functions === found.functions && expected.functionsDigest === found.functionsDigest;
    const code = expected.functions === found.functions ? `, with ${isSame ? 'the same' : 'other'} code` : '';
    const detail = `${found.functions} libraries, ${expected.functions} in the snapshot${code}`;
    checks.push({ name: 'functions', result: isSame ? 'passed' : 'failed', detail });
  }
  return checks;
}

/** What two sides have of each type in each database. */
export function pairsOf(
  before: readonly TypeCount[],
  now: readonly TypeCount[],
): { name: string; before: TypeCount | undefined; now: TypeCount | undefined }[] {
  const nameOf = ({ database, type }: TypeCount): string => `db${database} ${type}`;
  const names = [...new Set([...before, ...now].map(nameOf))];
  return names.map((name) => ({
    name,
    before: before.find((each) => nameOf(each) === name),
    now: now.find((each) => nameOf(each) === name),
  }));
}

function judgeCount({ name, keys, atLeast }: Extract<PlannedCheck, { kind: 'keys' }>, count: number): Check {
  return {
    name: `validate: ${name}`,
    result: count >= atLeast ? 'passed' : 'failed',
    detail: `${count} keys match ${keys}, at least ${atLeast} were expected`,
  };
}

function placeOf({ url }: ServerTarget): CheckedPlace {
  const { host } = parseLocation(url);
  const socket = isSocket(host) ? host : '';
  return {
    words: { 'sandbox.url': url, 'target.url': url, 'sandbox.socket': socket },
    environment: { REDIS_URL: url, REDIS_SOCKET: socket },
    quotes: true,
  };
}

function unreadable(error: unknown, directory: string): HoldfastError {
  return new HoldfastError('target-failed', `cannot read ${join(directory, RDB_NAME)}`, { cause: error });
}
