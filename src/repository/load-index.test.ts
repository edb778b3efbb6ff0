import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { errorsOf, movableClock, noise, readFiles, testRepository, writeFiles } from '../../test/support/repository.ts';
import { RoundTrips } from '../../test/support/round-trips.ts';
import { EventualStore } from '../store/eventual/index.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import { IndexMemory } from './index-memory.ts';
import { loadIndex } from './load-index.ts';
import { writeMark } from './prune/marks.ts';
import { Reader } from './read/reader.ts';
import type { Repository } from './repository.ts';
import { listSnapshots } from './snapshots.ts';

const FILES = { a: noise(200_000, 'a') };

/** A repository with one index file, which `replace` puts another one of the same content in the place of. */
async function replaceable() {
  const store = new FaultyStore(new MemoryStore());
  const repository = await testRepository(store);
  await writeFiles(repository, FILES);
  const [old] = await repository.documentKeys('index/');
  const document = await repository.getDocument(old!);
  const replace = async (): Promise<void> => {
    await repository.putDocument('index/', document);
    await store.delete(old!);
  };
  return { store, repository, old: old!, replace };
}

describe('an index far away', () => {
  it('is loaded in two round trips: what is there; what is in it, and whether that is all', async () => {
    const { store, repository } = await replaceable();
    const trips = new RoundTrips();
    await loadIndex(repository.through(trips.to(store)));
    expect(trips.asked.map((asked) => asked.length)).toEqual([2, 2]);
  });
});

describe('an index that is replaced while it is read', () => {
  it('is read whole when a listing shows neither the old file nor the new one', async () => {
    const { store, repository, replace } = await replaceable();
    const list = store.list.bind(store);
    let listed = 0;
    store.list = async function* (prefix) {
      if (prefix === 'index/' && listed++ === 0) await replace();
      else yield* list(prefix);
    };
    expect((await loadIndex(repository)).table.count).toBeGreaterThan(0);
  });

  it('is read whole when the old file is gone before it is read', async () => {
    const { store, repository, old, replace } = await replaceable();
    const get = store.get.bind(store);
    store.get = async (key, range) => {
      if (key === old) await replace();
      return get(key, range);
    };
    expect((await loadIndex(repository)).table.count).toBeGreaterThan(0);
    expect((await readFiles(repository)).get('a')!.equals(FILES.a)).toBe(true);
  });

  it('is not taken for whole when a file is listed and never there', async () => {
    const { store, repository, old } = await replaceable();
    const get = store.get.bind(store);
    store.get = async (key, range) => get(key === old ? `${'index/'}${'0'.repeat(64)}` : key, range);
    await expect(loadIndex(repository)).rejects.toMatchObject({ code: 'object-missing' });
  });
});

describe('an index that a listing does not show yet', () => {
  it('costs who writes a second copy and nothing else, and is said to who reads what needs it', async () => {
    const clock = movableClock();
    const store = new EventualStore(new MemoryStore(), { lagMs: 0, clock });
    const repository = await testRepository(store);
    const before = await loadIndex(repository);
    const first = await writeFiles(repository, FILES);
    // As a listing showed it before, while the snapshot is there already.
    const snapshot = (await listSnapshots(repository))[0]!;
    const reader = new Reader(before, snapshot);
    await expect(reader.entries(snapshot.tree)).rejects.toThrow('is in no pack that the index knows');
    await reader.close();
    store.lagMs = 1000;
    clock.advance(500);
    const lagging = await loadIndex(repository);
    expect(lagging.table.count).toBe(0);
    store.lagMs = 0;
    const second = await writeFiles(repository, FILES, { indexed: lagging });
    expect(second.statistics.addedBytes).toBe(first.statistics.addedBytes);
    for (const { id } of [first, second])
      expect((await readFiles(repository, id)).get('a')!.equals(FILES.a)).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });
});

describe('an index with marked packs', () => {
  it('finds their blobs for who reads, and not for who writes', async () => {
    const repository = await testRepository();
    await writeFiles(repository, FILES);
    const before = await loadIndex(repository);
    expect(before.lasting).toBe(before.table);
    await writeMark(repository, before.packIds);
    const after = await loadIndex(repository);
    expect(after.table.count).toBe(before.table.count);
    expect(after.lasting.count).toBe(0);
    expect((await readFiles(repository)).get('a')!.equals(FILES.a)).toBe(true);
  });

  it('prefers a copy that is not marked', async () => {
    const repository = await testRepository();
    await writeFiles(repository, FILES);
    const before = (await loadIndex(repository)).packIds;
    await writeMark(repository, before);
    const { id } = await writeFiles(repository, FILES);
    const { tree } = (await listSnapshots(repository)).find((snapshot) => snapshot.id === id)!;
    const { table, lasting, packIds } = await loadIndex(repository);
    expect(table.count).toBe(lasting.count);
    expect(before).not.toContain(packIds[table.find(Buffer.from(tree, 'hex'), 'tree')!.packNumber]);
  });

  it.each(['damaged', 'of a newer version'])('is read as without a mark that is %s', async (how) => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    await writeFiles(repository, FILES);
    const { packIds } = await loadIndex(repository);
    if (how === 'damaged') store.objects.get(`holdfast/prune/${await writeMark(repository, packIds)}`)!.bytes[40]! ^= 1;
    else await repository.putDocument('holdfast/prune/', { version: 2, packs: packIds });
    const { lasting, table } = await loadIndex(repository);
    expect(lasting).toBe(table);
  });
});

/** Index files of one pack each, of blobs that are nowhere. */
async function putIndex(repository: Repository, blobs: number, idOf: (blob: number) => Buffer): Promise<void> {
  const listed = Array.from({ length: blobs }, (_, index) => {
    return { id: idOf(index).toString('hex'), type: 'data', offset: index, length: 40 };
  });
  await repository.putDocument('index/', { packs: [{ id: idOf(blobs).toString('hex'), blobs: listed }] });
}

describe('a large index', () => {
  const FILES_OF = 5;
  const BLOBS = 50_000;
  const idsOf = (file: number) => (blob: number) => hash('sha256', `${file} ${blob}`, 'buffer');

  it('is read by several threads, and damage is named as ever', { timeout: 60_000 }, async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    for (let file = 0; file < FILES_OF; file++) await putIndex(repository, BLOBS, idsOf(file));
    const indexed = await loadIndex(repository);
    expect(indexed.table.count).toBe(FILES_OF * BLOBS);
    for (let file = 0; file < FILES_OF; file++) {
      const pack = idsOf(file)(BLOBS).toString('hex');
      for (const blob of [0, 1, BLOBS - 1]) {
        const id = idsOf(file)(blob).toString('hex');
        expect(indexed.locate(id, 'data')).toMatchObject({ pack, offset: blob, length: 40 });
      }
    }
    const [key] = await repository.documentKeys('index/');
    store.objects.get(key!)!.bytes[1000]! ^= 1;
    await expect(loadIndex(repository)).rejects.toMatchObject({
      code: 'repository-damaged',
      message: expect.stringContaining(key!),
    });
  });

  it('may list one blob more often than its size lets expect', async () => {
    const repository = await testRepository();
    await putIndex(repository, BLOBS, (blob) => hash('sha256', blob < BLOBS ? 'same' : 'pack', 'buffer'));
    const { table } = await loadIndex(repository);
    expect(table.count).toBe(1);
    expect(table.find(hash('sha256', 'same', 'buffer'), 'data')?.offset).toBe(0);
  });
});

describe('an index that is loaded again and again', () => {
  /** With what is read of the index. */
  async function asked() {
    const { store, repository, old } = await replaceable();
    const read: string[] = [];
    const get = store.get.bind(store);
    store.get = async (key, range) => {
      if (key.startsWith('index/')) read.push(key);
      return get(key, range);
    };
    return { store, bare: repository, repository: repository.rememberingIndex(), old, read };
  }

  it('has each file read once, and knows what one knows that is read anew', async () => {
    const { bare, repository, read } = await asked();
    await loadIndex(repository);
    const { id } = await writeFiles(repository, { b: noise(100_000, 'b') });
    const again = await loadIndex(repository);
    expect(read).toHaveLength(2);
    const anew = await loadIndex(bare);
    expect(read).toHaveLength(4);
    expect(again.table.count).toBe(anew.table.count);
    expect(again.packIds.toSorted()).toEqual(anew.packIds.toSorted());
    expect([...(await readFiles(repository, id)).keys()]).toEqual(['b']);
  });

  it('knows nothing of a file that is not listed any more', async () => {
    const { store, repository, old } = await asked();
    expect((await loadIndex(repository)).table.count).toBeGreaterThan(0);
    await store.delete(old);
    expect((await loadIndex(repository)).table.count).toBe(0);
    expect(repository.indexMemory!.columnsOf(old)).toBeUndefined();
  });

  it('remembers nothing of a file that is damaged', async () => {
    const { store, repository, old } = await asked();
    const { get } = store;
    store.get = async (key, range) => (await get.call(store, key, range)).map((byte) => byte ^ 1);
    await expect(loadIndex(repository)).rejects.toMatchObject({ code: 'repository-damaged' });
    expect(repository.indexMemory!.columnsOf(old)).toBeUndefined();
  });

  it('takes no more memory than it may', () => {
    const columns = { packs: [], ids: new Uint8Array(64), fields: new Uint32Array(6), count: 2 };
    const memory = new IndexMemory(100);
    memory.keep('one', columns);
    memory.keep('two', columns);
    expect([memory.columnsOf('one')?.count, memory.columnsOf('two')]).toEqual([2, undefined]);
    memory.forgetOthers([]);
    memory.keep('two', columns);
    expect(memory.columnsOf('two')?.count).toBe(2);
  });
});
