import { describe, expect, it } from 'vitest';
import {
  CLUSTER,
  cloneStore,
  logBytes,
  logWorkspace,
  OWNER,
  SEGMENT_BYTES,
  segments,
  writeTail,
} from '../../../test/support/log.ts';
import {
  errorsOf,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFile,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { resticCheck } from '../../../test/support/restic.ts';
import { systemClock } from '../../foundation/clock.ts';
import { LogTail, listSnapshots, lockRepository, openRepository, type Repository } from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { checkLog } from '../check/check-log.ts';
import { foldTail } from './fold.ts';
import { foldSnapshots } from './fold-snapshots.ts';
import { StoredLog } from './stored-log.ts';
import { segmentName } from './wal-snapshots.ts';

/** A fold dies before every so many of its changes; before each by hand: HOLDFAST_TEST_KILLS=200. */
const STRIDE = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 5) > 5 ? 1 : 4;
const DAYS_LATER = Date.parse('2026-02-02T01:00:00Z');
const HOURS_LATER = Date.parse('2026-01-31T13:30:00Z');
const STRETCHES = [segments(3, 6), segments(8, 9.5)];

function workspaceOf(repository: Repository, nowMs = DAYS_LATER) {
  return logWorkspace({ main: repository }, { clock: { ...systemClock, nowMs: () => nowMs } });
}

async function fold(repository: Repository, nowMs = DAYS_LATER) {
  const workspace = workspaceOf(repository, nowMs);
  return foldSnapshots(workspace, await workspace.open('main'), 'db');
}

/** Snapshots of a segment each: two of one hour, one of the next, one behind a gap; and half a segment beside them. */
async function prepare(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const repository = await testRepository(store);
  const workspace = workspaceOf(repository, HOURS_LATER);
  const opened = await workspace.open('main');
  const gap = { source: 'db', system: CLUSTER.system, timeline: 1, start: '0/60000', end: '0/80000', reason: '' };
  await opened.ledger.append('log.gap', gap);
  for (const [at, time] of [
    [3, '10:05'],
    [4, '10:10'],
    [5, '11:05'],
    [8, '12:00'],
  ] as const) {
    const file = { name: '00000002.history', bytes: Buffer.from('1\t0/90000\tx\n') };
    if (at === 5) await new LogTail(repository, OWNER).writeHistory(CLUSTER.system, 2, file);
    await writeTail(repository, segments(at, at + 1), { coveredUntil: `2026-01-31T${time}:00Z` });
    await foldTail(workspace, opened, 'db', CLUSTER);
  }
  await writeTail(repository, segments(9, 9.5), { coveredUntil: '2026-01-31T12:01:00Z' });
  return store;
}

let prepared: Promise<MemoryStore> | undefined;

async function begin() {
  prepared ??= prepare();
  const memory = cloneStore(await prepared);
  const store = new FaultyStore(memory);
  return { memory, store, repository: await openRepository(store, PASSWORD) };
}

const stored = (repository: Repository) => StoredLog.read(repository, OWNER, () => listSnapshots(repository));

/** All of it is there, as a recovery would read it. */
async function expectAll(repository: Repository): Promise<void> {
  const log = await stored(repository);
  expect(log.ranges(CLUSTER.system)).toEqual(STRETCHES);
  for (const stretch of STRETCHES) {
    expect((await log.read(CLUSTER.system, stretch)).equals(logBytes(stretch))).toBe(true);
    const at = { timeline: 1, lsn: stretch.end };
    const time = stretch === STRETCHES[0] ? '2026-01-31T11:05:00.000Z' : '2026-01-31T12:01:00.000Z';
    expect(new Date((await log.coveredUntilMs(CLUSTER.system, at))!).toISOString()).toBe(time);
  }
  await log.close();
}

const walOf = async (repository: Repository) => (await stored(repository)).folded.map(({ start, end }) => [start, end]);
const walRange = (from: number, to: number) => [segments(from, to).start, segments(from, to).end];

describe('a fold of snapshots', () => {
  it('makes one of an hour, and later one of the day, with the same files and the moment of the last', async () => {
    const { repository } = await begin();
    expect(await fold(repository, HOURS_LATER)).toMatchObject({ made: [expect.any(String)], removed: { length: 2 } });
    expect(await walOf(repository)).toEqual([walRange(3, 5), walRange(5, 6), walRange(8, 9)]);
    const { made, removed } = await fold(repository);
    expect([made.length, removed.length]).toEqual([1, 2]);
    expect(await walOf(repository)).toEqual([walRange(3, 6), walRange(8, 9)]);
    await expectAll(repository);
    expect(await fold(repository)).toEqual({ made: [], removed: [] });
    const files = await readFiles(repository, made[0]);
    expect([...files.keys()]).toEqual([
      ...['wal/00000001000000000000000', 'wal/00000001000000000000000', 'wal/00000001000000000000000'].map(
        (name, index) => `${name}${3 + index}`,
      ),
      'wal/00000002.history',
    ]);
    const [snapshot] = (await listSnapshots(repository)).filter(({ id }) => id === made[0]);
    expect(snapshot).toMatchObject({ hostname: 'shop', paths: ['/db'], time: '2026-01-31T11:05:00Z' });
    expect(snapshot!.tags).toContain('wal:7391:00000001:0000000000030000-0000000000060000');
    expect(await errorsOf(repository)).toEqual([]);
    const { ledger } = await workspaceOf(repository).open('main');
    const named = (await ledger.read()).flatMap(({ kind, body }) => (kind === 'log.superseded' ? body.removed : []));
    expect(named.map((each) => each.snapshot)).toEqual(expect.arrayContaining(removed));
    const events = () => ledger.read();
    const inputs = { repository, snapshots: () => listSnapshots(repository), events };
    expect((await checkLog(inputs, OWNER)).findings).toEqual([]);
  });

  it('shows all of the log to whoever reads it, at every instant and wherever it is cut off', async () => {
    let isCutOff = true;
    for (let cut = 0; isCutOff; cut += STRIDE) {
      const { memory, store, repository } = await begin();
      const reader = await openRepository(memory, PASSWORD);
      let done = 0;
      store.rule = ({ method }) => {
        const isChange = method === 'put' || method === 'delete';
        return isChange && done++ >= cut ? 'before' : undefined;
      };
      isCutOff = await fold(repository).then(
        () => false,
        () => true,
      );
      store.rule = () => undefined;
      await expectAll(reader);
      for (const key of await repository.documentKeys('locks/')) await memory.delete(key);
      await fold(repository);
      await expectAll(reader);
      expect(await walOf(repository)).toEqual([walRange(3, 6), walRange(8, 9)]);
      if (!isCutOff) expect(cut).toBeGreaterThan(10);
    }
  }, 60_000);

  it('is not seen as a hole by who lists the snapshots in the middle of it', async () => {
    const { memory, repository } = await begin();
    const store = new FaultyStore(memory);
    const slow = await openRepository(store, PASSWORD);
    const get = store.get.bind(store);
    let folding: Promise<unknown> | undefined;
    store.get = async (key, range) => {
      // What was listed is gone by the time that it is read.
      if (key.startsWith('snapshots/')) folding ??= fold(repository);
      await folding;
      return get(key, range);
    };
    await expectAll(slow);
  });

  it('removes nothing while somebody else may rely on it, and makes nothing twice for it', async () => {
    const { repository } = await begin();
    const theirs = await lockRepository(repository, { exclusive: false, whole: true, clock: systemClock });
    expect(await fold(repository)).toMatchObject({ made: { length: 1 }, removed: [] });
    expect(await fold(repository)).toEqual({ made: [], removed: [] });
    await expectAll(repository);
    await theirs.release();
    expect(await fold(repository)).toMatchObject({ made: [], removed: { length: 3 } });
    await expectAll(repository);
  });

  it('removes nothing for what a tag says alone', async () => {
    const { repository } = await begin();
    const [{ id: _, ...first }] = (await listSnapshots(repository)) as [Awaited<ReturnType<typeof listSnapshots>>[0]];
    const tags = first.tags!.map((tag) => tag.replace('40000', '90000'));
    await repository.putDocument('snapshots/', { ...first, tags });
    await expect(fold(repository)).rejects.toMatchObject({ code: 'repository-damaged' });
    expect(await listSnapshots(repository)).toHaveLength(5);
  });

  it('removes nothing for a larger one that has other bytes', async () => {
    const { repository } = await begin();
    const { tree, id } = await writeSnapshot(repository, async (writer) => {
      const names = [8, 9].map((at) => segmentName(1, segments(0, at).end, SEGMENT_BYTES));
      const files = await Promise.all(names.map((name) => writeFile(writer, name, noise(SEGMENT_BYTES, name))));
      return [
        { name: 'wal', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree: await writer.saveTree(files) },
      ];
    });
    await repository.store.delete(`snapshots/${id}`);
    const other = (await listSnapshots(repository)).at(-1)!;
    const tags = other.tags!.map((tag) => tag.replace('90000', 'A0000'));
    const { id: _, ...rest } = other;
    await repository.putDocument('snapshots/', { ...rest, tree, tags });
    expect((await fold(repository)).removed).not.toContain(other.id);
    expect(await walOf(repository)).toContainEqual(walRange(8, 9));
  });

  it.skipIf(!requires('restic'))('is to stock restic what any snapshot is', async () => {
    const directory = testDirectory();
    const store = createLocalStore(directory);
    for (const [key, { bytes }] of (await begin()).memory.objects) await store.put(key, bytes);
    await fold(await openRepository(store, PASSWORD));
    resticCheck(directory);
  });
});
