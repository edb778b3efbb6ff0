import { expect, it } from 'vitest';
import {
  craftSnapshot,
  dataBlob,
  errorsOf,
  readFiles,
  testRepository,
  treeBlob,
} from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { lockRepository } from '../locks.ts';
import { mergeIndex } from './merge-index.ts';

/** A repository with as many snapshots of a small file each, whose index files are small. */
async function withSnapshots(count: number) {
  const store = new FaultyStore(new MemoryStore());
  const repository = await testRepository(store);
  for (let index = 0; index < count; index++) {
    const data = dataBlob(`content ${index}`);
    const size = data.plain.byteLength;
    const node = { name: 'file', type: 'file', mode: 0o644, size, content: [data.id] } as const;
    const tree = treeBlob([{ ...node, content: [data.id] }]);
    await craftSnapshot(repository, [data, tree]);
  }
  const announced: string[] = [];
  const merge = () =>
    mergeIndex(repository, {
      clock: systemClock,
      announce: async (indexes) => {
        // Nothing is gone before it is said.
        for (const id of indexes) expect(await store.stat(`index/${id}`)).toBeDefined();
        announced.push(...indexes);
      },
    });
  const indexes = () => repository.documentKeys('index/');
  return { store, repository, merge, indexes, announced };
}

it('makes few index files of many small ones, and says before which go', async () => {
  const { repository, merge, indexes, announced } = await withSnapshots(70);
  const before = await indexes();
  expect(await merge()).toBe(70);
  expect(announced.map((id) => `index/${id}`).sort()).toEqual(before);
  expect(await indexes()).toHaveLength(1);
  expect(await errorsOf(repository)).toEqual([]);
  expect((await readFiles(repository)).get('file')?.toString()).toMatch(/^content \d+$/);
});

it('keeps what rustic says of packs, and which of them it is going to remove', async () => {
  const { repository, merge, indexes } = await withSnapshots(64);
  const [key] = await indexes();
  const { packs } = (await repository.getDocument(key!)) as { packs: { id: string }[] };
  const said = { time: '2024-01-01T00:00:00.123456789+02:00', size: 4711 };
  const toDelete = [{ id: 'ab'.repeat(32), blobs: [], ...said }];
  await repository.putDocument('index/', { packs: [{ ...packs[0], ...said }], packs_to_delete: toDelete });
  await repository.store.delete(key!);
  await merge();
  const merged = (await Promise.all((await indexes()).map((each) => repository.getDocument(each)))) as {
    packs: { id: string }[];
    packs_to_delete?: unknown;
  }[];
  expect(merged.flatMap((file) => file.packs).find(({ id }) => id === packs[0]!.id)).toMatchObject(said);
  expect(merged.flatMap((file) => file.packs_to_delete ?? [])).toEqual(toDelete);
  expect(await errorsOf(repository)).toEqual([]);
});

it('leaves few as they are, and everything where it is while somebody else is at work', async () => {
  const few = await withSnapshots(20);
  expect(await few.merge()).toBe(0);
  expect(await few.indexes()).toHaveLength(20);
  const many = await withSnapshots(66);
  const lock = await lockRepository(many.repository, { exclusive: true, clock: systemClock });
  await expect(many.merge()).rejects.toMatchObject({ code: 'repository-locked' });
  await lock.release();
  expect(await many.indexes()).toHaveLength(66);
});

it('has lost nothing where it was cut off, and goes on', async () => {
  const { store, repository, merge, indexes } = await withSnapshots(66);
  let deletes = 0;
  store.rule = ({ method, key }) =>
    method === 'delete' && key.startsWith('index/') && deletes++ === 10 ? 'permission-denied' : undefined;
  await expect(merge()).rejects.toMatchObject({ code: 'permission-denied' });
  expect((await readFiles(repository)).get('file')?.toString()).toMatch(/^content \d+$/);
  store.rule = () => undefined;
  expect((await indexes()).length).toBeGreaterThan(1);
});
