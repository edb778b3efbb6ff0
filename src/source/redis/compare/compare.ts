import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { Comparison, Discrepancy, RestoreContext } from '../../index.ts';
import { parseLocation } from '../connection/location.ts';
import { shownKey } from '../key-pattern.ts';
import { type RdbEntry, RdbReader, type RdbSummary } from '../rdb/reader.ts';
import { readRdb } from '../rdb-file.ts';
import { readServer, type ServerRdb, type ServerToRead } from '../server-rdb.ts';
import { pairsOf } from '../validate.ts';
import { Buckets } from './buckets.ts';

/** As many keys that differ are named; the counts tell of all. */
const NAMED_KEYS = 1000;
/** As many are held in memory to find them. */
const HELD_KEYS = 200_000;

/**
 * Holds what a server has now against a snapshot. Both are read once into sums of digests, by buckets of keys; where those
 * differ both are read again, and the keys of these buckets are held against each other. Memory does not depend on how many
 * keys there are.
 */
export async function compareServer(
  reader: SnapshotReader,
  server: ServerToRead,
  context: RestoreContext,
): Promise<Comparison> {
  const { progress, scratchDirectory } = context;
  const path = join(scratchDirectory, 'living.rdb');
  const now = new Buckets();
  const readBefore = await readerOfBefore(reader, context);
  progress.phase('reading the server');
  const living = await readToFile(server, path, context, now.add);
  const { expiredBeforeMs } = living;
  progress.phase('reading the snapshot');
  const before = new Buckets();
  const expected = await readBefore(expiredBeforeMs, before.add);
  const notes = server.method === 'scan' ? ['the server was read key by key while others wrote'] : [];
  if (expected.expired > 0)
    notes.push(`${expected.expired} keys have expired since, or are about to, and were left out`);
  const differing = before.differing(now, HELD_KEYS);
  const differences = countDifferences(expected, living.summary);
  if (differing.isAny) {
    progress.phase('looking for the keys that differ');
    const named = new KeysApart(differing.has);
    await readBefore(expiredBeforeMs, named.before);
    await readFileAgain(path, expiredBeforeMs, named.now);
    differences.push(...named.differences(NAMED_KEYS));
    const left = named.count - NAMED_KEYS;
    if (left > 0 || !differing.isComplete) notes.push(`more keys differ than the ${NAMED_KEYS} that are named`);
  }
  return { compared: Math.max(expected.keys, living.summary.keys), differences, notes };
}

/** Databases and types that have more keys, or fewer. */
function countDifferences(expected: RdbSummary, found: RdbSummary): Discrepancy[] {
  const differences = pairsOf(expected.counts, found.counts).flatMap(({ name, before, now }): Discrepancy[] => {
    const rows = { snapshot: before?.keys ?? 0, found: now?.keys ?? 0 };
    if (rows.snapshot === rows.found) return [];
    return [
      { item: `keys ${name}`, kind: 'rows', detail: `${rows.found} now, ${rows.snapshot} in the snapshot`, rows },
    ];
  });
  if (expected.functions !== found.functions) {
    const detail = `${found.functions} libraries now, ${expected.functions} in the snapshot`;
    differences.push({ item: 'functions', kind: 'definition', detail });
  } else if (expected.functionsDigest !== found.functionsDigest) {
    const detail = `${found.functions} libraries, with other code than in the snapshot`;
    differences.push({ item: 'functions', kind: 'definition', detail });
  }
  return differences;
}

type OnKey = (entry: RdbEntry) => void;

/** Reads what there was, as often as it is asked for: the snapshot's RDB, or what a sandbox has once a stream was replayed there. */
async function readerOfBefore(
  reader: SnapshotReader,
  context: RestoreContext,
): Promise<(expiredBeforeMs: number, onKey: OnKey) => Promise<RdbSummary>> {
  const { sandbox, scratchDirectory, signal } = context;
  if (sandbox === undefined) {
    return (expiredBeforeMs, onKey) => readRdb(reader, { signal, expiredBeforeMs, onKey });
  }
  const path = join(scratchDirectory, 'sandbox.rdb');
  const server = { location: parseLocation(sandbox.url), method: 'replication', side: 'target' } as const;
  await readToFile(server, path, context);
  return (expiredBeforeMs, onKey) => readFileAgain(path, expiredBeforeMs, onKey);
}

async function readToFile(
  server: ServerToRead,
  path: string,
  context: RestoreContext,
  onKey?: OnKey,
): Promise<ServerRdb> {
  const file = await open(path, 'wx', 0o600);
  try {
    return await readServer(server, context, onKey && { onKey }, (bytes) => file.writeFile(bytes));
  } finally {
    await file.close();
  }
}

async function readFileAgain(path: string, expiredBeforeMs: number, onKey: OnKey): Promise<RdbSummary> {
  const again = new RdbReader({ origin: 'source', onKey });
  again.expiredBeforeMs = expiredBeforeMs;
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 })) again.write(bytes as Buffer);
  return again.end();
}

interface Side {
  digest: string;
  type: string;
  expiresMs: number | undefined;
}

/** Keys of both sides, as far as they are in buckets that differ. */
class KeysApart {
  readonly #isWanted: (place: number) => boolean;
  readonly #before = new Map<string, Side>();
  readonly #differing: Discrepancy[] = [];
  count = 0;

  constructor(isWanted: (place: number) => boolean) {
    this.#isWanted = isWanted;
  }

  readonly before = (entry: RdbEntry): void => {
    if (this.#isWanted(entry.place)) this.#before.set(nameOf(entry), sideOf(entry));
  };

  readonly now = (entry: RdbEntry): void => {
    if (!this.#isWanted(entry.place)) return;
    const name = nameOf(entry);
    const before = this.#before.get(name);
    this.#before.delete(name);
    const now = sideOf(entry);
    if (before === undefined) this.#note(name, 'extra', `a ${now.type} that the snapshot does not have`);
    else if (before.digest !== now.digest) this.#note(name, 'content', changeOf(before, now));
  };

  differences(limit: number): Discrepancy[] {
    for (const [name, { type }] of this.#before) this.#note(name, 'missing', `a ${type} that only the snapshot has`);
    this.#before.clear();
    return this.#differing.slice(0, limit);
  }

  #note(name: string, kind: Discrepancy['kind'], detail: string): void {
    this.count++;
    const [database, ...key] = name.split(':');
    const item = `key ${database}:${shownKey(Buffer.from(key.join(':'), 'latin1'))}`;
    if (this.#differing.length < HELD_KEYS) this.#differing.push({ item, kind, detail });
  }
}

function nameOf({ database, key }: RdbEntry): string {
  return `${database}:${key.toString('latin1')}`;
}

function sideOf({ low, high, type, expiresMs }: RdbEntry): Side {
  return { digest: `${high}.${low}`, type, expiresMs };
}

function changeOf(before: Side, now: Side): string {
  if (before.type !== now.type) return `a ${now.type} now, a ${before.type} in the snapshot`;
  const time = (ms: number | undefined): string => (ms === undefined ? 'never' : new Date(ms).toISOString());
  if (before.expiresMs !== now.expiresMs) {
    return `expires ${time(now.expiresMs)}, in the snapshot ${time(before.expiresMs)}`;
  }
  return `another value than in the snapshot`;
}
