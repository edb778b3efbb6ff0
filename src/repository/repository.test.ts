import { describe, expect, it } from 'vitest';
import { PASSWORD, testRepository, writeFiles } from '../../test/support/repository.ts';
import { encodeKeyFile, newSealingKey } from '../format/key-file.ts';
import { systemClock } from '../foundation/clock.ts';
import { FaultyStore } from '../store/faulty/index.ts';
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

  it.each([
    ['decides', true],
    ['does not decide', false],
  ])('makes one of two that are made at the same time, where the store %s who is first', async (_, conditionalPut) => {
    const store = new MemoryStore();
    store.capabilities.conditionalPut = conditionalPut;
    const results = await Promise.allSettled(
      ['one', 'other'].map((password) => createRepository(store, password, systemClock)),
    );
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results[1 - winner]).toMatchObject({ reason: { code: 'repository-exists' } });
    await openRepository(store, ['one', 'other'][winner]!);
    expect(keysIn(store)).toHaveLength(1);
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
