import { describe, expect, it } from 'vitest';
import { movableClock, PASSWORD, testRepository } from '../../test/support/repository.ts';
import { systemClock } from '../foundation/clock.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import { addKey, changePassword, listKeys, removeKey } from './keys.ts';
import { openRepository, type Repository } from './repository.ts';

const QUICK = { N: 2, r: 1, p: 1 };

function opens(repository: Repository, password: string): Promise<boolean> {
  return openRepository(repository.store, password).then(
    () => true,
    () => false,
  );
}

describe('keys', () => {
  it('open what the repository holds, each with its password', async () => {
    const repository = await testRepository();
    // They are listed by age, which the same millisecond would not tell.
    const later = movableClock(Date.now() + 1000);
    const id = await addKey(repository, 'second', later, QUICK);
    const second = await openRepository(repository.store, 'second');
    expect(second.keyId).toBe(id);
    expect(second.key).toEqual(repository.key);
    expect((await listKeys(second)).map(({ id: each, current }) => [each, current])).toEqual([
      [repository.keyId, false],
      [id, true],
    ]);
  });

  it('cannot be of an empty password', async () => {
    const repository = await testRepository();
    await expect(addKey(repository, '', systemClock, QUICK)).rejects.toMatchObject({ code: 'bad-usage' });
  });

  it('that are damaged are listed as such, and can be removed', async () => {
    const repository = await testRepository();
    const id = 'ab'.repeat(32);
    await repository.store.put(`keys/${id}`, Buffer.from('torn'));
    expect((await listKeys(repository)).find((key) => key.id === id)).toMatchObject({ damaged: true });
    await removeKey(repository, id.slice(0, 6));
    expect(await listKeys(repository)).toHaveLength(1);
  });

  it('are removed only by an id that names one, and never the one in use', async () => {
    const repository = await testRepository();
    await expect(removeKey(repository, '')).rejects.toMatchObject({ code: 'unknown-key' });
    await expect(removeKey(repository, 'x')).rejects.toMatchObject({ code: 'unknown-key' });
    await expect(removeKey(repository, repository.keyId)).rejects.toMatchObject({ code: 'key-in-use' });
    expect(await opens(repository, PASSWORD)).toBe(true);
  });
});

describe('a change of the password', () => {
  it('leaves one that opens, whichever call fails and how', async () => {
    for (const method of ['put', 'get', 'delete'] as const) {
      for (const how of ['before', 'after', 'disk-full'] as const) {
        const store = new FaultyStore(new MemoryStore());
        const repository = await testRepository(store);
        store.rule = (call) => (call.method === method ? how : undefined);
        const changed = await changePassword(repository, 'new', systemClock, { kdf: QUICK }).then(
          () => true,
          () => false,
        );
        store.rule = () => undefined;
        const [old, fresh] = [await opens(repository, PASSWORD), await opens(repository, 'new')];
        expect(old || fresh, `${method} ${how}`).toBe(true);
        if (changed) expect([old, fresh]).toEqual([false, true]);
      }
    }
  });

  it('keeps the old one when the new one does not open as it was stored', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    const put = store.put.bind(store);
    store.put = (key) => put(key, Buffer.from('{"kdf":"scrypt","N":2,"r":1,"p":1,"salt":"","data":""}'));
    await expect(changePassword(repository, 'new', systemClock, { kdf: QUICK })).rejects.toMatchObject({
      code: 'store-failed',
    });
    expect(await opens(repository, PASSWORD)).toBe(true);
  });
});
