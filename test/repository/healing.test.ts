import { hash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { check, promote, prune, repair, replicate, restore } from '../../src/operations/index.ts';
import type { Plan } from '../../src/plan/index.ts';
import { addKey, loadIndex, openRepository, removeSnapshot } from '../../src/repository/index.ts';
import { packKey } from '../../src/repository/layout.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import type { ObjectStore, PutOptions } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { BAD_SECTOR } from '../support/damage.ts';
import { cloneStore, segments, writeTail } from '../support/log.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import {
  errorsOf,
  movableClock,
  noise,
  PASSWORD,
  testDirectory,
  testRepository,
  writeFiles,
} from '../support/repository.ts';

const FILES: Record<string, Buffer> = {
  ...{ small: Buffer.from('some words'), large: noise(3_000_000, 1), empty: Buffer.alloc(0) },
  ...{ zeros: Buffer.alloc(400_000), other: noise(600_000, 2) },
};
const READ = { repositories: ['main'], readData: true, readHeaders: false };

let mirrored: { main: MemoryStore; eu: MemoryStore };
let snapshot: string;
let tree: string;
/** Of each object of the repository, whether it was written as what restores alone ask for. */
let written: Map<string, boolean | undefined>;

/** A repository and its mirror, to be damaged. */
function copies(): { main: MemoryStore; eu: MemoryStore } {
  return { main: cloneStore(mirrored.main), eu: cloneStore(mirrored.eu) };
}

beforeAll(async () => {
  mirrored = { main: new MemoryStore(), eu: new MemoryStore() };
  written = bulkPutTo(mirrored.main);
  const repository = await testRepository(mirrored.main);
  ({ id: snapshot, tree } = await writeFiles(repository, FILES));
  await writeTail(repository, segments(0, 0.5));
  await replicate(mirroredWorkspace(mirrored), []);
});

/** Of each object that is put from now on, whether it is said that restores alone will ask for it. */
function bulkPutTo(store: MemoryStore): Map<string, boolean | undefined> {
  const bulk = new Map<string, boolean | undefined>();
  const put: ObjectStore['put'] = store.put.bind(store);
  store.put = (key, content, options?: PutOptions) => {
    bulk.set(key, options?.bulk);
    return put(key, content, options);
  };
  return bulk;
}

const keysOf = (store: MemoryStore, prefix: string): string[] =>
  [...store.objects.keys()].filter((key) => key.startsWith(prefix));

function digestsOf({ objects }: MemoryStore): Record<string, string> {
  return Object.fromEntries([...objects].map(([key, { bytes }]) => [key, hash('sha256', bytes)]));
}

/** Where an object is damaged: in a blob of a pack, though its header takes more than half of a small one. */
const damagedByte = (bytes: Uint8Array): number => Math.floor(bytes.byteLength / 4);

/** Flips a byte of each object below a prefix. @param of has the objects that are meant */
function damage(store: MemoryStore, prefix: string, of = store): string[] {
  const keys = keysOf(of, prefix);
  for (const key of keys) {
    const { bytes } = store.objects.get(key)!;
    bytes[damagedByte(bytes)]! ^= 8;
  }
  return keys;
}

async function restored(stores: Record<string, ObjectStore>) {
  const to = join(testDirectory(), 'back');
  const result = await restore(mirroredWorkspace(stores), { snapshot, to, repository: 'main' });
  for (const [name, content] of Object.entries(FILES)) {
    expect(readFileSync(join(to, name)).equals(content), name).toBe(true);
    expect(statSync(join(to, name)).mode & 0o777, name).toBe(0o644);
  }
  return result;
}

async function healedObjects(store: ObjectStore): Promise<string[]> {
  const events = await (await mirroredWorkspace({ main: store }).open('main')).ledger.read();
  return events.flatMap((event) => (event.kind === 'object.healed' ? [event.body.object] : []));
}

describe('a restore from a repository with a mirror', () => {
  it.each([
    ['packs with a flipped byte', 'data/'],
    ['an index file', 'index/'],
    ['a snapshot', 'snapshots/'],
  ])('goes on where it finds %s damaged, puts it back, and says so', async (_, prefix) => {
    const { main, eu } = copies();
    const damaged = damage(main, prefix);
    const result = await restored({ main, eu });
    expect(result.outcome).toBe('complete');
    for (const key of damaged) {
      expect(Buffer.from(main.objects.get(key)!.bytes).equals(mirrored.main.objects.get(key)!.bytes), key).toBe(true);
    }
    expect(result.notes.filter((note) => note.includes('was taken from eu'))).toHaveLength(damaged.length);
    expect((await healedObjects(main)).sort()).toEqual(damaged.sort());
  });

  it('fetches packs that are missing, cut short, damaged, or cannot be read, from files of this machine as from any store', async () => {
    for (const harm of ['missing', 'short', 'flipped', 'unreadable'] as const) {
      const directory = join(testDirectory(), 'main');
      const local = createLocalStore(directory);
      for (const [key, { bytes }] of mirrored.main.objects) await local.put(key, new Uint8Array(bytes));
      const packs = keysOf(mirrored.main, 'data/').map((key) => join(directory, key));
      for (const file of packs) {
        const bytes = readFileSync(file);
        bytes[damagedByte(bytes)]! ^= 1;
        if (harm === 'missing' || harm === 'unreadable') rmSync(file);
        if (harm === 'unreadable') symlinkSync(BAD_SECTOR, file);
        else if (harm !== 'missing')
          writeFileSync(file, harm === 'short' ? bytes.subarray(0, damagedByte(bytes)) : bytes);
      }
      expect((await restored({ main: local, eu: cloneStore(mirrored.eu) })).outcome).toBe('complete');
      expect(packs.filter((file) => !existsSync(file) || lstatSync(file).isSymbolicLink())).toEqual([]);
      expect(await errorsOf(await openRepository(local, PASSWORD))).toEqual([]);
    }
  });

  it('goes on although what it was taken from the mirror for cannot be put back', async () => {
    const { main, eu } = copies();
    damage(main, 'data/');
    const before = cloneStore(main);
    const full = new FaultyStore(main, ({ method }) => (method === 'put' ? 'disk-full' : undefined));
    const { notes, outcome } = await restored({ main: full, eu });
    expect(outcome).toBe('complete');
    expect(notes.join('\n')).toContain('it could not be put back');
    expect(digestsOf(main)).toEqual(digestsOf(before));
  });

  it('takes nothing that is damaged in the mirror, too, and names the damage', async () => {
    const { main, eu } = copies();
    damage(main, 'data/');
    damage(eu, 'data/');
    const kept = cloneStore(main);
    await expect(restored({ main, eu })).rejects.toMatchObject({ code: 'repository-damaged' });
    for (const key of keysOf(kept, 'data/')) expect(digestsOf(main)[key]).toBe(digestsOf(kept)[key]);
    await expect(restored({ main })).rejects.toMatchObject({ code: 'repository-damaged' });
  });

  it('leaves out what no copy has, having looked everywhere once', async () => {
    const { main, eu } = copies();
    const treePack = packKey((await loadIndex(await openRepository(main, PASSWORD))).locate(tree, 'tree').pack);
    const packs = keysOf(main, 'data/').filter((key) => key !== treePack);
    for (const store of [main, eu]) {
      for (const key of packs) store.objects.get(key)!.bytes = store.objects.get(key)!.bytes.subarray(0, 100);
    }
    const watched = new FaultyStore(eu);
    const clock = movableClock();
    const workspace = mirroredWorkspace({ main, eu: watched }, {}, { clock });
    const request = { snapshot, to: join(testDirectory(), 'back'), repository: 'main' };
    const { outcome, problems, notes } = await restore(workspace, request);
    expect(outcome).toBe('partial');
    expect(notes.join('\n')).toContain('LOST: 3 entries are left out');
    expect(problems.map(({ path }) => path).sort()).toEqual(
      ['large', 'other', 'zeros'].map((name) => join(request.to, name)),
    );
    expect(readdirSync(request.to).sort()).toEqual(['empty', 'small']);
    const asked = watched.calls
      .filter(({ method, key }) => method === 'get' && packs.includes(key))
      .map(({ key }) => key);
    // What came wrong is read a second time.
    expect(asked.length).toBe(2 * new Set(asked).size);
    expect(asked.length).toBeGreaterThan(0);
  });

  it('takes from the next mirror what the first has damaged', async () => {
    const { main, eu } = copies();
    const us = cloneStore(eu);
    const damaged = damage(main, 'data/');
    damage(eu, 'data/');
    const { notes, outcome } = await restored({ main, eu, us });
    expect(outcome).toBe('complete');
    expect(notes.filter((note) => note.includes('was taken from us'))).toHaveLength(damaged.length);
    expect(await errorsOf(await openRepository(main, PASSWORD))).toEqual([]);
  });

  it('does not bring back what a prune removed', async () => {
    const { main, eu } = copies();
    await removeSnapshot(await openRepository(main, PASSWORD), snapshot);
    await prune(mirroredWorkspace({ main }), [], { dryRun: false });
    const packs = keysOf(eu, 'data/');
    expect(keysOf(main, 'data/')).toEqual([]);
    const { repository } = await mirroredWorkspace({ main, eu }).open('main');
    for (const pack of packs)
      await expect(repository.read(pack, (bytes) => bytes)).rejects.toMatchObject({ code: 'object-missing' });
    expect(keysOf(main, 'data/')).toEqual([]);
  });
});

describe('what comes altered over the line', () => {
  it('is read once more, and taken for damage only when it comes so again', async () => {
    const { main, eu } = copies();
    const altered = new Map<string, number>();
    let times = 1;
    // What else is read has a tag that a store holds it against.
    let prefixes = ['data/', 'index/', 'snapshots/', 'holdfast/tail/'];
    const line = new FaultyStore(main, ({ method, key, range }) => {
      const name = `${key} ${range?.offset} ${range?.length}`;
      const seen = altered.get(name) ?? 0;
      if (method !== 'get' || seen >= times || !prefixes.some((prefix) => key.startsWith(prefix))) return undefined;
      altered.set(name, seen + 1);
      return 'flipped';
    });
    const before = digestsOf(main);
    expect(await restored({ main: line })).toMatchObject({ outcome: 'complete', notes: [] });
    const read = { ...READ, readHeaders: true };
    expect(await check(mirroredWorkspace({ main: line }), read)).toMatchObject({ repositories: [{ clean: true }] });
    altered.clear();
    expect(await replicate(mirroredWorkspace({ main: line, eu }), [])).toMatchObject([{ outcome: 'complete' }]);
    altered.clear();
    expect(await restored({ main: line, eu })).toMatchObject({ outcome: 'complete', notes: [] });
    expect(await healedObjects(main)).toEqual([]);
    for (const [key, digest] of Object.entries(before)) expect(digestsOf(main)[key]).toBe(digest);
    times = Number.POSITIVE_INFINITY;
    prefixes = ['data/'];
    await expect(restored({ main: line })).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});

describe('a check', () => {
  it('names what is damaged and changes nothing of it, and with repair puts back all that is missing or damaged', async () => {
    const { main, eu } = copies();
    const [lost, ...others] = keysOf(main, 'data/');
    main.objects.delete(lost!);
    const damaged = [
      ...others,
      ...['index/', 'snapshots/', 'holdfast/tail/'].flatMap((prefix) => damage(main, prefix)),
    ];
    for (const key of others) main.objects.set(key, { bytes: new Uint8Array(9), modifiedMs: 0 });
    const workspace = () => mirroredWorkspace({ main, eu });
    const {
      repositories: [found],
    } = await check(workspace(), { ...READ, readData: true });
    expect(found!.clean).toBe(false);
    expect(main.objects.has(lost!)).toBe(false);
    damaged.push(...damage(main, 'holdfast/ledger/', eu));
    const {
      repositories: [mended],
    } = await check(workspace(), { ...READ, repair: true });
    expect(mended).toMatchObject({ clean: true });
    expect(mended!.healed.map(({ object }) => object).sort()).toEqual([lost!, ...damaged].sort());
    expect((await healedObjects(main)).sort()).toEqual([lost!, ...damaged].sort());
    const {
      repositories: [again],
    } = await check(workspace(), { ...READ, repair: true });
    expect(again).toMatchObject({ clean: true, healed: [] });
  });

  it('with repair puts back what the disk cannot read', async () => {
    const { main, eu } = copies();
    const [bad] = keysOf(main, 'data/');
    const [get, put] = [main.get.bind(main), main.put.bind(main)];
    let isBad = true;
    main.get = async (key, range) => {
      if (isBad && key === bad) throw new HoldfastError('object-unreadable', `cannot read ${key}: EIO`);
      return get(key, range);
    };
    main.put = (key, content, options) => {
      isBad &&= key !== bad;
      return put(key, content, options);
    };
    const { repositories } = await check(mirroredWorkspace({ main, eu }), { ...READ, repair: true });
    expect(repositories).toMatchObject([{ clean: true, healed: [{ object: bad }] }]);
  });

  it('with repair puts packs of content where restores alone look, and those of trees where listings do', async () => {
    const { main, eu } = copies();
    const putBack = bulkPutTo(main);
    const packs = damage(main, 'data/');
    await check(mirroredWorkspace({ main, eu }), { ...READ, repair: true });
    expect(packs.map((key) => putBack.get(key))).toEqual(packs.map((key) => written.get(key)));
    expect(new Set(packs.map((key) => putBack.get(key)))).toEqual(new Set([true, false]));
  });

  it('with repair goes on with the other mirrors while one is away', async () => {
    const { main, eu } = copies();
    const us = cloneStore(eu);
    const away = new FaultyStore(eu, () => 'before');
    const [lost, ...others] = keysOf(main, 'data/');
    main.objects.delete(lost!);
    for (const key of others) main.objects.set(key, { bytes: new Uint8Array(9), modifiedMs: 0 });
    const {
      repositories: [report],
    } = await check(mirroredWorkspace({ main, eu: away, us }), { ...READ, repair: true, repositories: ['main'] });
    expect(report).toMatchObject({ clean: true });
    expect(report!.healed.map(({ object, from }) => [object, from]).sort()).toEqual(
      [lost!, ...others].map((key) => [key, 'us']).sort(),
    );
    main.objects.delete(lost!);
    const alone = check(mirroredWorkspace({ main, eu: away }), { ...READ, repair: true, repositories: ['main'] });
    await expect(alone).rejects.toMatchObject({ code: 'store-unreachable' });
  });

  it('mends a mirror from its primary', async () => {
    const { main, eu } = copies();
    const damaged = damage(eu, 'data/');
    const workspace = mirroredWorkspace({ main, eu });
    const {
      repositories: [report],
    } = await check(workspace, { ...READ, repositories: ['eu'], repair: true });
    expect(report).toMatchObject({ clean: true, repository: 'eu' });
    expect(report!.healed.map(({ object, from }) => [object, from]).sort()).toEqual(
      damaged.map((key) => [key, 'main']).sort(),
    );
    expect(keysOf(eu, 'locks/')).toEqual([]);
  });

  it('says with repair and without a mirror that there is none, and what is damaged', async () => {
    const { main } = copies();
    damage(main, 'data/');
    const {
      repositories: [report],
    } = await check(mirroredWorkspace({ main }), { ...READ, repair: true });
    expect(report).toMatchObject({ clean: false, healed: [] });
    expect(report!.notes.join()).toContain('the plan names no mirror');
    expect(report!.findings.some(({ path }) => path !== undefined)).toBe(true);
  });
});

describe('a repository that cannot be opened', () => {
  const remove = (prefix: string) => (main: MemoryStore) => {
    for (const key of keysOf(main, prefix)) main.objects.delete(key);
  };
  const harm = (prefix: string) => (main: MemoryStore) => void damage(main, prefix);
  const repaired = (stores: Record<string, ObjectStore>, more?: Partial<Plan>) =>
    check(mirroredWorkspace(stores, more), { ...READ, repair: true });

  it.each([
    ['its configuration is missing', remove('config')],
    ['its configuration is damaged', harm('config')],
    ['its keys are missing', remove('keys/')],
    ['its keys are damaged', harm('keys/')],
    [
      'both are missing, and packs',
      (main: MemoryStore) => ['config', 'keys/', 'data/'].map((each) => remove(each)(main)),
    ],
  ])('has it put back from a mirror that the password opens: %s', async (_, spoil) => {
    const { main, eu } = copies();
    spoil(main);
    const lost = Object.keys(digestsOf(eu)).filter((key) => digestsOf(main)[key] !== digestsOf(eu)[key]);
    await expect(restored({ main, eu })).rejects.toMatchObject({
      hint: expect.stringContaining('check main --repair'),
    });
    const {
      repositories: [report],
    } = await repaired({ main, eu });
    expect(report).toMatchObject({ clean: true });
    expect(report!.healed.map(({ object }) => object).sort()).toEqual(lost.sort());
    expect((await healedObjects(main)).sort()).toEqual(lost);
    for (const key of lost) expect(digestsOf(main)[key]).toBe(digestsOf(eu)[key]);
    await restored({ main });
  });

  it('has it put back by a repair, too, and not while that only looks', async () => {
    const { main, eu } = copies();
    remove('config')(main);
    const request = { repository: 'main', readData: false };
    await expect(repair(mirroredWorkspace({ main, eu }), { ...request, dryRun: true })).rejects.toMatchObject({
      code: 'no-repository',
    });
    const [report] = await repair(mirroredWorkspace({ main, eu }), { ...request, dryRun: false });
    expect(report).toMatchObject({ whole: true, healed: [{ object: 'config', from: 'eu', putBack: true }] });
  });

  it('is left as it is where the password does not open the mirror, or the mirror is not its own', async () => {
    const refused = async (stores: { main: MemoryStore; eu: MemoryStore }, error: object, more?: Partial<Plan>) => {
      const before = digestsOf(stores.main);
      await expect(repaired(stores, more)).rejects.toMatchObject(error);
      expect(digestsOf(stores.main)).toEqual(before);
    };
    const { main, eu } = copies();
    remove('config')(main);
    const other = { name: 'main', store: '/main', password: 'another', s3: { pathStyle: false } };
    await refused({ main, eu }, { code: 'no-repository' }, { repositories: new Map([['main', other]]) });
    const promoted = cloneStore(eu);
    await promote(mirroredWorkspace({ main, eu: promoted }), 'eu');
    await refused({ main, eu: promoted }, { code: 'mirror-refused' });
    const empty = { code: 'no-repository', hint: expect.stringContaining('Nothing of a repository is there') };
    await refused({ main: new MemoryStore(), eu }, empty);
    const another = new MemoryStore();
    await writeFiles(await testRepository(another), { file: Buffer.from('of another') });
    remove('config')(another);
    await refused({ main: another, eu }, { code: 'mirror-refused' });
  });

  it('does not get a password back that somebody took away', async () => {
    const { main, eu } = copies();
    const repository = await openRepository(main, PASSWORD);
    const id = await addKey(repository, 'revoked', systemClock, { N: 2, r: 1, p: 1 });
    await replicate(mirroredWorkspace({ main, eu }), []);
    const { ledger } = await mirroredWorkspace({ main }).open('main');
    await ledger.append('key.removing', { repository: 'main', key: id });
    main.objects.delete(`keys/${id}`);
    remove('config')(main);
    const {
      repositories: [report],
    } = await repaired({ main, eu });
    expect(report!.healed.map(({ object }) => object)).toEqual(['config']);
    expect(keysOf(main, 'keys/')).toHaveLength(1);
  });
});

describe('a repair of a repository with a mirror', () => {
  it('drops nothing that the mirror has', async () => {
    const { main, eu } = copies();
    damage(main, 'data/');
    const [report] = await repair(mirroredWorkspace({ main, eu }), {
      repository: 'main',
      readData: true,
      dryRun: false,
    });
    expect(report).toMatchObject({ whole: true, packsDropped: [], blobsLost: [] });
    expect(report!.healed.length).toBe(keysOf(main, 'data/').length);
    expect(await errorsOf(await openRepository(main, PASSWORD))).toEqual([]);
  });
});
