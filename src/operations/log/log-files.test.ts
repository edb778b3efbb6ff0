import { describe, expect, it } from 'vitest';
import { CLUSTER, OWNER, SEGMENT_BYTES, segments, writeTail } from '../../../test/support/log.ts';
import { noise, testRepository } from '../../../test/support/repository.ts';
import { LogTail, type Repository } from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { StoredLogFiles } from './log-files.ts';
import { StoredLog } from './stored-log.ts';
import { segmentName } from './wal-snapshots.ts';

/** The log from the second segment on, in objects of half a segment; the last segment is half there. */
async function written(repository: Repository, timeline: number, halves: number[]): Promise<void> {
  for (const half of halves) {
    const start = BigInt(SEGMENT_BYTES / 2) * BigInt(half);
    const range = { timeline, start, end: start + BigInt(SEGMENT_BYTES / 2) };
    await writeTail(repository, range, { bytes: noise(SEGMENT_BYTES / 2, half) });
  }
}

/** Compared at once: a matcher would look at each byte by itself. */
async function expectFile(files: StoredLogFiles, file: string, ...parts: Buffer[]): Promise<void> {
  expect(Buffer.concat(parts).equals((await files.read(file))!), file).toBe(true);
}

const notes: string[] = [];
const patience = { signal: new AbortController().signal, note: (message: string) => void notes.push(message) };

async function filesOf(repository: Repository, end: { timeline: number; lsn: bigint }): Promise<StoredLogFiles> {
  const read = () => StoredLog.read(repository, OWNER, async () => []);
  return new StoredLogFiles(await read(), { ...CLUSTER, end }, read, patience);
}

const name = (timeline: number, number: number) =>
  segmentName(timeline, BigInt(number) * BigInt(SEGMENT_BYTES), SEGMENT_BYTES);
const end = { timeline: 1, lsn: BigInt(SEGMENT_BYTES / 2) * 7n };

describe('the files of a stored log', () => {
  it('are whole segments, the last one filled up with zeros', async () => {
    const repository = await testRepository(new MemoryStore());
    await written(repository, 1, [2, 3, 4, 5, 6]);
    const files = await filesOf(repository, end);
    await expectFile(files, name(1, 1), noise(SEGMENT_BYTES / 2, 2), noise(SEGMENT_BYTES / 2, 3));
    await expectFile(files, name(1, 3), noise(SEGMENT_BYTES / 2, 6), Buffer.alloc(SEGMENT_BYTES / 2));
    expect(files.following(name(1, 3))).toBe(name(1, 4));
    expect(segmentName(1, 0x1_0000_0000n, SEGMENT_BYTES)).toBe(
      files.following(name(1, 0x1_0000_0000 / SEGMENT_BYTES - 1)),
    );
  });

  it('are certainly not there behind the end, before the beginning, and on timelines that never were', async () => {
    const repository = await testRepository(new MemoryStore());
    await written(repository, 1, [2, 3, 4, 5, 6]);
    const files = await filesOf(repository, end);
    for (const each of [name(1, 4), name(1, 0), name(2, 2), '00000002.history', 'nonsense']) {
      expect(await files.read(each)).toBeUndefined();
    }
    // More came since it was decided where to end.
    await written(repository, 1, [7, 8, 9]);
    expect(await (await filesOf(repository, end)).read(name(1, 4))).toBeUndefined();
  });

  it('are waited for while the repository is away', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    await written(repository, 1, [2, 3]);
    const files = await filesOf(repository, end);
    let failures = 2;
    store.rule = ({ method }) => (method === 'get' && failures-- > 0 ? 'before' : undefined);
    expect(await files.read(name(1, 1))).toHaveLength(SEGMENT_BYTES);
    expect(notes.join()).toMatch(/the repository does not give the log: .*; trying again/);
  });

  it('are missing, and no end of the log, when what was there is gone', async () => {
    const repository = await testRepository(new MemoryStore());
    await written(repository, 1, [2, 3, 4, 5, 6]);
    const files = await filesOf(repository, end);
    const { entries } = await new LogTail(repository, OWNER).list();
    await repository.store.delete(entries[2]!.key);
    await expect(files.read(name(1, 2))).rejects.toMatchObject({ code: 'object-missing' });
  });

  it('are damaged, and no end of the log, unless what is damaged is whole in another place', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    await written(repository, 1, [2, 3, 4, 5, 6]);
    const [first] = (await new LogTail(repository, OWNER).list()).entries;
    store.objects.get(first!.key)!.bytes[40]! ^= 1;
    const files = await filesOf(repository, end);
    await expect(files.read(name(1, 1))).rejects.toMatchObject({ code: 'repository-damaged' });
    const halves = [noise(SEGMENT_BYTES / 2, 2), noise(SEGMENT_BYTES / 2, 3)];
    await writeTail(repository, segments(1, 2), { bytes: Buffer.concat(halves) });
    await expectFile(await filesOf(repository, end), name(1, 1), ...halves);
  });
});
