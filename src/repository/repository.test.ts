import { describe, expect, it } from 'vitest';
import { movableClock, PASSWORD, testRepository, writeFiles } from '../../test/support/repository.ts';
import { RoundTrips } from '../../test/support/round-trips.ts';
import { encodeKeyFile, newSealingKey } from '../format/key-file.ts';
import { systemClock } from '../foundation/clock.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import type { Content } from '../store/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import { createRepository, openRepository, sha256 } from './repository.ts';

const QUICK = { N: 2, r: 1, p: 1 };

async function keyFileInto(store: MemoryStore, password: string): Promise<string> {
  const bytes = await encodeKeyFile(newSealingKey(), password, 0, QUICK);
  await store.put(`keys/${sha256(bytes)}`, bytes);
  return `keys/${sha256(bytes)}`;
}

function keysIn(store: MemoryStore): string[] {
  return [...store.objects.keys()].filter((key) => key.startsWith('keys/'));
}

describe('making a repository', () => {
  it('makes one that opens with its password and no other', async () => {
    const store = new MemoryStore();
    const made = await createRepository(store, PASSWORD, systemClock);
    const opened = await openRepository(store, PASSWORD);
    expect(opened.config).toEqual(made.config);
    expect(opened.config.version).toBe(2);
    expect(opened.key).toEqual(made.key);
    await expect(openRepository(store, 'wrong')).rejects.toMatchObject({ code: 'wrong-password' });
  });

  it('refuses an empty password', async () => {
    await expect(createRepository(new MemoryStore(), '', systemClock)).rejects.toMatchObject({ code: 'bad-usage' });
  });

  it('changes nothing where there is one', async () => {
    const store = new MemoryStore();
    await testRepository(store);
    const before = [...store.objects.keys()];
    await expect(createRepository(store, 'other', systemClock)).rejects.toMatchObject({ code: 'repository-exists' });
    expect([...store.objects.keys()]).toEqual(before);
  });

  it('changes nothing where only the configuration of one is missing', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    await writeFiles(repository, { a: Buffer.from('a') });
    await store.delete('config');
    const before = [...store.objects.keys()];
    await expect(createRepository(store, 'other', systemClock)).rejects.toMatchObject({ code: 'repository-exists' });
    expect([...store.objects.keys()]).toEqual(before);
    await expect(openRepository(store, PASSWORD)).rejects.toMatchObject({ code: 'no-repository' });
  });

  it('goes on where an attempt died after its key', async () => {
    const store = new MemoryStore();
    await keyFileInto(store, PASSWORD);
    await createRepository(store, PASSWORD, systemClock);
    await openRepository(store, PASSWORD);
    expect(keysIn(store)).toHaveLength(1);
  });

  it('ends with one that opens, whichever put fails, when it is tried again', async () => {
    for (const fault of ['before', 'after', 'disk-full'] as const) {
      for (const failing of ['keys/', 'config']) {
        const inner = new MemoryStore();
        const store = new FaultyStore(inner, ({ method, key }) =>
          method === 'put' && key.startsWith(failing) ? fault : undefined,
        );
        await expect(createRepository(store, PASSWORD, systemClock)).rejects.toThrow(/made to fail|no space/);
        await createRepository(inner, PASSWORD, systemClock).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'repository-exists' });
        });
        await openRepository(inner, PASSWORD);
        expect(keysIn(inner)).toHaveLength(1);
      }
    }
  });

  it('makes one of two that are made at the same time', async () => {
    const store = new MemoryStore();
    const results = await Promise.allSettled(
      ['one', 'other'].map((password) => createRepository(store, password, systemClock)),
    );
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results[1 - winner]).toMatchObject({ reason: { code: 'repository-exists' } });
    await openRepository(store, ['one', 'other'][winner]!);
    expect(keysIn(store)).toHaveLength(1);
  });
});

describe('making a repository where the store decides no race', () => {
  /** Writes without a condition, whatever is asked; times go by a clock that tests move. */
  class UndecidedStore extends MemoryStore {
    readonly clock = movableClock();
    consistentListing = true;

    override async capabilities() {
      return { conditionalPut: false, consistentListing: this.consistentListing };
    }

    override async put(key: string, content: Content): Promise<void> {
      await super.put(key, content);
      this.objects.get(key)!.modifiedMs = this.clock.nowMs();
    }
  }

  it('makes one at most of those that are made at the same time, and none that another replaces', async () => {
    const store = new UndecidedStore();
    const results = await Promise.allSettled([1, 2, 3].map(() => createRepository(store, PASSWORD, store.clock)));
    const made = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'repository-locked' });
    }
    expect(made.length).toBeLessThanOrEqual(1);
    expect(store.objects.has('config')).toBe(made.length === 1);
    const last = made[0] ?? (await createRepository(store, PASSWORD, store.clock));
    expect((await openRepository(store, PASSWORD)).config).toEqual(last.config);
  });

  it('waits for another that has written its key, until that must be dead, and then removes it', async () => {
    const store = new UndecidedStore();
    const other = `keys/${'a'.repeat(64)}`;
    await store.put(other, Buffer.from('key'));
    store.clock.advance(29 * 60_000);
    await expect(createRepository(store, PASSWORD, store.clock)).rejects.toMatchObject({ code: 'repository-locked' });
    expect([...store.objects.keys()]).toEqual([other]);
    store.clock.advance(60_001);
    await createRepository(store, PASSWORD, store.clock);
    expect(store.objects.has(other)).toBe(false);
    await openRepository(store, PASSWORD);
  });

  it('gives up when it takes so long that others may take it for dead', async () => {
    const store = new UndecidedStore();
    const list = store.list.bind(store);
    store.list = (prefix) => {
      store.clock.advance(3 * 60_000);
      return list(prefix);
    };
    const delayed = store.put.bind(store);
    store.put = async (key, content) => {
      await delayed(key, content);
      store.clock.advance(3 * 60_000);
    };
    await expect(createRepository(store, PASSWORD, store.clock)).rejects.toMatchObject({ code: 'repository-locked' });
    expect(store.objects.has('config')).toBe(false);
  });

  it('refuses where listings lag as well', async () => {
    const store = new UndecidedStore();
    store.consistentListing = false;
    await expect(createRepository(store, PASSWORD, store.clock)).rejects.toMatchObject({ code: 'store-unsuitable' });
    expect(store.objects.size).toBe(0);
  });
});

describe('opening a repository', () => {
  it('says that there is none', async () => {
    await expect(openRepository(new MemoryStore(), PASSWORD)).rejects.toMatchObject({ code: 'no-repository' });
  });

  it('finds the right one of several keys, past damaged ones', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    await keyFileInto(store, 'other');
    await store.put(`keys/${'0'.repeat(64)}`, Buffer.from('{}'));
    await store.put('keys/a-file-of-somebody-else', Buffer.from('x'));
    expect((await openRepository(store, PASSWORD)).key).toEqual(repository.key);
  });

  it('is opened in two round trips, however many keys it has, and the oldest is tried first', async () => {
    const inner = new MemoryStore();
    await testRepository(inner);
    for (const password of ['second', 'third']) await keyFileInto(inner, password);
    const byAge = keysIn(inner).toSorted().toReversed();
    for (const [at, key] of byAge.entries()) inner.objects.get(key)!.modifiedMs = at;
    const trips = new RoundTrips();
    await openRepository(trips.to(inner), PASSWORD);
    expect(trips.asked).toEqual([
      expect.arrayContaining(['get config', 'list keys/']),
      byAge.map((key) => `get ${key}`),
    ]);
  });

  it('names the key file that is damaged when no other opens it', async () => {
    const store = new MemoryStore();
    await testRepository(store);
    const [keyFile] = keysIn(store);
    store.objects.get(keyFile!)!.bytes[20]! ^= 1;
    await expect(openRepository(store, PASSWORD)).rejects.toThrow(keyFile!);
  });

  it('says that its configuration is damaged', async () => {
    const store = new MemoryStore();
    await testRepository(store);
    store.objects.get('config')!.bytes[20]! ^= 1;
    await expect(openRepository(store, PASSWORD)).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});
