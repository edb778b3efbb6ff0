import { describe, expect, it } from 'vitest';
import { mirroredWorkspace } from '../../test/support/mirrored.ts';
import { testRepository } from '../../test/support/repository.ts';
import { MemoryStore } from '../store/memory/index.ts';

/** A store, and in what order somebody asked what it can do, and had opened what lies in it. */
async function observedStore() {
  const store = new MemoryStore();
  await testRepository(store);
  const order: string[] = [];
  const capabilities = store.capabilities.bind(store);
  store.capabilities = () => {
    order.push('asked');
    return capabilities();
  };
  return { store, order };
}

describe('a repository that is locked next', () => {
  it('has what its store can do found out while its key is derived', async () => {
    const { store, order } = await observedStore();
    await mirroredWorkspace({ main: store }).open('main', { willLock: true });
    order.push('opened');
    expect(order).toEqual(['asked', 'opened']);
  });

  it('is opened all the same where that fails, which is for the lock to say', async () => {
    const { store } = await observedStore();
    store.capabilities = () => Promise.reject(new Error('the store is busy'));
    await expect(mirroredWorkspace({ main: store }).open('main', { willLock: true })).resolves.toBeDefined();
  });

  it.each([
    ['one that is only looked at', 'main', {}],
    ['a mirror, into which nothing is written', 'eu', { willLock: true }],
  ])('but not %s', async (_what, name, options) => {
    const { store, order } = await observedStore();
    await mirroredWorkspace({ main: store, eu: store }).openToRead(name, options);
    expect(order).toEqual([]);
  });
});
