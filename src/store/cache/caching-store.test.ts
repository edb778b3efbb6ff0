import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { noise, readFiles, testRepository, writeFiles } from '../../../test/support/repository.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { loadIndex } from '../../repository/index.ts';
import { FaultyStore } from '../faulty/index.ts';
import { MemoryStore } from '../memory/index.ts';
import { CachingStore } from './index.ts';

const MIB = 1024 * 1024;
const problems: string[] = [];

function newDirectory(): string {
  return join(mkdtempSync(join(tmpdir(), 'cache-')), 'holdfast', 'repository');
}

function cached(inner = new FaultyStore(new MemoryStore()), directory = newDirectory(), limitBytes = 64 * MIB) {
  const store = new CachingStore(inner, { directory, limitBytes, onProblem: (message) => problems.push(message) });
  return { store, inner, directory };
}

function keyOf(prefix: string, content: Uint8Array): string {
  return `${prefix}${createHash('sha256').update(content).digest('hex')}`;
}

function getsOf(inner: FaultyStore): string[] {
  return inner.calls.filter(({ method }) => method === 'get').map(({ key }) => key);
}

beforeEach(() => {
  problems.length = 0;
});

describeObjectStore('a store with a cache before it', () => cached().store);

describe('a cache', () => {
  it('gives index, snapshots and packs of trees without asking the store again', async () => {
    const { store, inner, directory } = cached();
    const content = noise(100_000);
    const [index, pack] = [keyOf('index/', content), keyOf('data/ab/', content)];
    await store.put(index, content);
    await inner.put(pack, content);
    for (const range of [
      { offset: 5, length: 70 },
      { offset: 90_000, length: 10_000 },
    ]) {
      const part = await store.get(pack, range, { again: true });
      expect(Buffer.from(part).equals(content.subarray(range.offset, range.offset + range.length))).toBe(true);
    }
    expect(Buffer.from(await store.get(index)).equals(content)).toBe(true);
    expect(getsOf(inner)).toEqual([pack]);
    const another = cached(inner, directory);
    await another.store.get(index);
    await another.store.get(pack, { offset: 0, length: 10 }, { again: true });
    expect(getsOf(inner)).toEqual([pack]);
  });

  it('looks how large a pack is where nobody knows, and reads in parts what is too large to be kept', async () => {
    const part = { offset: 5, length: 70 };
    for (const [objectBytes, asked] of [
      [undefined, ['stat', 'get whole']],
      [90_000, ['get whole']],
      [65 * MIB, ['get part']],
    ] as const) {
      const { store, inner } = cached();
      const content = noise(100_000);
      const pack = keyOf('data/ab/', content);
      await inner.put(pack, content);
      inner.calls.length = 0;
      const use = { again: true, ...(objectBytes !== undefined && { objectBytes }) };
      expect(Buffer.from(await store.get(pack, part, use)).equals(content.subarray(5, 75))).toBe(true);
      const calls = inner.calls.map(({ method, range }) =>
        method === 'get' ? `get ${range ? 'part' : 'whole'}` : method,
      );
      expect(calls).toEqual(asked);
    }
  });

  it('keeps nothing else: neither locks, nor the ledger, nor packs of data', async () => {
    const { store, directory } = cached();
    const content = noise(1000);
    for (const key of ['config', 'holdfast/ledger/a/1', keyOf('locks/', content), keyOf('data/ab/', content)]) {
      await store.put(key, content);
      await store.get(key);
    }
    expect(existsSync(directory)).toBe(false);
  });

  it('is for its user alone', async () => {
    const { store, directory } = cached();
    const content = noise(1000);
    const key = keyOf('snapshots/', content);
    await store.put(key, content);
    const modes = [join(directory, key), directory, dirname(directory)].map((path) => statSync(path).mode & 0o777);
    expect(modes).toEqual([0o600, 0o700, 0o700]);
    expect(existsSync(join(dirname(directory), 'CACHEDIR.TAG'))).toBe(true);
  });

  it.each([
    ['whole', undefined],
    ['in part', { offset: 10, length: 500 }],
  ])('does not give what is damaged in it, read %s, but what is in the store', async (_, range) => {
    const { store, inner, directory } = cached();
    const content = noise(1000);
    const key = keyOf('index/', content);
    await store.put(key, content);
    for (const damaged of [noise(1000, 'other'), content.subarray(0, 600), Buffer.alloc(0)]) {
      writeFileSync(join(directory, key), damaged);
      const { offset, length } = range ?? { offset: 0, length: 1000 };
      const read = await cached(inner, directory).store.get(key, range);
      expect(Buffer.from(read).equals(content.subarray(offset, offset + length))).toBe(true);
    }
    expect(getsOf(inner)).toEqual([key, key, key]);
    expect(problems).toEqual([]);
  });

  it('does not keep what the store gives damaged', async () => {
    const { store, inner, directory } = cached();
    const key = keyOf('index/', noise(1000));
    await inner.put(key, noise(1000, 'other'));
    expect(Buffer.from(await store.get(key)).equals(noise(1000, 'other'))).toBe(true);
    await store.get(key, { offset: 1, length: 2 });
    expect(existsSync(join(directory, key))).toBe(false);
  });

  it('lets go of what was deleted, here or by others, and of a put that failed', async () => {
    const { store, inner, directory } = cached();
    const contents = [1, 2, 3].map((seed) => noise(1000, seed));
    const [here, elsewhere, stays] = contents.map((content) => keyOf('snapshots/', content)) as [
      string,
      string,
      string,
    ];
    for (const content of contents) await store.put(keyOf('snapshots/', content), content);
    await store.delete(here);
    await inner.delete(elsewhere);
    for await (const _ of store.list('snapshots/'));
    expect(readdirSync(join(directory, 'snapshots'))).toEqual([stays.slice('snapshots/'.length)]);
    const failed = keyOf('snapshots/', noise(1000, 4));
    inner.rule = () => 'before';
    await expect(store.put(failed, noise(1000, 4))).rejects.toMatchObject({ code: 'store-unreachable' });
    expect(existsSync(join(directory, failed))).toBe(false);
    await expect(store.get(here)).rejects.toMatchObject({ code: 'store-unreachable' });
  });

  it('keeps within its bound, and what was used last', async () => {
    const { store, inner, directory } = cached(undefined, undefined, 16 * MIB);
    const contents = Array.from({ length: 20 }, (_, seed) => noise(MIB, seed));
    for (const content of contents) await store.put(keyOf('index/', content), content);
    const sizeBytes = readdirSync(join(directory, 'index')).length * MIB;
    expect(sizeBytes).toBeLessThanOrEqual(16 * MIB);
    expect(sizeBytes).toBeGreaterThanOrEqual(14 * MIB);
    await store.get(keyOf('index/', contents.at(-1)!));
    expect(getsOf(inner)).toEqual([]);
    const large = noise(3 * MIB);
    await inner.put(keyOf('data/ab/', large), large);
    const part = await store.get(keyOf('data/ab/', large), { offset: 7, length: 9 }, { again: true });
    expect(Buffer.from(part).equals(large.subarray(7, 16))).toBe(true);
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  it('that cannot be written says so once and fails nothing', async () => {
    const directory = newDirectory();
    // A file in its place: the same for root, whom no permission stops.
    writeFileSync(dirname(dirname(directory)).concat('/holdfast'), '');
    const { store } = cached(undefined, directory);
    for (const seed of [1, 2]) {
      const content = noise(1000, seed);
      await store.put(keyOf('index/', content), content);
      expect(Buffer.from(await store.get(keyOf('index/', content))).equals(content)).toBe(true);
    }
    expect(problems).toEqual([expect.stringContaining(`nothing can be kept in the cache ${directory}`)]);
  });

  it('that vanishes while it is used fails nothing', async () => {
    const { store, directory } = cached();
    const content = noise(1000);
    await store.put(keyOf('index/', content), content);
    rmSync(directory, { recursive: true });
    expect(Buffer.from(await store.get(keyOf('index/', content))).equals(content)).toBe(true);
  });

  it('is filled by several at once, each finding what is whole', async () => {
    const { inner, directory } = cached();
    const contents = Array.from({ length: 6 }, (_, seed) => noise(50_000, seed));
    for (const content of contents) await inner.put(keyOf('data/ab/', content), content);
    const readers = Array.from({ length: 4 }, () => cached(inner, directory).store);
    await Promise.all(
      readers.flatMap((store) =>
        contents.map(async (content) => {
          const part = await store.get(keyOf('data/ab/', content), { offset: 100, length: 200 }, { again: true });
          expect(Buffer.from(part).equals(content.subarray(100, 300))).toBe(true);
        }),
      ),
    );
    expect(readdirSync(join(directory, 'data/ab')).filter((name) => name.length !== 64)).toEqual([]);
  });
});

describe('a repository behind a cache', () => {
  it('is read again with no request for index, snapshot and trees, and holds nothing in clear there', async () => {
    const { store, inner, directory } = cached();
    const repository = await testRepository(store);
    await writeFiles(repository, { 'a-telling-name': noise(300_000), b: Buffer.from('b') });
    inner.calls.length = 0;
    const files = await readFiles(repository.through(cached(inner, directory).store));
    expect(files.get('a-telling-name')?.equals(noise(300_000))).toBe(true);
    expect(getsOf(inner).every((key) => key.startsWith('data/'))).toBe(true);
    const treePacks = readdirSync(join(directory, 'data'), { recursive: true }).map(String);
    expect(getsOf(inner).filter((key) => treePacks.some((pack) => key.endsWith(pack)))).toEqual([]);
    expect(treePacks.filter((name) => name.length > 60)).toHaveLength(1);
    expect(execFileSync('sh', ['-c', `! grep -rq a-telling-name ${directory}`]).length).toBe(0);
    await loadIndex(repository);
    inner.calls.length = 0;
    const elsewhere = cached(inner);
    await readFiles(repository.through(elsewhere.store));
    expect(inner.calls.filter(({ method }) => method === 'stat')).toEqual([]);
    expect(readdirSync(join(elsewhere.directory, 'data'))).toHaveLength(1);
  });
});
