import { describe, expect, it } from 'vitest';
import { noise, readFiles, testRepository } from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { LogTail, listSnapshots, lsnText, type Repository } from '../../repository/index.ts';
import { FaultyStore, type StoreCall } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { sourceTag } from '../snapshots-of.ts';
import type { Environment } from '../workspace.ts';
import { Workspace } from '../workspace.ts';
import { foldTail } from './fold.ts';
import { StoredLog } from './stored-log.ts';

const SEGMENT_BYTES = 1 << 20;
const SIZE = BigInt(SEGMENT_BYTES);
const CLUSTER = { system: '7391', segmentBytes: SEGMENT_BYTES };
const OWNER = { plan: 'shop', source: 'db' };
/** Two and a half segments, from the second half of segment 3 on, in objects that do not end where segments do. */
const START = 3n * SIZE + SIZE / 2n;
const LOG = noise(3 * SEGMENT_BYTES);
const CUTS = [0, 700_000, 1_500_000, 1_500_001, 2_900_000, LOG.length];

function bytesAt(start: bigint, end: bigint): Buffer {
  return LOG.subarray(Number(start - START), Number(end - START));
}

/** @param isCovered whether it is known up to which moment each object is all there was */
async function begin(isCovered = true) {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const repository = await testRepository(store);
  const tail = new LogTail(repository, OWNER);
  for (const [index, from] of CUTS.slice(0, -1).entries()) {
    const [start, end] = [START + BigInt(from), START + BigInt(CUTS[index + 1]!)];
    const texts = { start: lsnText(start), end: lsnText(end), segmentBytes: SEGMENT_BYTES };
    const coveredUntil = isCovered ? `2026-01-31T14:03:0${index}.000Z` : null;
    const times = { coveredUntil, writtenAt: '2026-01-31T15:00:00Z' };
    const head = { system: '7391', timeline: 1, ...texts, ...times };
    await tail.write(tail.sealLog({ timeline: 1, start, end }, head, bytesAt(start, end)));
  }
  return { memory, store, repository };
}

function fold(repository: Repository): Promise<string[]> {
  const environment = { clock: systemClock, version: '0.0.0', signal: new AbortController().signal } as Environment;
  const plan = { name: 'shop', directory: '/', sources: new Map(), repositories: new Map(), mirrors: new Map() };
  const workspace = new Workspace({ plan: plan as unknown as Workspace['plan'] }, environment);
  return foldTail(workspace, workspace.attach('main', repository), 'db', CLUSTER);
}

function storedIn(repository: Repository): Promise<StoredLog> {
  return StoredLog.read(repository, OWNER, () => listSnapshots(repository));
}

async function expectAll(repository: Repository): Promise<void> {
  const stored = await storedIn(repository);
  const all = { timeline: 1, start: START, end: START + BigInt(LOG.length) };
  expect(stored.ranges('7391')).toEqual([all]);
  expect((await stored.read('7391', all)).equals(LOG)).toBe(true);
}

describe('a fold', () => {
  it('makes files of whole segments, named as the server names them, and leaves the rest in the tail', async () => {
    const { repository } = await begin();
    const [id] = await fold(repository);
    const files = await readFiles(repository, id);
    expect([...files.keys()]).toEqual(['wal/000000010000000000000004', 'wal/000000010000000000000005']);
    expect(files.get('wal/000000010000000000000004')!.equals(bytesAt(4n * SIZE, 5n * SIZE))).toBe(true);
    const [snapshot] = await listSnapshots(repository);
    expect(snapshot).toMatchObject({ hostname: 'shop', paths: ['/db'], time: '2026-01-31T14:03:02Z' });
    expect(snapshot!.tags).toEqual([
      'holdfast',
      sourceTag('db'),
      'kind:wal',
      'wal:7391:00000001:0000000000400000-0000000000600000',
    ]);
    expect((await storedIn(repository)).entries.map(({ start }) => start)).toEqual([
      START,
      START + 1_500_001n,
      START + 2_900_000n,
    ]);
    await expectAll(repository);
  });

  it('claims no moment that the log did not have', async () => {
    const reached = { timeline: 1, lsn: 6n * SIZE };
    for (const isCovered of [true, false]) {
      const { repository } = await begin(isCovered);
      await fold(repository);
      const expected = isCovered ? Date.parse('2026-01-31T14:03:02Z') : undefined;
      expect(await (await storedIn(repository)).coveredUntilMs('7391', reached)).toBe(expected);
    }
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
