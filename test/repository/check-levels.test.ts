import { describe, expect, it } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { checkRepository, loadIndex, type Repository } from '../../src/repository/index.ts';
import { packKey } from '../../src/repository/layout.ts';
import type { StoredObject } from '../../src/store/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { noise, testRepository, writeFile, writeFiles, writeSnapshot } from '../support/repository.ts';

async function findings(repository: Repository, level: { readData?: boolean; readHeaders?: boolean }) {
  const { signal } = new AbortController();
  const report = await checkRepository(repository, { readData: false, ...level, signal, progress: noProgress });
  return report.findings.filter(({ severity }) => severity === 'error');
}

async function packOf(repository: Repository, tree: string, name: string): Promise<string> {
  const indexed = await loadIndex(repository);
  const { nodes } = JSON.parse((await indexed.readBlob(tree, 'tree')).toString());
  const { pack } = indexed.locate(nodes.find((node: { name: string }) => node.name === name).content[0], 'data');
  return packKey(pack);
}

describe('the levels of a check', () => {
  it("find another header with the packs' headers, and another byte with all data only", async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    const { tree } = await writeFiles(repository, { a: noise(100_000, 1) });
    const pack = await packOf(repository, tree, 'a');
    const { bytes } = store.objects.get(pack)!;
    for (const [at, headers] of [
      [bytes.length - 20, 1],
      [50, 0],
    ] as const) {
      bytes[at]! ^= 1;
      expect(await findings(repository, {})).toEqual([]);
      const found = await findings(repository, { readHeaders: true });
      expect(found.filter(({ where }) => where === pack)).toHaveLength(headers);
      expect((await findings(repository, { readData: true })).map(({ where }) => where)).toContain(pack);
      if (headers > 0) expect(found.map(({ path }) => path)).toContain('/a');
      bytes[at]! ^= 1;
    }
    expect(await findings(repository, { readData: true, readHeaders: true })).toEqual([]);
  });

  it.each([{ readData: true }, { readData: false, readHeaders: true }])(
    'end when they are interrupted: %o',
    async (level) => {
      const repository = await testRepository();
      for (let seed = 0; seed < 20; seed++) await writeFiles(repository, { a: noise(10_000, seed) });
      const interruption = new AbortController();
      const reason = new Error('interrupted');
      let packsRead = 0;
      const progress = {
        ...noProgress,
        advance: () => {
          packsRead++;
          interruption.abort(reason);
        },
      };
      const checked = checkRepository(repository, { ...level, signal: interruption.signal, progress });
      await expect(checked).rejects.toBe(reason);
      // Each of those that were being read then.
      expect(packsRead).toBeLessThan(10);
    },
  );

  it('find an index that says something else than a header', async () => {
    const repository = await testRepository();
    await writeFiles(repository, { a: noise(10_000, 1), b: noise(20_000, 2) });
    const [key] = await repository.documentKeys('index/');
    const index = (await repository.getDocument(key!)) as { packs: { blobs: { id: string }[] }[] };
    for (const { blobs } of index.packs) blobs[0]!.id = 'ab'.repeat(32);
    await repository.putDocument('index/', index);
    await repository.store.delete(key!);
    const found = await findings(repository, { readHeaders: true });
    expect(found.map(({ message }) => message)).toContain('its header lists other blobs than the index');
  });

  it('name every snapshot that damage concerns, and the paths in each', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    const ids: string[] = [];
    let shared = '';
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) {
      const { id } = await writeSnapshot(repository, async (writer) => {
        const file = await writeFile(writer, 'file', noise(50_000, 'shared'));
        shared = file.content![0]!;
        const subtree = await writer.saveTree([file]);
        const directory = (of: string) => ({ name: of, type: 'dir' as const, content: null, subtree });
        return [directory('same'), directory(name), await writeFile(writer, 'whole', noise(100, name))];
      });
      ids.push(id);
    }
    const { pack } = (await loadIndex(repository)).locate(shared, 'data');
    store.objects.delete(packKey(pack));
    const found = await findings(repository, {});
    const same = found.find(({ path }) => path === '/same/file')!;
    expect(same.snapshots!.toSorted()).toEqual(ids.toSorted());
    expect(same.message).toMatch(/; the same in [0-9a-f]{8}, [0-9a-f]{8}, [0-9a-f]{8} and 2 more$/);
    const own = found.find(({ path }) => path === '/three/file')!;
    expect(own.snapshots).toEqual([ids[2]]);
  });
});

describe('a check beside a backup', () => {
  it('says nothing of a snapshot that is forgotten meanwhile', async () => {
    let isOver = false;
    const store = new (class extends MemoryStore {
      override async *list(prefix: string): ReturnType<MemoryStore['list']> {
        if (prefix === 'index/' && !isOver) {
          isOver = true;
          for (const key of await repository.documentKeys('snapshots/')) await this.delete(key);
        }
        yield* super.list(prefix);
      }
    })();
    isOver = true;
    const repository = await testRepository(store);
    await writeFiles(repository, { a: noise(10_000, 1) });
    isOver = false;
    expect(await findings(repository, {})).toEqual([]);
    expect(isOver).toBe(true);
  });

  it.each(['data/', 'index/', 'snapshots/'])('finds no damage where one ends behind its look at %s', async (place) => {
    let isBackedUp = false;
    const store = new (class extends MemoryStore {
      override async *list(prefix: string): ReturnType<MemoryStore['list']> {
        // What is listed is what was there before the backup ended.
        const listed: StoredObject[] = [];
        for await (const each of super.list(prefix)) listed.push(each);
        if (prefix === place && isArmed && !isBackedUp) {
          isBackedUp = true;
          await writeFiles(repository, { b: noise(20_000, 2) });
        }
        yield* listed;
      }
    })();
    let isArmed = false;
    const repository = await testRepository(store);
    await writeFiles(repository, { a: noise(10_000, 1) });
    isArmed = true;
    expect(await findings(repository, { readData: true, readHeaders: true })).toEqual([]);
    expect(isBackedUp).toBe(true);
  });
});
