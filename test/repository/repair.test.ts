import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import {
  addKey,
  type HeldLock,
  loadIndex,
  lockRepository,
  openRepository,
  type RepairReport,
  type Repository,
  repairRepository,
} from '../../src/repository/index.ts';
import { packKey } from '../../src/repository/layout.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { copyOfStore, cut, flip } from '../support/damage.ts';
import {
  craftSnapshot,
  errorsOf,
  extract,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFile,
  writeSnapshot,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';

/** For the keys of tests. */
const QUICK = { N: 2, r: 1, p: 1 };

/** One repository is made; every test damages a copy of it. Two snapshots, each with files and trees of its own. */

const FILES = { a: noise(400_000, 'a'), b: noise(400_000, 'b'), c: noise(400_000, 'c') };
const MORE = { ...FILES, d: noise(300_000, 'd') };
let original: MemoryStore;
/** Where the blob of each file lies, and the trees. */
let packOf: Record<string, string>;

beforeAll(async () => {
  original = new MemoryStore();
  const repository = await testRepository(original);
  packOf = {};
  const write = async (files: Record<string, Buffer>): Promise<void> => {
    const contents: Record<string, string> = {};
    const { tree } = await writeSnapshot(repository, async (writer) => {
      const nodes = [];
      for (const [name, content] of Object.entries(files)) {
        const node = await writeFile(writer, name, content, 1 << 20);
        contents[name] = node.content![0]!;
        nodes.push(node);
      }
      return nodes;
    });
    const indexed = await loadIndex(repository);
    for (const [name, id] of Object.entries(contents)) packOf[name] = packKey(indexed.locate(id, 'data').pack);
    packOf['tree'] = packKey(indexed.locate(tree, 'tree').pack);
  };
  await write(FILES);
  await write(MORE);
});

function copied(damage: (store: MemoryStore) => void): MemoryStore {
  const store = copyOfStore(original);
  damage(store);
  return store;
}

/** For tests of what happens under a lock. */
const FREE_LOCK: HeldLock = { assertHeld: () => {}, confirm: async () => {}, release: async () => {} };

async function repaired(
  repository: Repository,
  { readData = false, dryRun = false, lock: given }: { readData?: boolean; dryRun?: boolean; lock?: HeldLock } = {},
): Promise<RepairReport> {
  const signal = new AbortController().signal;
  const lock = dryRun
    ? undefined
    : (given ?? (await lockRepository(repository, { exclusive: true, clock: systemClock })));
  try {
    return await repairRepository(repository, { readData, lock, progress: noProgress, signal });
  } finally {
    await lock?.release();
  }
}

const remove = (store: MemoryStore, prefix: string): void => {
  for (const key of store.objects.keys()) if (key.startsWith(prefix)) store.objects.delete(key);
};

describe('a repair', () => {
  it('changes nothing where nothing is wrong', async () => {
    const store = copied(() => {});
    const before = [...store.objects.keys()].sort();
    const report = await repaired(await openRepository(store, PASSWORD), { readData: true });
    expect(report).toEqual({
      packsIndexed: [],
      packsDropped: [],
      damagedIndexFiles: [],
      blobsSalvaged: 0,
      blobsLost: [],
      snapshots: 2,
      findings: [],
    });
    expect([...store.objects.keys()].sort()).toEqual(before);
  });

  it('names a key file that is damaged, which nobody but who knows its password can make anew', async () => {
    const store = copied(() => {});
    const spare = await addKey(await openRepository(store, PASSWORD), 'a spare password', systemClock, QUICK);
    flip(store, `keys/${spare}`, 40);
    const { findings } = await repaired(await openRepository(store, PASSWORD));
    expect(findings).toMatchObject([{ severity: 'error', where: `keys/${spare}` }]);
    expect(store.objects.has(`keys/${spare}`)).toBe(true);
  });

  it.each([
    ['gone', (store: MemoryStore) => remove(store, 'index/')],
    [
      'torn',
      (store: MemoryStore) =>
        [...store.objects.keys()]
          .filter((key) => key.startsWith('index/'))
          .forEach((key) => {
            cut(store, key, 20);
          }),
    ],
  ])('makes an index that is %s anew from the packs', async (_, damage) => {
    const store = copied(damage);
    const repository = await openRepository(store, PASSWORD);
    expect((await repaired(repository)).findings).toEqual([]);
    expect(await errorsOf(repository)).toEqual([]);
    expect((await readFiles(repository)).get('d')!.equals(MORE.d)).toBe(true);
  });

  it('makes an index right that says something else than a pack, without reading data', async () => {
    const store = copied(() => {});
    const repository = await openRepository(store, PASSWORD);
    const [key] = await repository.documentKeys('index/');
    const index = (await repository.getDocument(key!)) as { packs: { blobs: { offset: number }[] }[] };
    for (const { blobs } of index.packs) for (const blob of blobs) blob.offset += 1;
    await repository.putDocument('index/', index);
    await store.delete(key!);
    const report = await repaired(repository);
    expect(report.packsIndexed.length).toBe(index.packs.length);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('drops a pack that is missing, and names its blobs, snapshots and paths', async () => {
    const store = copied((each) => void each.objects.delete(packOf['d']!));
    const repository = await openRepository(store, PASSWORD);
    const snapshots = await repository.documentKeys('snapshots/');
    const report = await repaired(repository);
    expect(report.packsDropped).toMatchObject([
      { pack: packOf['d']!.slice(8), reason: 'it is missing', unreadable: 1 },
    ]);
    expect(report.blobsLost).toHaveLength(1);
    expect(report.findings.map(({ where }) => where)).toEqual([expect.stringMatching(/^snapshot [0-9a-f]{8} \/d$/)]);
    expect(await repository.documentKeys('snapshots/')).toEqual(snapshots);
    expect((await repaired(repository)).packsDropped).toEqual([]);
    expect((await readFiles(repository, snapshotWithout(report, snapshots))).size).toBe(3);
  });

  it.each([
    [
      'truncated',
      (store: MemoryStore) => cut(store, packOf['a']!, store.objects.get(packOf['a']!)!.bytes.length - 3),
      false,
    ],
    [
      'cut in half',
      (store: MemoryStore) => cut(store, packOf['a']!, store.objects.get(packOf['a']!)!.bytes.length >> 1),
      false,
    ],
    ['changed by a bit', (store: MemoryStore) => flip(store, packOf['a']!, 300), true],
    [
      'damaged in its header',
      (store: MemoryStore) => flip(store, packOf['a']!, store.objects.get(packOf['a']!)!.bytes.length - 20),
      false,
    ],
  ])('saves what can be read of a pack that is %s, and keeps the pack aside', async (_, damage, readData) => {
    const store = copied(damage);
    const repository = await openRepository(store, PASSWORD);
    const damaged = Buffer.from(store.objects.get(packOf['a']!)!.bytes);
    const expected = await repaired(repository, { readData, dryRun: true });
    const report = await repaired(repository, { readData });
    expect({ ...report, packsDropped: report.packsDropped.map(({ keptAs: __, ...rest }) => rest) }).toEqual(expected);
    const [dropped] = report.packsDropped;
    expect(report.packsDropped).toHaveLength(1);
    expect(dropped!.readable).toBe(report.blobsSalvaged);
    expect(dropped!.unreadable).toBe(report.blobsLost.length);
    expect(damaged.equals(store.objects.get(dropped!.keptAs!)!.bytes)).toBe(true);
    // What is lost is named by path; everything else is there, byte for byte, and stays so.
    const lost = new Set(report.findings.map(({ where }) => where.split('/')[1]));
    expect(lost.size).toBe(report.blobsLost.length);
    expect(new Set((await errorsOf(repository)).map((error) => error.split('/')[1]!.split(':')[0]))).toEqual(lost);
    expect(await repaired(repository, { readData: true })).toMatchObject({ packsDropped: [], blobsSalvaged: 0 });
  });

  it('loses nothing when a damaged pack holds only what another one holds too', async () => {
    const store = copied(() => {});
    const repository = await openRepository(store, PASSWORD);
    const indexed = await loadIndex(repository);
    const tree = await indexed.readBlob((await snapshotTrees(repository))[0]!, 'tree');
    // The same tree again, in a pack of its own: what two runs at the same time may leave.
    const twin = await craftSnapshot(repository, [{ type: 'tree', plain: tree }]);
    const packs = (await repository.documentKeys('data/')).filter((key) => !original.objects.has(key));
    flip(store, packs[0]!, 10);
    const report = await repaired(repository, { readData: true });
    expect([report.packsDropped.length, report.blobsLost, report.findings]).toEqual([1, [], []]);
    expect((await readFiles(repository, twin.id)).size).toBeGreaterThan(2);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('changes nothing when it only looks', async () => {
    const store = copied((each) => {
      remove(each, 'index/');
      cut(each, packOf['a']!, 1000);
    });
    const before = [...store.objects.keys()].sort();
    const report = await repaired(await openRepository(store, PASSWORD), { dryRun: true });
    expect(report.packsDropped).toHaveLength(1);
    expect([...store.objects.keys()].sort()).toEqual(before);
  });

  it('does not take a store that fails for damage', async () => {
    const store = copied(() => {});
    const faulty = new FaultyStore(store);
    const repository = await openRepository(faulty, PASSWORD);
    const before = [...store.objects.keys()].sort();
    for (const prefix of ['index/', 'data/']) {
      faulty.rule = ({ method, key }) => (method === 'get' && key.startsWith(prefix) ? 'before' : undefined);
      await expect(repaired(repository, { readData: true })).rejects.toMatchObject({ code: 'store-unreachable' });
    }
    faulty.rule = () => undefined;
    expect([...store.objects.keys()].sort()).toEqual(before);
  });

  it('drops no pack that its disk cannot read', async () => {
    const store = copied(() => {});
    const before = [...store.objects.keys()].sort();
    const get = store.get.bind(store);
    store.get = async (key, range) => {
      if (key === packOf['a']) throw new HoldfastError('object-unreadable', `cannot read ${key}: EIO`);
      return get(key, range);
    };
    const repository = await openRepository(store, PASSWORD);
    await expect(repaired(repository, { readData: true })).rejects.toMatchObject({ code: 'object-unreadable' });
    expect([...store.objects.keys()].sort()).toEqual(before);
  });

  /** An index file that cannot be read, and a pack: in a blob, or in its header, so that only an index knows what it holds. */
  const twoDamages = (store: MemoryStore, where: 'blob' | 'header' = 'blob'): void => {
    flip(store, packOf['a']!, where === 'blob' ? 300 : store.objects.get(packOf['a']!)!.bytes.length - 20);
    for (const key of [...store.objects.keys()].filter((each) => each.startsWith('index/')).slice(1)) {
      cut(store, key, 9);
    }
  };

  it.each([
    ['put', 'before', 4, 'header'],
    ['put', 'after', 4, 'header'],
    ['delete', 'before', 3, 'blob'],
    ['delete', 'after', 3, 'blob'],
  ] as const)(
    'may die at any %s, %s its effect, and is completed by the next one',
    async (method, how, calls, where) => {
      const damaged = (): MemoryStore => copied((store) => twoDamages(store, where));
      const complete = await openRepository(damaged(), PASSWORD);
      const lost = (await repaired(complete, { readData: true })).blobsLost.length;
      const errors = (await errorsOf(complete)).sort();
      for (let nth = 1; nth <= calls; nth++) {
        const faulty = new FaultyStore(damaged());
        const repository = await openRepository(faulty, PASSWORD);
        let count = 0;
        faulty.rule = (call) => (call.method === method && ++count >= nth ? how : undefined);
        await expect(repaired(repository, { readData: true, lock: FREE_LOCK })).rejects.toBeDefined();
        faulty.rule = () => undefined;
        const report = await repaired(repository, { lock: FREE_LOCK });
        expect(report.blobsLost.length).toBeLessThanOrEqual(lost);
        expect((await errorsOf(repository)).sort()).toEqual(errors);
      }
    },
  );

  it('does not believe the header of a pack that an earlier one put aside', async () => {
    const store = copied(twoDamages);
    const faulty = new FaultyStore(store);
    const repository = await openRepository(faulty, PASSWORD);
    faulty.rule = ({ method, key }) => (method === 'delete' && key.startsWith('data/') ? 'before' : undefined);
    await expect(repaired(repository, { readData: true, lock: FREE_LOCK })).rejects.toBeDefined();
    faulty.rule = () => undefined;
    expect(await repaired(repository)).toMatchObject({ packsIndexed: [], blobsSalvaged: 0 });
    expect(store.objects.has(packOf['a']!)).toBe(false);
    expect((await errorsOf(repository)).length).toBeGreaterThan(0);
  });

  it.skipIf(!requires('restic'))('leaves a repository that stock restic checks and restores', async () => {
    const directory = join(testDirectory(), 'repository');
    const store = createLocalStore(directory);
    const copy = copied((each) => {
      remove(each, 'index/');
      const { bytes } = each.objects.get(packOf['a']!)!;
      each.objects.get(packOf['a']!)!.bytes = Buffer.concat([bytes, Buffer.of(0)]);
    });
    // One index file is left, so that the blobs of the damaged pack are known.
    for (const [key, { bytes }] of [
      ...copy.objects,
      ...[...original.objects].filter(([key]) => key.startsWith('index/')),
    ]) {
      await store.put(key, Buffer.from(bytes));
    }
    const repository = await openRepository(store, PASSWORD);
    const report = await repaired(repository);
    expect([report.blobsLost, report.packsDropped.length]).toEqual([[], 1]);
    restic(directory, ['check', '--read-data']);
    restic(directory, ['restore', 'latest', '--target', join(testDirectory(), 'back')]);
    await extract(repository, join(testDirectory(), 'ours'));
  });
});

async function snapshotTrees(repository: Repository): Promise<string[]> {
  const keys = await repository.documentKeys('snapshots/');
  return Promise.all(keys.map(async (key) => ((await repository.getDocument(key)) as { tree: string }).tree));
}

/** The snapshot that a report does not name. */
function snapshotWithout({ findings }: RepairReport, keys: string[]): string {
  const named = findings.map(({ where }) => where.split(' ')[1]!);
  return keys.map((key) => key.slice('snapshots/'.length)).find((id) => !named.includes(id.slice(0, 8)))!;
}
