import { describe, expect, it } from 'vitest';
import { errorsOf, noise, testRepository } from '../../../test/support/repository.ts';
import { seal } from '../../format/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';

import { loadIndex } from '../load-index.ts';
import type { HeldLock } from '../locks.ts';
import { sha256 } from '../repository.ts';
import { BlobPacker } from './blob-packer.ts';

const HELD: HeldLock = { assertHeld: () => {}, confirm: async () => {}, release: async () => {} };

describe('a packer of sealed blobs', () => {
  it('stores blobs of any size, trees apart from data, in packs that are full and then in an index', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const packer = new BlobPacker(repository, { lock: HELD, packSizeBytes: 1 << 20 });
    const blobs = [10, 700_000, 12 << 20, 400_000, 400_000, 5].map((size, at) => ({
      type: at % 2 === 0 ? ('data' as const) : ('tree' as const),
      plain: noise(size, at),
    }));
    store.calls.length = 0;
    for (const { type, plain } of blobs) await packer.add({ id: sha256(plain), type }, seal(repository.key, plain));
    expect(store.puts).toHaveLength(2);
    const packed = await packer.finish();
    expect(packed).toMatchObject({ packs: 4, blobs: 6 });
    expect(store.puts.map((key) => key.split('/')[0])).toEqual(['data', 'data', 'data', 'data', 'index']);
    const indexed = await loadIndex(repository);
    for (const { type, plain } of blobs) {
      expect((await indexed.readBlob(sha256(plain), type)).equals(plain)).toBe(true);
    }
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('stores nothing when it is given nothing', async () => {
    const store = new FaultyStore(new MemoryStore());
    const packer = new BlobPacker(await testRepository(store), { lock: HELD });
    store.calls.length = 0;
    expect(await packer.finish()).toEqual({ packs: 0, blobs: 0, bytes: 0 });
    expect(store.puts).toEqual([]);
  });

  it('names no pack in the index once the lock is lost: a prune may have taken it for left over', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const lost = new Error('lost');
    const lock: HeldLock = { ...HELD, confirm: () => Promise.reject(lost) };
    const packer = new BlobPacker(repository, { lock });
    const plain = noise(1000);
    await packer.add({ id: sha256(plain), type: 'data' }, seal(repository.key, plain));
    await expect(packer.finish()).rejects.toBe(lost);
    expect(store.puts.filter((key) => key.startsWith('index/'))).toEqual([]);
  });
});
