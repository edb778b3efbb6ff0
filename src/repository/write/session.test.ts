import { hash } from 'node:crypto';
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import {
  errorsOf,
  extract,
  noise,
  readFiles,
  testDirectory,
  testRepository,
  treeBlob,
  withReader,
  writeFile,
  writeFiles,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { type IndexFile, MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, type TreeNode } from '../../format/index.ts';
import type { Content, PutOptions } from '../../store/index.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { packKey } from '../layout.ts';
import { threadCount } from '../read/pool.ts';

const threads = vi.hoisted(() => ({ started: [] as { terminate(): Promise<number> }[] }));
vi.mock('node:worker_threads', async (original) => {
  const module = await original<typeof import('node:worker_threads')>();
  class Worker extends module.Worker {
    constructor(...parameters: ConstructorParameters<typeof module.Worker>) {
      super(...parameters);
      threads.started.push(this);
    }
  }
  return { ...module, Worker };
});
const SLABS_BYTES = 32 << 20;

/** Each a pack of its own, where those are small. */
function manyFiles(count: number): Record<string, Buffer> {
  return Object.fromEntries(Array.from({ length: count }, (_, number) => [`${number}`, noise(70_000, number)]));
}

/** Takes its time for each pack, and tells how many it had at once. */
class SlowPacks extends MemoryStore {
  mostAtOnce = 0;
  readonly digests: { key: string; md5: string | undefined }[] = [];
  #atOnce = 0;

  override async put(key: string, content: Content, options: PutOptions = {}): Promise<void> {
    if (!key.startsWith('data/')) return super.put(key, content, options);
    this.digests.push({ key, md5: options.md5 });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    await setTimeout(30);
    this.#atOnce--;
    await super.put(key, content, options);
  }
}

describe('a snapshot that is written', () => {
  it('holds files of every size as they were', async () => {
    const repository = await testRepository();
    const files: Record<string, Buffer> = {
      empty: Buffer.alloc(0),
      'one-byte': Buffer.from('x'),
      'a-line': Buffer.from('a line\n'),
      'shortest-chunk': noise(MIN_CHUNK_BYTES, 1),
      'one-less': noise(MIN_CHUNK_BYTES - 1, 2),
      'one-more': noise(MIN_CHUNK_BYTES + 1, 3),
      'longest-chunk': Buffer.alloc(MAX_CHUNK_BYTES),
      'one-more-than-that': Buffer.alloc(MAX_CHUNK_BYTES + 1, 'text '),
      'more-than-all-slabs': noise(SLABS_BYTES + 12_345, 4),
    };
    await writeFiles(repository, files);
    const read = await readFiles(repository);
    expect([...read.keys()].sort()).toEqual(Object.keys(files).sort());
    for (const [name, content] of Object.entries(files)) expect(read.get(name)!.equals(content), name).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('holds thousands of small files, read from descriptors', async () => {
    const repository = await testRepository();
    const directory = testDirectory();
    const contents = Array.from({ length: 3000 }, (_, index) => Buffer.from(`file ${index}\n`.repeat(index % 50)));
    await writeSnapshot(repository, async (writer) => {
      const nodes = [];
      for (const [index, content] of contents.entries()) {
        const path = join(directory, `${index}`);
        writeFileSync(path, content);
        const descriptor = openSync(path, 'r');
        const { sizeBytes, stored } = await writer.writeFrom(descriptor);
        closeSync(descriptor);
        expect(sizeBytes).toBe(content.length);
        nodes.push(
          stored.then(
            ({ content: blobs }): TreeNode => ({ name: `${index}`, type: 'file', size: sizeBytes, content: blobs }),
          ),
        );
      }
      return Promise.all(nodes);
    });
    const read = await readFiles(repository);
    for (const [index, content] of contents.entries()) expect(read.get(`${index}`)!.equals(content)).toBe(true);
  });

  it('holds no more of a file that grows than it is told to read', async () => {
    const repository = await testRepository();
    const path = join(testDirectory(), 'growing');
    writeFileSync(path, noise(10 << 20));
    const descriptor = openSync(path, 'r');
    await writeSnapshot(repository, async (writer) => {
      const { sizeBytes, stored } = await writer.writeFrom(descriptor, 5_000_001);
      expect(sizeBytes).toBe(5_000_001);
      return [{ name: 'f', type: 'file', size: sizeBytes, content: (await stored).content }];
    });
    closeSync(descriptor);
    expect((await readFiles(repository)).get('f')!.equals(noise(5_000_001))).toBe(true);
  });

  it('holds what several streams wrote at once, in pieces of any size', async () => {
    const repository = await testRepository();
    const contents = Array.from({ length: 12 }, (_, index) => noise(1_000_000 * index + 17, index));
    await writeSnapshot(repository, (writer) =>
      Promise.all(
        contents.map((content, index) => writeFile(writer, `${index}`, content, 'content', 7919 * (index + 1))),
      ),
    );
    const read = await readFiles(repository);
    for (const [index, content] of contents.entries())
      expect(read.get(`${index}`)!.equals(content), `${index}`).toBe(true);
  });

  it('has the bytes that were written, though the caller uses its buffer again at once', async () => {
    const repository = await testRepository();
    const content = noise(20 << 20);
    await writeSnapshot(repository, async (writer) => {
      const stream = await writer.openFile();
      const buffer = Buffer.alloc(100_003);
      for (let at = 0; at < content.length; at += buffer.length) {
        const length = content.copy(buffer, 0, at, at + buffer.length);
        const written = stream.write(buffer.subarray(0, length));
        buffer.fill(0);
        await written;
      }
      const { content: blobs, sizeBytes } = await stream.end();
      return [{ name: 'f', type: 'file', size: sizeBytes, content: blobs }];
    });
    expect((await readFiles(repository)).get('f')!.equals(content)).toBe(true);
  });

  it('cuts at a fixed size where it is told to, so that scattered changes stay small', async () => {
    const repository = await testRepository();
    const content = noise(4 << 20);
    const write = (bytes: Buffer) =>
      writeSnapshot(repository, async (writer) => [await writeFile(writer, 'pages', bytes, 65_536, 100_000)]);
    const first = await write(content);
    expect(first.statistics.dataBlobs).toBe(64);
    for (const page of [3, 100, 500]) content.fill(page, page * 8192, (page + 1) * 8192);
    const second = await write(content);
    expect(second.statistics.dataBlobs).toBe(3);
    expect((await readFiles(repository)).get('pages')!.equals(content)).toBe(true);
  });

  it('holds a directory whose tree is larger than a slab', async () => {
    const repository = await testRepository();
    const names = Array.from({ length: 25_000 }, (_, index) => `${'n'.repeat(40)}${index}`);
    const { statistics } = await writeSnapshot(repository, async () =>
      names.map((name): TreeNode => ({ name, type: 'file', content: [] })),
    );
    expect(statistics.addedBytes).toBeGreaterThan(MAX_CHUNK_BYTES);
    expect([...(await readFiles(repository)).keys()].sort()).toEqual(names.sort());
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('stores the same content once, within a run and across runs', async () => {
    const repository = await testRepository();
    const content = noise(3 << 20);
    const first = await writeFiles(repository, { a: content, b: content, c: Buffer.concat([content, content]) });
    expect(first.statistics.addedBytes).toBeLessThan(3 * content.length);
    const again = await writeFiles(repository, { a: content, b: content, c: Buffer.concat([content, content]) });
    expect(again.statistics).toMatchObject({ dataBlobs: 0, treeBlobs: 0, addedBytes: 0 });
    expect(again.tree).toBe(first.tree);
  });

  it('stores a file that has the very bytes of a tree as a file', async () => {
    const repository = await testRepository();
    const bytes = Buffer.from(treeBlob([]).plain);
    for (const filesFirst of [true, false]) {
      await writeSnapshot(repository, async (writer) => {
        const file = filesFirst ? await writeFile(writer, 'file', bytes) : undefined;
        const directory: TreeNode = { name: 'empty', type: 'dir', content: null, subtree: await writer.saveTree([]) };
        return [directory, file ?? (await writeFile(writer, 'file', bytes))];
      });
      expect((await readFiles(repository)).get('file')!.equals(bytes)).toBe(true);
    }
    const indexes = (await Promise.all(
      (await repository.documentKeys('index/')).map((key) => repository.getDocument(key)),
    )) as IndexFile[];
    const blobs = indexes.flatMap(({ packs }) => packs.flatMap((pack) => pack.blobs));
    const types = blobs.filter(({ id }) => id === treeBlob([]).id).map(({ type }) => type);
    expect(types.sort()).toEqual(['data', 'tree']);
  });

  it('is not compressed in a repository of format 1', async () => {
    const repository = await testRepository(new MemoryStore(), 1);
    const content = Buffer.alloc(100_000, 'compressible ');
    const { statistics } = await writeFiles(repository, { f: content });
    expect(statistics.addedPackedBytes).toBeGreaterThan(content.length);
    expect((await readFiles(repository)).get('f')!.equals(content)).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('waits for a store that is slow, with no more than some packs staged', async () => {
    const store = new SlowPacks();
    const repository = await testRepository(store);
    // The limit counts in packs of this size; each thread may be a pack over it, and has one in its hands.
    await writeFiles(repository, manyFiles(120), { packSizeBytes: 1 << 16 });
    expect(store.digests.length).toBeGreaterThan(100);
    expect(store.mostAtOnce).toBeLessThan(8 + 2 * threadCount() + 2);
    expect((await readFiles(repository)).get('119')!.equals(noise(70_000, 119))).toBe(true);
  });

  it('has its index sealed by the time the last packs are in the store, and names each of them once', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    const [put, seal] = [store.put.bind(store), repository.sealDocumentText.bind(repository)];
    const isSealed = Promise.withResolvers<void>();
    store.put = async (key, ...rest) => {
      if (key.startsWith('data/')) await isSealed.promise;
      await put(key, ...rest);
    };
    repository.sealDocumentText = (json) => {
      isSealed.resolve();
      return seal(json);
    };
    await writeFiles(repository, manyFiles(3), { packSizeBytes: 1 << 16 });
    const documents = [...store.objects.keys()].filter((key) => key.startsWith('index/'));
    const files = await Promise.all(documents.map((key) => repository.getDocument(key) as Promise<IndexFile>));
    const named = files.flatMap(({ packs }) => packs.map(({ id }) => packKey(id)));
    expect(named.sort()).toEqual([...store.objects.keys()].filter((key) => key.startsWith('data/')).sort());
  });

  it('gives a distant store the digest of each pack', async () => {
    const store = new SlowPacks();
    await writeFiles(await testRepository(store), manyFiles(5), { packSizeBytes: 1 << 16 });
    expect(store.digests.length).toBeGreaterThan(3);
    for (const { key, md5 } of store.digests) expect(md5).toBe(hash('md5', store.objects.get(key)!.bytes));
  });

  it('comes back into a directory, sparse where it is empty', async () => {
    const repository = await testRepository(createLocalStore(testDirectory()));
    const sparse = Buffer.concat([noise(4096), Buffer.alloc(30 << 20), noise(4096, 2)]);
    await writeFiles(repository, { sparse, small: Buffer.from('x') });
    const target = join(testDirectory(), 'target');
    const extracted = await extract(repository, target);
    expect(extracted).toMatchObject({ files: 2, bytes: sparse.length + 1, problems: [] });
    const { readFileSync, statSync } = await import('node:fs');
    expect(readFileSync(join(target, 'sparse')).equals(sparse)).toBe(true);
    expect(statSync(join(target, 'sparse')).blocks * 512).toBeLessThan(16 << 20);
  });
});

describe('a write session with little to store', () => {
  it('starts no thread, and stores it', async () => {
    const repository = await testRepository();
    const before = threads.started.length;
    await writeFiles(repository, { a: noise(1000), b: noise(100_000) });
    expect(threads.started.length).toBe(before);
    const files = await readFiles(repository);
    expect(files.get('a')!.equals(noise(1000)) && files.get('b')!.equals(noise(100_000))).toBe(true);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('adds no tree that the repository has', async () => {
    const repository = await testRepository();
    const write = (): ReturnType<typeof writeSnapshot> => writeFiles(repository, { a: noise(1000) });
    expect((await write()).statistics.treeBlobs).toBe(1);
    expect((await write()).statistics).toMatchObject({ treeBlobs: 0, dataBlobs: 0, addedPackedBytes: 0 });
  });
});

describe('a write session that fails', () => {
  it('leaves nothing staged, and no snapshot', async () => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    const attempt = writeSnapshot(repository, async (writer) => {
      await writeFile(writer, 'a', noise(20 << 20));
      await writer.saveTree([]);
      throw new Error('the source failed');
    });
    await expect(attempt).rejects.toThrow('the source failed');
    expect(readdirSync(join(directory, '.staging'))).toEqual([]);
    expect(await repository.documentKeys('snapshots/')).toEqual([]);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('fails cleanly when a thread of it dies', async () => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    const attempt = writeSnapshot(repository, async (writer) => {
      await writeFile(writer, 'a', noise(1 << 20));
      for (const thread of threads.started) await thread.terminate();
      return [await writeFile(writer, 'b', noise(40 << 20))];
    });
    await expect(attempt).rejects.toThrow('a thread ended before its work did');
    expect(readdirSync(join(directory, '.staging'))).toEqual([]);
    expect(await repository.documentKeys('snapshots/')).toEqual([]);
  });

  it('leaves its threads to nobody else, unlike one that ended well', async () => {
    const repository = await testRepository();
    const write = (fails: boolean) =>
      writeSnapshot(repository, async (writer) => {
        const node = await writeFile(writer, 'a', noise(1 << 20));
        if (fails) throw new Error('the source failed');
        return [node];
      });
    await write(false);
    const before = threads.started.length;
    await write(false);
    expect(threads.started.length).toBe(before);
    await expect(write(true)).rejects.toThrow('the source failed');
    await write(false);
    expect(threads.started.length).toBe(before + threadCount());
  });

  it('says so when its staging directory goes away, whatever it was doing', async () => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    const attempt = writeSnapshot(repository, async (writer) => {
      await writeFile(writer, 'a', noise(1 << 20));
      const { rmSync } = await import('node:fs');
      rmSync(join(directory, '.staging'), { recursive: true });
      return [await writeFile(writer, 'b', noise(40 << 20))];
    });
    await expect(attempt).rejects.toMatchObject({ code: 'store-failed' });
  });

  it('lets no stream wait for another that failed or was given up', async () => {
    const repository = await testRepository();
    const content = noise(3 << 20);
    await writeSnapshot(repository, async (writer) => {
      for (let round = 0; round < writer.maxStreams * 2; round++) {
        const stream = await writer.openFile();
        await stream.write(noise(1000, round));
        // Given up in the middle of a write, too.
        if (round % 2 === 0) stream.write(noise(9 << 20, round)).catch(() => 'given up');
        stream.abort();
        stream.abort();
      }
      const streams = await Promise.all(
        Array.from({ length: writer.maxStreams }, (_, index) =>
          writeFile(writer, `${index}`, content, 'content', 65_536),
        ),
      );
      return streams;
    });
    for (const read of (await readFiles(repository)).values()) expect(read.equals(content)).toBe(true);
  });

  it('cannot be read from in a way that runs on: a small file is read whole only within its limit', async () => {
    const repository = await testRepository();
    await writeFiles(repository, { f: noise(5000) });
    await withReader(repository, async (reader) => {
      const node = (await reader.find('/f'))!;
      expect((await reader.readWhole(node, 5000)).equals(noise(5000))).toBe(true);
      await expect(reader.readWhole(node, 4999)).rejects.toMatchObject({ code: 'repository-damaged' });
      expect(await reader.find('/g')).toBeUndefined();
      expect(await reader.find('/f/g')).toBeUndefined();
    });
  });
});
