import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import {
  type CopiedSnapshot,
  copySnapshots,
  listSnapshots,
  loadIndex,
  lockRepository,
  type Repository,
  removeSnapshot,
} from '../../src/repository/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import {
  craftSnapshot,
  dataBlob,
  errorsOf,
  noise,
  prune,
  readFiles,
  testRepository,
  writeFiles,
} from '../support/repository.ts';

const FILES = { a: noise(3 << 20, 'a'), text: Buffer.alloc(200_000, 'compresses well '), empty: Buffer.alloc(0) };

async function copyAll(
  source: Repository,
  target: Repository,
  {
    packSizeBytes = 1 << 20,
    signal = new AbortController().signal,
    meanwhile = async (): Promise<unknown> => undefined,
  } = {},
): Promise<CopiedSnapshot[]> {
  const lock = await lockRepository(target, { exclusive: false, clock: systemClock });
  try {
    const present = await listSnapshots(target);
    const snapshots = await listSnapshots(source);
    const options = { lock, progress: noProgress, signal, packSizeBytes };
    const indexes = [await loadIndex(source), await loadIndex(target)] as const;
    await meanwhile();
    return await copySnapshots(...indexes, { snapshots, present }, options);
  } finally {
    await lock.release();
  }
}

async function expectFiles(repository: Repository, id?: string): Promise<void> {
  const files = await readFiles(repository, id);
  for (const [name, content] of Object.entries(FILES)) expect(files.get(name)!.equals(content), name).toBe(true);
}

describe('a copy of snapshots', () => {
  it.each([
    [1, 2],
    [2, 1],
    [2, 2],
  ] as const)('from format %d to %d has the same trees and contents, and is clean', async (from, to) => {
    const source = await testRepository(new MemoryStore(), from);
    await writeFiles(source, FILES);
    await writeFiles(source, { ...FILES, more: noise(1000, 'more') });
    const target = await testRepository(new MemoryStore(), to);
    const copied = await copyAll(source, target);
    expect(copied.map(({ existed }) => existed)).toEqual([false, false]);
    const [theirs, ours] = [await listSnapshots(source), await listSnapshots(target)];
    expect(ours.map(({ tree, time }) => [tree, time])).toEqual(theirs.map(({ tree, time }) => [tree, time]));
    expect(ours.map(({ original }) => original)).toEqual(theirs.map(({ id }) => id));
    expect(await errorsOf(target)).toEqual([]);
    for (const { id } of ours) await expectFiles(target, id);
  });

  it('keeps every byte of a tree, also what no program of today writes', async () => {
    const content = dataBlob('a file');
    const node = { name: 'file', type: 'file', size: 6, content: [content.id], node_of_tomorrow: [1.0e3] };
    const text = `{ "tree_of_tomorrow": {"x": 1.50}, "nodes": [${JSON.stringify(node)}], "version": 7 }`;
    const tree = { type: 'tree', plain: Buffer.from(text) } as const;
    const source = await testRepository();
    const { tree: id } = await craftSnapshot(source, [content, tree]);
    const target = await testRepository();
    await copyAll(source, target);
    await prune(target);
    expect((await listSnapshots(target)).map((snapshot) => snapshot.tree)).toEqual([id]);
    expect((await (await loadIndex(target)).readBlob(id, 'tree')).toString()).toBe(text);
    expect((await readFiles(target)).get('file')!.toString()).toBe('a file');
  });

  it('stores nothing twice, neither of what is there nor of a snapshot that was copied', async () => {
    const [source, target] = [await testRepository(), await testRepository()];
    await writeFiles(source, FILES);
    await writeFiles(target, { a: FILES.a });
    const [first] = await copyAll(source, target);
    expect(first!.bytes).toBeLessThan(20_000);
    const keys = [...(target.store as MemoryStore).objects.keys()];
    const [again] = await copyAll(source, target);
    expect(again).toMatchObject({ to: first!.to, existed: true, blobs: 0 });
    expect([...(target.store as MemoryStore).objects.keys()]).toEqual(keys);
    // And back: it is known for what it is a copy of.
    expect((await copyAll(target, source)).filter(({ existed }) => existed)).toHaveLength(1);
  });

  it('is another one when what the snapshot says has changed', async () => {
    const [source, target] = [await testRepository(), await testRepository()];
    await writeFiles(source, FILES);
    await copyAll(source, target);
    const [{ id, ...snapshot }] = (await listSnapshots(source)) as [Awaited<ReturnType<typeof listSnapshots>>[0]];
    await source.putDocument('snapshots/', {
      ...snapshot,
      original: id,
      tags: ['another'],
      unheard_of: { kept: true },
    });
    await source.store.delete(`snapshots/${id}`);
    const [copied] = await copyAll(source, target);
    expect([copied!.existed, copied!.blobs]).toEqual([false, 0]);
    const tagged = (await listSnapshots(target)).find(({ tags }) => tags?.includes('another'));
    expect(tagged).toMatchObject({ original: id, unknown: { unheard_of: { kept: true } } });
  });

  it('goes on where it was when it died, and shows no snapshot before all of it is there', async () => {
    const source = await testRepository();
    await writeFiles(source, FILES);
    const inner = new MemoryStore();
    const faulty = new FaultyStore(inner);
    const target = await testRepository(faulty);
    for (let nth = 1; nth <= 3; nth++) {
      let puts = 0;
      faulty.rule = ({ method, key }) =>
        method === 'put' && !key.startsWith('locks') && ++puts === nth ? 'before' : undefined;
      await expect(copyAll(source, target)).rejects.toMatchObject({ code: 'store-unreachable' });
      expect(await listSnapshots(target)).toEqual([]);
      expect(await errorsOf(target)).toEqual([]);
    }
    faulty.rule = () => undefined;
    const [last] = await copyAll(source, target);
    expect(last!.bytes).toBeLessThan(3 << 20);
    await expectFiles(target);
    expect(await errorsOf(target)).toEqual([]);
  });

  it('walks what is below a tree that is there already: an earlier run may have stored no more', async () => {
    const [source, target] = [await testRepository(), await testRepository()];
    const { tree } = await writeFiles(source, FILES);
    const plain = await (await loadIndex(source)).readBlob(tree, 'tree');
    const crafted = await craftSnapshot(target, [{ type: 'tree', plain }]);
    await target.store.delete(`snapshots/${crafted.id}`);
    await copyAll(source, target);
    expect(await errorsOf(target)).toEqual([]);
  });

  it('builds on nothing that a prune has marked, which may go while the copy runs', async () => {
    const [source, target] = [await testRepository(), await testRepository()];
    await writeFiles(source, FILES);
    const { id } = await writeFiles(target, FILES);
    await removeSnapshot(target, id);
    // Somebody who began before keeps the prune from removing what it marks.
    const older = await lockRepository(target, { exclusive: false, clock: systemClock });
    expect((await prune(target)).waitingFor).toBeDefined();
    await older.release();
    const [copied] = await copyAll(source, target, { meanwhile: () => prune(target) });
    expect(copied!.bytes).toBeGreaterThan(3 << 20);
    await expectFiles(target);
    expect(await errorsOf(target)).toEqual([]);
  });

  it('copies nothing that is damaged, and shows no snapshot of it', async () => {
    const store = new MemoryStore();
    const [source, target] = [await testRepository(store), await testRepository()];
    await writeFiles(source, FILES);
    for (const [key, { bytes }] of store.objects) if (key.startsWith('data/')) bytes[bytes.length >> 1]! ^= 1;
    await expect(copyAll(source, target)).rejects.toMatchObject({ code: 'repository-damaged' });
    expect(await listSnapshots(target)).toEqual([]);
  });
});
