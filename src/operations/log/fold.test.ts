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
import { PASSWORD, readFiles, testRepository } from '../../../test/support/repository.ts';
import { listSnapshots, openRepository, type Repository } from '../../repository/index.ts';
import { FaultyStore, type StoreCall } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { sourceTag } from '../snapshots-of.ts';
import { foldTail } from './fold.ts';
import { StoredLog } from './stored-log.ts';

/** Three segments, from the second half of segment 3 on, in objects that do not end where segments do. */
const ALL = segments(3.5, 6.5);
const CUTS = [0, 43_750, 93_750, 93_751, 181_250, 3 * SEGMENT_BYTES].map((from) => ALL.start + BigInt(from));

const prepared = new Map<boolean, Promise<MemoryStore>>();

async function prepare(isCovered: boolean): Promise<MemoryStore> {
  const memory = new MemoryStore();
  const repository = await testRepository(memory);
  for (const [index, start] of CUTS.slice(0, -1).entries()) {
    const range = { timeline: 1, start, end: CUTS[index + 1]! };
    await writeTail(repository, range, { coveredUntil: isCovered ? `2026-01-31T14:03:0${index}.000Z` : null });
  }
  return memory;
}

/** @param isCovered whether it is known up to which moment each object is all there was */
async function begin(isCovered = true) {
  const made = prepared.get(isCovered) ?? prepare(isCovered);
  prepared.set(isCovered, made);
  const store = new FaultyStore(cloneStore(await made));
  return { store, repository: await openRepository(store, PASSWORD) };
}

async function fold(repository: Repository): Promise<string[]> {
  const workspace = logWorkspace({ main: repository });
  return foldTail(workspace, await workspace.open('main'), 'db', CLUSTER);
}

function storedIn(repository: Repository): Promise<StoredLog> {
  return StoredLog.read(repository, OWNER, () => listSnapshots(repository));
}

async function expectAll(repository: Repository): Promise<void> {
  const stored = await storedIn(repository);
  expect(stored.ranges('7391')).toEqual([ALL]);
  expect((await stored.read('7391', ALL)).equals(logBytes(ALL))).toBe(true);
  await stored.close();
}

describe('a fold', () => {
  it('makes files of whole segments, named as the server names them, and leaves the rest in the tail', async () => {
    const { repository } = await begin();
    const [id] = await fold(repository);
    const files = await readFiles(repository, id);
    expect([...files.keys()]).toEqual(['wal/000000010000000000000004', 'wal/000000010000000000000005']);
    expect(files.get('wal/000000010000000000000004')!.equals(logBytes(segments(4, 5)))).toBe(true);
    const [snapshot] = await listSnapshots(repository);
    expect(snapshot).toMatchObject({ hostname: 'shop', paths: ['/db'], time: '2026-01-31T14:03:02Z' });
    expect(snapshot!.tags).toEqual([
      'holdfast',
      sourceTag('db'),
      'kind:wal',
      'wal:7391:00000001:0000000000040000-0000000000060000',
    ]);
    expect((await storedIn(repository)).entries.map(({ start }) => start)).toEqual([CUTS[0], CUTS[3], CUTS[4]]);
    await expectAll(repository);
  });

  it('claims no moment that the log did not have', async () => {
    const reached = { timeline: 1, lsn: segments(0, 6).end };
    for (const isCovered of [true, false]) {
      const { repository } = await begin(isCovered);
      await fold(repository);
      const expected = isCovered ? Date.parse('2026-01-31T14:03:02Z') : undefined;
      expect(await (await storedIn(repository)).coveredUntilMs('7391', reached)).toBe(expected);
    }
  });

  it('does not take the moment of what goes on behind the snapshot for its own', async () => {
    const repository = await testRepository(new MemoryStore());
    await writeTail(repository, segments(4, 5.5), { coveredUntil: '2026-01-31T14:03:00.000Z' });
    expect(await fold(repository)).toHaveLength(1);
    const stored = await storedIn(repository);
    const moments = [5, 5.5].map((at) => stored.coveredUntilMs('7391', { timeline: 1, lsn: segments(0, at).end }));
    expect(await Promise.all(moments)).toEqual([undefined, Date.parse('2026-01-31T14:03:00Z')]);
  });

  it('has nothing to do a second time', async () => {
    const { repository } = await begin();
    expect(await fold(repository)).toHaveLength(1);
    expect(await fold(repository)).toEqual([]);
    expect(await listSnapshots(repository)).toHaveLength(1);
  });

  it('loses and doubles nothing wherever it is cut off', async () => {
    const changes = ({ method }: StoreCall) => method === 'put' || method === 'delete';
    let isCutOff = true;
    // How many changes there are depends on how the threads share out the blobs.
    for (let cut = 0; isCutOff; cut++) {
      const { store, repository } = await begin();
      let done = 0;
      store.rule = (call) => (changes(call) && done++ >= cut ? 'before' : undefined);
      isCutOff = await fold(repository).then(
        () => false,
        () => true,
      );
      store.rule = () => undefined;
      await expectAll(repository);
      await fold(repository);
      await expectAll(repository);
      expect(await listSnapshots(repository)).toHaveLength(1);
      expect((await storedIn(repository)).entries).toHaveLength(3);
      if (!isCutOff) expect(cut).toBeGreaterThan(6);
    }
  }, 60_000);
});
