import { describe, expect, it } from 'vitest';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { MemoryStore } from '../memory/index.ts';
import { type Fault, FaultyStore } from './faulty-store.ts';

describeObjectStore('a faulty store that does not fail', () => new FaultyStore(new MemoryStore()));

describe('a faulty store', () => {
  it('fails before the effect, after it, or for good, and alters what is got', async () => {
    const store = new FaultyStore(new MemoryStore(), ({ key }) => key as Fault);
    await expect(store.put('before', Buffer.from('x'))).rejects.toMatchObject({ code: 'store-unreachable' });
    await expect(store.put('after', Buffer.from('x'))).rejects.toMatchObject({ code: 'store-unreachable' });
    await expect(store.put('disk-full', Buffer.from('x'))).rejects.toMatchObject({ code: 'disk-full' });
    await store.put('flipped', Buffer.from('xyz'));
    expect(Buffer.from(await store.get('flipped')).toString()).toBe('xxz');
    expect(store.puts).toEqual(['before', 'after', 'disk-full', 'flipped']);
    store.rule = () => undefined;
    expect(await store.stat('before')).toBeUndefined();
    expect(await store.stat('after')).toBeDefined();
    expect(await store.stat('disk-full')).toBeUndefined();
    expect(Buffer.from(await store.get('flipped')).toString()).toBe('xyz');
  });
});
