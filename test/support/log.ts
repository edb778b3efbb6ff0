/** Logs for tests that need no server: parts of a tail, and what is in them. */

import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { type Adapters, type Environment, Workspace } from '../../src/operations/index.ts';
import type { PostgresSource } from '../../src/plan/index.ts';
import {
  type LogRange,
  LogTail,
  lsnText,
  type Repository,
  removeSnapshot,
  type Stamp,
} from '../../src/repository/index.ts';
import { MANIFEST_DIRECTORY, MANIFEST_NAME } from '../../src/source/index.ts';
import { createPostgresSource } from '../../src/source/postgres/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { planWith } from './plan.ts';
import { noise, PASSWORD, writeFile, writeSnapshot } from './repository.ts';

export const OWNER = { plan: 'shop', source: 'db' };
export const SEGMENT_BYTES = 1 << 16;
export const SEGMENT = BigInt(SEGMENT_BYTES);
export const CLUSTER = { system: '7391', segmentBytes: SEGMENT_BYTES };

/** A part from one segment's beginning, or a place between, to another one's: in segments. */
export function segments(from: number, to: number, timeline = 1): LogRange {
  const at = (segment: number): bigint => BigInt(Math.round(segment * SEGMENT_BYTES));
  return { timeline, start: at(from), end: at(to) };
}

/** What such a log holds: the same bytes at the same place, whoever asks. */
export function logBytes({ timeline, start, end }: LogRange): Buffer {
  const bytes = Buffer.alloc(Number(end - start));
  for (let at = start - (start % SEGMENT); at < end; at += SEGMENT) {
    const from = Number(start > at ? start - at : 0n);
    const segment = noise(SEGMENT_BYTES, `${timeline} ${at}`).subarray(from, Number(end - at));
    segment.copy(bytes, Number((start > at ? start : at) - start));
  }
  return bytes;
}

/** Stores a part of the log in the tail. @param coveredUntil RFC 3339. @returns its key */
export async function writeTail(
  repository: Repository,
  range: LogRange,
  {
    coveredUntil = null as string | null,
    bytes = logBytes(range),
    stamps = [] as Stamp[],
    ...more
  }: {
    coveredUntil?: string | null;
    bytes?: Buffer;
    stamps?: Stamp[];
    system?: string;
    segmentBytes?: number | undefined;
  } = {},
): Promise<string> {
  const tail = new LogTail(repository, OWNER);
  const facts = { ...CLUSTER, writtenAt: '2026-01-31T15:00:00Z', coveredUntil, ...more };
  const object = tail.sealLog(range, facts, bytes, stamps);
  await tail.write(object);
  return object.key;
}

/** A plan of one followed source, with these repositories; the source's is the first. */
export function logWorkspace(
  repositories: Record<string, Repository>,
  { source = {} as Partial<PostgresSource>, clock = systemClock, signal = new AbortController().signal } = {},
): Workspace {
  const db = {
    ...{ name: OWNER.source, type: 'postgres', method: 'physical', wal: 'stream', url: 'postgres://nowhere/' },
    ...{ repository: Object.keys(repositories)[0]!, objectives: {}, validate: [], ...source },
  } as PostgresSource;
  const plan = planWith({
    name: OWNER.plan,
    repositories: new Map(
      Object.keys(repositories).map((name) => [
        name,
        { name, store: `/${name}`, password: PASSWORD, s3: { pathStyle: false } },
      ]),
    ),
    sources: new Map([[db.name, db]]),
  });
  const openStore: Adapters['openStore'] = async (place) =>
    repositories[place.kind === 'local' ? place.path.slice(1) : '']!.store;
  const createSource: Adapters['createSource'] = async ({ name }) =>
    createPostgresSource({ name, url: () => Promise.reject(new Error('no server')), validate: [], version: '0.0.0' });
  const surroundings = { clock, signal, variables: {}, version: '0.0.0', progress: () => noProgress };
  return new Workspace({ plan }, { ...surroundings, adapters: { openStore, createSource } } as unknown as Environment);
}

/** A base backup, as far as planning a recovery looks at it, which ended at the beginning of a segment, or in a stream. */
export async function writeBase(
  repository: Repository,
  ended: { finishedAt: string; timeline?: number } & (
    | { start?: number; end: number }
    /** As a manifest says it of any log. */
    | { lsn: bigint; system?: string }
  ),
): Promise<string> {
  const { finishedAt, timeline = 1 } = ended;
  const manifest = {
    version: 1,
    source: OWNER.source,
    finishedAt,
    ...('lsn' in ended ? ofStream() : ofSegments(ended)),
  };
  function ofStream() {
    const { lsn, system = CLUSTER.system } = ended as { lsn: bigint; system?: string };
    return { details: {}, log: { system, timeline, end: lsnText(lsn), time: finishedAt } };
  }
  function ofSegments({ end, start = end - 0.5 }: { start?: number; end: number }) {
    const [startLsn, stopLsn] = [start, end].map((segment) => lsnText(segments(0, segment).end));
    return { type: 'postgres', details: { systemIdentifier: CLUSTER.system, startLsn, stopLsn, timeline } };
  }
  const { id, tree } = await writeSnapshot(repository, async (writer) => {
    const file = await writeFile(writer, MANIFEST_NAME, Buffer.from(JSON.stringify(manifest)));
    const subtree = await writer.saveTree([file]);
    return [{ name: MANIFEST_DIRECTORY, type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree }];
  });
  await removeSnapshot(repository, id);
  const tags = ['holdfast', `source:${OWNER.source}`, 'kind:base'];
  const base = { time: finishedAt, tree, paths: [`/${OWNER.source}`], hostname: OWNER.plan, tags };
  return repository.putDocument('snapshots/', base);
}

/** The same objects, to be changed by themselves. */
export function cloneStore({ objects }: MemoryStore): MemoryStore {
  const copy = new MemoryStore();
  for (const [key, object] of objects) copy.objects.set(key, { ...object, bytes: new Uint8Array(object.bytes) });
  return copy;
}
