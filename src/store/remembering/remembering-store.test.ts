import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { DecoratedStore } from '../index.ts';
import { createLocalStore } from '../local/index.ts';
import { MemoryStore } from '../memory/index.ts';
import { RememberingStore } from './index.ts';

describeObjectStore('a store that remembers', () => {
  return new RememberingStore(createLocalStore(mkdtempSync(join(tmpdir(), 'remembering-'))));
});

/** Counts what it is asked for. */
class Counted extends DecoratedStore {
  readonly asked: string[] = [];

  override get(...[key, range]: Parameters<DecoratedStore['get']>): Promise<Uint8Array> {
    this.asked.push(key);
    return super.get(key, range);
  }

  async names(prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { key } of this.list(prefix)) names.push(key);
    return names;
  }
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

async function withDocument(prefix: string, { content = text(prefix), limitBytes = 1000 } = {}) {
  const memory = new MemoryStore();
  const inner = new Counted(memory);
  const store = new RememberingStore(inner, limitBytes);
  const key = `${prefix}/${createHash('sha256').update(content).digest('hex')}`;
  await memory.put(key, content);
  return { memory, inner, store, key, content };
}

describe('what is remembered of a store', () => {
  it('is the content of snapshots, which nobody can change', async () => {
    const { inner, store, key, content } = await withDocument('snapshots');
    (await store.get(key)).fill(0);
    (await store.get(key)).fill(0);
    expect(await store.get(key)).toEqual(content);
    expect(inner.asked).toEqual([key]);
  });

  it('is nothing of other objects, nor of parts of one', async () => {
    const { inner, store, key, memory } = await withDocument('data');
    await memory.put('config', text('config'));
    for (const other of [key, 'config']) for (let time = 0; time < 2; time++) await store.get(other);
    const document = await withDocument('snapshots');
    for (let time = 0; time < 2; time++) await document.store.get(document.key, { offset: 0, length: 1 });
    expect(inner.asked).toEqual([key, key, 'config', 'config']);
    expect(document.inner.asked).toHaveLength(2);
  });

  it('is nothing that does not match its name: it may have been read wrongly', async () => {
    const { memory, store, key, content } = await withDocument('snapshots');
    await memory.put(key, text('damaged'));
    expect(await store.get(key)).toEqual(text('damaged'));
    await memory.put(key, content);
    expect(await store.get(key)).toEqual(content);
  });

  it('is nothing that is not listed any more, or was deleted', async () => {
    const { memory, store, key } = await withDocument('snapshots');
    await store.get(key);
    await memory.delete(key);
    expect(await store.names!('snapshots/')).toEqual([]);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'object-missing' });
    const other = await withDocument('snapshots');
    await other.store.get(other.key);
    await other.store.delete(other.key);
    await expect(other.store.get(other.key)).rejects.toMatchObject({ code: 'object-missing' });
  });

  it('takes no more memory than it may: what was kept first goes first', async () => {
    const { memory, inner, store, key } = await withDocument('snapshots', {
      content: text('a'.repeat(60)),
      limitBytes: 100,
    });
    const second = text('b'.repeat(60));
    const secondKey = `snapshots/${createHash('sha256').update(second).digest('hex')}`;
    await memory.put(secondKey, second);
    for (const each of [key, secondKey, secondKey, key]) await store.get(each);
    expect(inner.asked).toEqual([key, secondKey, key]);
  });
});

describe('a store that remembers, of files', () => {
  it('says where they lie, as the directory does', () => {
    const inner = createLocalStore('/somewhere');
    expect(new RememberingStore(inner).fileOf!('data/a')).toBe(inner.fileOf!('data/a'));
    expect(new RememberingStore(new MemoryStore()).fileOf).toBeUndefined();
  });
});
