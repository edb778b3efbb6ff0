import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  check,
  errorsOf,
  noise,
  PASSWORD,
  readFiles,
  testRepository,
  writeFiles,
} from '../../../test/support/repository.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { listSnapshots, openRepository } from '../index.ts';
import { packKey } from '../layout.ts';
import { splitIndex } from './session.ts';

const FILES = { a: noise(3 << 20), b: noise(2 << 20, 2), c: Buffer.from('small') };
const OPTIONS = { packSizeBytes: 1 << 20 };

describe('the order of writing', () => {
  it('is packs, then the index of them, then the snapshot', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    store.calls.length = 0;
    await writeFiles(repository, FILES, OPTIONS);
    const kinds = store.puts.map((key) => key.slice(0, key.indexOf('/')));
    const packs = kinds.filter((kind) => kind === 'data').length;
    expect(packs).toBeGreaterThan(3);
    expect(kinds).toEqual(['locks', ...Array.from({ length: packs }, () => 'data'), 'index', 'snapshots']);
  });

  it('holds for every index file, also those that are written on the way', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    let passedMs = 0;
    // Time flies: every pack finds the last index file overdue.
    const monotonicMs = (): number => passedMs;
    const durable = new Set<string>();
    const put = store.put.bind(store);
    store.put = async (key, ...rest) => {
      await put(key, ...rest);
      if (key.startsWith('data/')) passedMs += 310_000;
      durable.add(key);
      if (key.startsWith('data/')) passedMs += 310_000;
      if (!key.startsWith('index/')) return;
      const index = (await repository.getDocument(key)) as { packs: { id: string }[] };
      for (const { id } of index.packs) expect(durable).toContain(packKey(id));
    };
    await writeFiles(repository, FILES, { ...OPTIONS, clock: { nowMs: Date.now, monotonicMs } }).catch(
      (error: unknown) => expect(error).toMatchObject({ code: 'lock-lost' }),
    );
    expect(store.puts.filter((key) => key.startsWith('index/')).length).toBeGreaterThan(1);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('leaves no snapshot that does not restore and nothing damaged, whichever call fails and how', async () => {
    const fault = fc.constantFrom('before' as const, 'after' as const, 'disk-full' as const);
    const method = fc.constantFrom('put' as const, 'get' as const, 'list' as const, 'delete' as const);
    await fc.assert(
      fc.asyncProperty(fc.nat(12), method, fault, fc.boolean(), async (nth, failing, how, goesOn) => {
        const inner = new MemoryStore();
        const store = new FaultyStore(inner);
        const repository = await testRepository(store);
        await writeFiles(repository, { old: FILES.b }, OPTIONS);
        let count = 0;
        store.rule = (call) => {
          if (call.method !== failing) return undefined;
          const at = count++;
          return at === nth || (goesOn && at > nth) ? how : undefined;
        };
        const failed = await writeFiles(repository, FILES, OPTIONS).then(
          () => false,
          () => true,
        );
        // What is there must be whole, by a fresh look past the faults.
        const fresh = await openRepository(inner, PASSWORD);
        expect(await errorsOf(fresh)).toEqual([]);
        const snapshots = await listSnapshots(fresh);
        if (!failed) expect(snapshots).toHaveLength(2);
        for (const { id } of snapshots) {
          for (const [name, content] of await readFiles(fresh, id)) {
            expect(content.equals(name === 'old' ? FILES.b : FILES[name as keyof typeof FILES])).toBe(true);
          }
        }
        // And the next run works.
        inner.objects.forEach((_, key) => void (key.startsWith('locks/') && inner.objects.delete(key)));
        await writeFiles(fresh, FILES, OPTIONS);
        expect((await readFiles(fresh)).get('a')!.equals(FILES.a)).toBe(true);
      }),
      { numRuns: 6 },
    );
  });

  it('calls packs without an index a note, and no error', async () => {
    const store = new FaultyStore(new MemoryStore(), ({ method, key }) =>
      method === 'put' && key.startsWith('index/') ? 'disk-full' : undefined,
    );
    const repository = await testRepository(store);
    await expect(writeFiles(repository, FILES, OPTIONS)).rejects.toMatchObject({ code: 'disk-full' });
    const { findings } = await check(repository);
    expect(findings.length).toBeGreaterThan(0);
    expect(findings.every(({ severity }) => severity === 'note')).toBe(true);
  });
});

describe('index files', () => {
  it('hold no more blobs than other readers like, and each pack whole', () => {
    const blob = { id: 'ab'.repeat(32), type: 'data' as const, offset: 0, length: 40 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30_000 }), { maxLength: 12 }), (sizes) => {
        const packs = sizes.map((size, index) => ({ id: `${index}`, blobs: new Array(size).fill(blob) }));
        const files = splitIndex(packs);
        expect(files.flatMap((file) => file.packs)).toEqual(packs);
        for (const file of files) {
          const blobs = file.packs.reduce((sum, pack) => sum + pack.blobs.length, 0);
          expect(blobs).toBeLessThanOrEqual(50_000);
          expect(blobs).toBeGreaterThan(0);
        }
      }),
      { numRuns: 30 },
    );
  });
});
