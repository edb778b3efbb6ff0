import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TreeNode } from '../../src/format/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import { addKey, loadIndex, openRepository, type Repository } from '../../src/repository/index.ts';
import { packKey } from '../../src/repository/layout.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { copyOfStore, cut, flip } from '../support/damage.ts';
import {
  errorsOf,
  extract,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFile,
  writeFiles,
  writeSnapshot,
} from '../support/repository.ts';

/** One repository is made; every test damages a copy of it. */

const KEPT = noise(300_000, 'kept');
const HIT = noise(300_000, 'hit');
/** Derives its key at once. */
const QUICK = { N: 2, r: 1, p: 1 };
let original: MemoryStore;
/** The key of the object of each kind that is damaged, and of another one of the same kind. */
let victims: Record<string, { key: string; other: string }>;

async function packOf(repository: Repository, content: string, type: 'data' | 'tree'): Promise<string> {
  const { pack } = (await loadIndex(repository)).locate(content, type);
  return packKey(pack);
}

beforeAll(async () => {
  original = new MemoryStore();
  const repository = await testRepository(original);
  const keys = (prefix: string) => repository.documentKeys(prefix);
  const kept = await writeFiles(repository, { kept: KEPT });
  const [keptIndex] = await keys('index/');
  let hit = '';
  const second = await writeSnapshot(repository, async (writer) => {
    const file = await writeFile(writer, 'file', HIT);
    hit = file.content![0]!;
    const directory: TreeNode = { name: 'dir', type: 'dir', content: null, subtree: await writer.saveTree([file]) };
    return [directory];
  });
  const keptFile = (await repository.documentKeys('data/')).map((key) => key);
  const dataPack = await packOf(repository, hit, 'data');
  const treePack = await packOf(repository, second.tree, 'tree');
  const spare = await addKey(repository, 'a spare password', systemClock, QUICK);
  const mark = async (pack: string) => {
    const id = await repository.putDocument('holdfast/prune/', { version: 1, packs: [pack.repeat(32)] });
    return `holdfast/prune/${id}`;
  };
  victims = {
    mark: { key: await mark('ab'), other: await mark('cd') },
    key: { key: `keys/${spare}`, other: `keys/${repository.keyId}` },
    'data pack': { key: dataPack, other: keptFile.find((key) => key !== dataPack && key !== treePack)! },
    'tree pack': { key: treePack, other: await packOf(repository, kept.tree, 'tree') },
    index: { key: (await keys('index/')).find((key) => key !== keptIndex)!, other: keptIndex! },
    snapshot: { key: `snapshots/${second.id}`, other: `snapshots/${kept.id}` },
  };
});

async function damagedCopy(damage: (store: MemoryStore) => void): Promise<Repository> {
  const store = copyOfStore(original);
  damage(store);
  return openRepository(store, PASSWORD);
}

const DAMAGES: Record<string, (store: MemoryStore, key: string, other: string) => void> = {
  missing: (store, key) => void store.objects.delete(key),
  empty: (store, key) => cut(store, key, 0),
  truncated: (store, key) => cut(store, key, store.objects.get(key)!.bytes.length - 1),
  'cut in half': (store, key) => cut(store, key, store.objects.get(key)!.bytes.length >> 1),
  'longer than it was': (store, key) => {
    const object = store.objects.get(key)!;
    object.bytes = Buffer.concat([object.bytes, Buffer.of(0)]);
  },
  'changed by a bit at its start': (store, key) => flip(store, key, 3),
  'changed by a bit in the middle': (store, key) => flip(store, key, store.objects.get(key)!.bytes.length >> 1),
  'changed by a bit at its end': (store, key) => flip(store, key, store.objects.get(key)!.bytes.length - 30),
  'swapped for another': (store, key, other) => void store.objects.set(key, store.objects.get(other)!),
  zeroed: (store, key) => void store.objects.get(key)!.bytes.fill(0),
  duplicated: (store, key) => void store.objects.set(nameOfDuplicate(key), store.objects.get(key)!),
};

/** What is like it, under a name that its content does not have. */
function nameOfDuplicate(key: string): string {
  return `${key.slice(0, -8)}00000000`;
}

const CASES = ['data pack', 'tree pack', 'index', 'snapshot', 'key', 'mark'].flatMap((kind) =>
  Object.keys(DAMAGES).map((how) => [kind, how] as const),
);

/** What is gone of these was never there: nothing here says how many there should be. */
const IS_SEEN = CASES.filter(([kind, how]) => !(['snapshot', 'key', 'mark'].includes(kind) && how === 'missing'));

describe('a check that reads all data', () => {
  it.each(IS_SEEN)('names a %s that is %s', async (kind, how) => {
    const { key, other } = victims[kind]!;
    const repository = await damagedCopy((store) => DAMAGES[how]!(store, key, other));
    const errors = await errorsOf(repository);
    // An index that is missing shows in what nobody finds.
    if (kind === 'index' && how === 'missing')
      expect(errors.join('\n')).toContain('is in no pack that the index knows');
    else expect(errors.join('\n')).toContain(how === 'duplicated' ? nameOfDuplicate(key) : key);
    // An index has no part in whether a pack is right, so that all others are still looked at.
    expect(errors.join('\n')).not.toContain(other);
  });

  it.each(['missing', 'cut in half', 'changed by a bit at its start', 'zeroed', 'swapped for another'])(
    'names the snapshot and the file that a %s pack concerns',
    async (how) => {
      const { key, other } = victims['data pack']!;
      const repository = await damagedCopy((store) => DAMAGES[how]!(store, key, other));
      expect((await errorsOf(repository)).join('\n')).toMatch(/snapshot [0-9a-f]{8} \/dir\/file: blob/);
    },
  );

  it.each(['missing', 'cut in half', 'truncated', 'zeroed', 'swapped for another'])(
    'names the snapshot and the directory that a %s pack of trees concerns',
    async (how) => {
      const { key, other } = victims['tree pack']!;
      const repository = await damagedCopy((store) => DAMAGES[how]!(store, key, other));
      const snapshot = victims['snapshot']!.key.slice('snapshots/'.length);
      expect((await errorsOf(repository)).join('\n')).toContain(`snapshot ${snapshot.slice(0, 8)} /: the directory`);
    },
  );
});

describe('a check that reads no data', () => {
  it.each(['missing', 'empty', 'truncated', 'longer than it was'])('names a pack that is %s', async (how) => {
    const { key, other } = victims['data pack']!;
    const repository = await damagedCopy((store) => DAMAGES[how]!(store, key, other));
    const errors = (await errorsOf(repository, false)).join('\n');
    expect(errors).toContain(key);
    expect(errors).toMatch(/\/dir\/file/);
  });
});

describe('reading and restoring what is damaged', () => {
  it.each(CASES)('never gives wrong data of a %s that is %s', async (kind, how) => {
    const { key, other } = victims[kind]!;
    const repository = await damagedCopy((store) => DAMAGES[how]!(store, key, other));
    const id = victims['snapshot']!.key.slice('snapshots/'.length);
    for (const attempt of [
      () => readFiles(repository, id),
      () => extract(repository, join(testDirectory(), 't'), id),
    ]) {
      let named: string;
      try {
        await attempt();
        named = '';
      } catch (error) {
        // A snapshot that is not there cannot be asked for.
        named = isHoldfastError(error) ? error.message : kind === 'snapshot' && how === 'missing' ? key : '';
      }
      if (named === '') {
        // Damage that does not lie in what is read, such as a byte behind a pack's end, harms nothing.
        const { readFileSync } = await import('node:fs');
        const target = join(testDirectory(), 't');
        await extract(repository, target, id);
        expect(readFileSync(join(target, 'dir', 'file')).equals(HIT)).toBe(true);
      } else if (!(kind === 'index' && how === 'missing')) {
        const damaged = how === 'duplicated' ? nameOfDuplicate(key) : key;
        expect(named).toContain(damaged.slice(damaged.lastIndexOf('/') + 1));
      }
    }
  });

  it('still restores the snapshots that are whole', async () => {
    for (const kind of ['data pack', 'tree pack']) {
      const { key, other } = victims[kind]!;
      const repository = await damagedCopy((store) => DAMAGES['zeroed']!(store, key, other));
      const id = victims['snapshot']!.other.slice('snapshots/'.length);
      expect((await readFiles(repository, id)).get('kept')!.equals(KEPT)).toBe(true);
    }
  });

  it('can list the snapshots that are whole, and names the one that is not', async () => {
    const { listSnapshots } = await import('../../src/repository/index.ts');
    const { key, other } = victims['snapshot']!;
    const repository = await damagedCopy((store) => DAMAGES['zeroed']!(store, key, other));
    await expect(listSnapshots(repository)).rejects.toThrow(key);
    const damaged: string[] = [];
    const listed = await listSnapshots(repository, (error) => damaged.push(error.message));
    expect(listed.map(({ id }) => `snapshots/${id}`)).toEqual([other]);
    expect(damaged.join()).toContain(key);
  });
});

describe('an index that lies', () => {
  it('is found by what the packs say', async () => {
    const repository = await damagedCopy(() => undefined);
    const { key } = victims['index']!;
    const index = (await repository.getDocument(key)) as { packs: { id: string; blobs: { offset: number }[] }[] };
    const { blobs } = index.packs.find(({ id }) => victims['data pack']!.key.endsWith(id))!;
    blobs[0]!.offset += 1;
    await repository.store.delete(key);
    await repository.putDocument('index/', index);
    const errors = (await errorsOf(repository)).join('\n');
    expect(errors).toMatch(/its header lists other blobs than the index/);
    expect(errors).toMatch(/snapshot [0-9a-f]{8} \/dir\/file: blob .* whose header says otherwise than the index/);
  });
});

describe('a key file, where no other opens the repository', () => {
  it.each(Object.keys(DAMAGES).filter((how) => how !== 'duplicated'))('that is %s is named', async (how) => {
    const { key: spare, other: key } = victims['key']!;
    const opening = damagedCopy((store) => {
      DAMAGES[how]!(store, key, spare);
      store.objects.delete(spare);
    });
    await expect(opening).rejects.toMatchObject(
      how === 'missing'
        ? { code: 'no-repository', message: expect.stringContaining('no key file is left') }
        : { code: 'repository-damaged', message: expect.stringContaining(key) },
    );
  });
});

describe('a configuration', () => {
  it.each(Object.keys(DAMAGES).filter((how) => how !== 'duplicated' && how !== 'missing'))(
    'that is %s is named, and nothing is opened by it',
    async (how) => {
      const opening = damagedCopy((store) => DAMAGES[how]!(store, 'config', victims['index']!.key));
      await expect(opening).rejects.toMatchObject({
        code: 'repository-damaged',
        message: expect.stringContaining('config'),
      });
    },
  );
});
