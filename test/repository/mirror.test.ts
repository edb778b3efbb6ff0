import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeIndexFile } from '../../src/format/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { type MirrorOutcome, prune, replicate, retain, type Workspace } from '../../src/operations/index.ts';
import { upkeepEvery } from '../../src/operations/upkeep-every.ts';
import type { FilesSource } from '../../src/plan/index.ts';
import { addKey, listSnapshots, openRepository, type Repository, removeSnapshot } from '../../src/repository/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { cloneStore, segments, writeTail } from '../support/log.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import {
  errorsOf,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFiles,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';

const OPTIONS = { packSizeBytes: 1 << 16 };

/** What a mirror is to be: all that the primary has but its locks. */
function contentOf({ objects }: MemoryStore): Record<string, string> {
  const entries = [...objects].filter(([key]) => !key.startsWith('locks/'));
  return Object.fromEntries(entries.map(([key, { bytes }]) => [key, Buffer.from(bytes).toString('base64')]).sort());
}

async function mirrored(main: ObjectStore, eu: ObjectStore, workspace?: Workspace): Promise<MirrorOutcome> {
  return (await replicate(workspace ?? mirroredWorkspace({ main, eu }), []))[0]!;
}

async function expectMirrored(main: ObjectStore, eu: ObjectStore): Promise<MirrorOutcome> {
  const outcome = await mirrored(main, eu);
  expect(outcome).toMatchObject({ outcome: 'complete' });
  return outcome;
}

/** That nothing in a mirror refers to something that is not there, whatever else it lacks. */
async function expectWhole(store: MemoryStore): Promise<void> {
  if (!store.objects.has('config'))
    return expect([...store.objects.keys()].filter((key) => !key.startsWith('keys/'))).toEqual([]);
  const repository = await openRepository(store, PASSWORD);
  expect(await errorsOf(repository, false)).toEqual([]);
  await mirroredWorkspace({ main: store })
    .open('main')
    .then(({ ledger }) => ledger.read());
  for (const key of await repository.documentKeys('index/')) {
    for (const { id } of decodeIndexFile(await repository.getDocument(key)).packs) {
      expect(store.objects.has(`data/${id.slice(0, 2)}/${id}`)).toBe(true);
    }
  }
}

/** A repository with snapshots, a log's tail and a ledger, made once: each test has a copy of its own. */
let original: Promise<MemoryStore> | undefined;

async function lived(store = new MemoryStore()): Promise<Repository> {
  original ??= makeLived();
  for (const [key, object] of cloneStore(await original).objects) store.objects.set(key, object);
  return openRepository(store, PASSWORD);
}

async function makeLived(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const repository = await testRepository(store);
  for (const round of [1, 2]) {
    await writeFiles(repository, { large: noise(200_000, round), small: Buffer.from(`round ${round}`) }, OPTIONS);
  }
  await writeTail(repository, segments(0, 1.5));
  const { ledger } = await mirroredWorkspace({ main: store }).open('main');
  await ledger.append('key.added', { repository: 'main', key: 'a' });
  await ledger.append('key.added', { repository: 'main', key: 'b' });
  return store;
}

describe('a mirror', () => {
  it('is all that its primary is but the locks, with what the ledger says of the run, and then left alone', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const repository = await lived(main);
    await repository.putDocument('locks/', { time: new Date().toISOString() });
    const outcome = await expectMirrored(main, eu);
    expect(contentOf(eu)).toEqual(contentOf(main));
    expect(outcome).toMatchObject({ removedObjects: 0, copiedObjects: Object.keys(contentOf(main)).length - 1 });
    expect(outcome.outcome === 'complete' && outcome.lagMs).toBeGreaterThan(0);
    const quiet = new FaultyStore(eu);
    expect(await expectMirrored(main, quiet)).toMatchObject({ copiedObjects: 0, lagMs: 0 });
    expect(quiet.calls.filter(({ method }) => method === 'put' || method === 'delete')).toEqual([]);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });

  it('is a whole repository at every instant, and the next run goes on, whichever call is the last', async () => {
    const main = new MemoryStore();
    await lived(main);
    let copied = 0;
    for (let n = 0; ; n++) {
      const eu = new MemoryStore();
      const dying = new FaultyStore(eu);
      let changes = 0;
      dying.rule = ({ method }) => (method === 'put' && changes++ >= n ? 'before' : undefined);
      const outcome = await mirrored(cloneStore(main), dying);
      await expectWhole(eu);
      if (outcome.outcome === 'complete') break;
      copied = n;
      expect(outcome.error.code).toBe('store-unreachable');
      const original = cloneStore(main);
      await expectMirrored(original, eu);
      expect(contentOf(eu)).toEqual(contentOf(original));
    }
    expect(copied).toBeGreaterThan(10);
  });

  it('copies again what came only in part, and says what it was given in another size than it has', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await expectMirrored(main, eu);
    for (const prefix of ['data/', 'holdfast/ledger/', 'holdfast/tail/']) {
      const key = [...eu.objects.keys()].find((each) => each.startsWith(prefix))!;
      const { bytes, modifiedMs } = eu.objects.get(key)!;
      eu.objects.set(key, { bytes: bytes.subarray(0, 9), modifiedMs });
    }
    await expectMirrored(main, eu);
    expect(contentOf(eu)).toEqual(contentOf(main));
    const short = new FaultyStore(new MemoryStore());
    short.put = async (key, content) => {
      await MemoryStore.prototype.put.call(eu, `x-${key.replaceAll('/', '-')}`, content);
    };
    expect(await mirrored(main, short)).toMatchObject({ outcome: 'failed', error: { code: 'store-failed' } });
  });

  it('is given nothing that is damaged, nor what would refer to it', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const pack = [...main.objects.keys()].find((key) => key.startsWith('data/'))!;
    main.objects.get(pack)!.bytes[7]! ^= 1;
    const outcome = await mirrored(main, eu);
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'repository-damaged' } });
    expect(outcome.outcome === 'failed' && outcome.error.message).toContain(pack);
    expect([...eu.objects.keys()].filter((key) => /^(index|snapshots)\//.test(key) || key === pack)).toEqual([]);
  });

  it('takes no notice of what a store was tried with, and no removal of what a repair put aside for a loss', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const [probe, aside] = ['holdfast/probe/0a/raced', `holdfast/damaged/${'0a'.repeat(32)}`] as const;
    for (const key of [probe, aside]) await main.put(key, noise(10));
    await expectMirrored(main, eu);
    expect([eu.objects.has(probe), eu.objects.has(aside)]).toEqual([false, true]);
    for (const key of [probe, aside]) await main.delete(key);
    await expectMirrored(main, eu);
  });

  it('takes no other repository for itself', async () => {
    const [main, other] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await testRepository(other);
    const before = contentOf(other);
    expect(await mirrored(main, other)).toMatchObject({ outcome: 'failed', error: { code: 'mirror-refused' } });
    expect(contentOf(other)).toEqual(before);
  });

  it('fails by itself: the other one is brought up to date, and the ledger says which did not come along', async () => {
    const [main, eu, us] = [new MemoryStore(), new MemoryStore(), new FaultyStore(new MemoryStore(), () => 'before')];
    await lived(main);
    const workspace = mirroredWorkspace({ main, eu, us });
    const outcomes = await replicate(workspace, []);
    expect(outcomes.map(({ mirror, outcome }) => [mirror, outcome])).toEqual([
      ['eu', 'complete'],
      ['us', 'failed'],
    ]);
    const events = await (await workspace.open('main')).ledger.read();
    expect(events.filter(({ kind }) => kind.startsWith('mirror.')).map(({ kind, body }) => [kind, body])).toEqual(
      expect.arrayContaining([
        ['mirror.finished', expect.objectContaining({ mirror: 'eu' })],
        ['mirror.failed', expect.objectContaining({ mirror: 'us', code: 'store-unreachable' })],
      ]),
    );
    expect(contentOf(eu)).toEqual(contentOf(main));
  });
});

describe('while a log is followed', () => {
  it('is brought up to date now and then, also after an attempt that failed', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const repository = await lived(main);
    let isAway = true;
    const workspace = mirroredWorkspace({ main, eu: new FaultyStore(eu, () => (isAway ? 'before' : undefined)) });
    await workspace.open('main');
    const stop = upkeepEvery(workspace, 20);
    const failures = () => [...main.objects.keys()].filter((key) => key.startsWith('holdfast/ledger/')).length;
    const before = failures();
    await expect.poll(failures).toBeGreaterThan(before);
    isAway = false;
    const part = await writeTail(repository, segments(1.5, 2));
    await expect.poll(() => eu.objects.has(part)).toBe(true);
    await stop();
    await expectMirrored(main, eu);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });
});

describe('what is gone from the primary', () => {
  const source: FilesSource = {
    ...{ name: 'db', type: 'files', repository: 'main', objectives: {}, validate: [], paths: ['/db'], exclude: [] },
    retention: { last: 1 },
  };
  const planned = (stores: Record<string, ObjectStore>) =>
    mirroredWorkspace(stores, { sources: new Map([['db', source]]) });

  /** Two snapshots of `db` with a pack of their own each, mirrored. */
  async function twoSnapshots(main: ObjectStore, eu: ObjectStore): Promise<Repository> {
    const repository = await testRepository(main);
    const tags = ['holdfast', 'source:db', 'kind:tree'];
    for (const day of [1, 2]) {
      const { id, tree } = await writeFiles(repository, { file: noise(90_000, day) }, OPTIONS);
      await removeSnapshot(repository, id);
      const time = `2026-01-0${day}T00:00:00Z`;
      await repository.putDocument('snapshots/', { time, tree, paths: ['/db'], hostname: 'test', tags });
    }
    await expectMirrored(main, eu);
    return repository;
  }

  it('goes from the mirror when retention or a prune said so, and at every instant what is left is whole', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await twoSnapshots(main, eu);
    await retain(planned({ main }), [], { dryRun: false });
    await prune(planned({ main }), [], { dryRun: false });
    let removed = 0;
    for (let n = 0; ; n++) {
      const copy = cloneStore(eu);
      const dying = new FaultyStore(copy);
      let changes = 0;
      dying.rule = ({ method }) => ((method === 'put' || method === 'delete') && changes++ >= n ? 'before' : undefined);
      const original = cloneStore(main);
      const outcome = await mirrored(original, dying);
      await expectWhole(copy);
      if (outcome.outcome === 'failed') {
        await expectMirrored(original, copy);
        expect(contentOf(copy)).toEqual(contentOf(original));
        continue;
      }
      removed = outcome.removedObjects;
      expect(contentOf(copy)).toEqual(contentOf(original));
      break;
    }
    // A snapshot, index files and the packs of one of the two.
    expect(removed).toBeGreaterThanOrEqual(4);
  });

  it.each([
    ['a snapshot', 'snapshots/'],
    ['an index file', 'index/'],
    ['a pack', 'data/'],
    ['a password', 'keys/'],
    ['an event of the ledger', 'holdfast/ledger/'],
    ['a part of a log', 'holdfast/tail/'],
  ])('stays in the mirror when nobody said so, and is an alarm: %s', async (_, prefix) => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const repository = await lived(main);
    const password = await addKey(repository, 'another', systemClock, { N: 2, r: 1, p: 1 });
    const { ledger } = await mirroredWorkspace({ main }).open('main');
    await ledger.append('key.added', { repository: 'main', key: 'the last of its writer' });
    await expectMirrored(main, eu);
    const last = [...main.objects.keys()].findLast((each) => each.startsWith(prefix))!;
    const key = prefix === 'keys/' ? `keys/${password}` : last;
    main.objects.delete(key);
    const kept = cloneStore(eu);
    const outcome = await mirrored(main, eu);
    expect(outcome).toMatchObject({ outcome: 'failed' });
    for (const each of kept.objects.keys()) expect(eu.objects.has(each), each).toBe(true);
    const { error } = outcome as Extract<MirrorOutcome, { outcome: 'failed' }>;
    expect(error.message).toContain(prefix === 'holdfast/ledger/' ? 'ledger' : key);
  });

  it('is not what a wiped primary takes with it, however it was wiped', async () => {
    const main = new MemoryStore();
    const eu = new MemoryStore();
    await lived(main);
    await expectMirrored(main, eu);
    const before = contentOf(eu);
    const wiped = [
      (_key: string) => true,
      (key: string) => key !== 'config' && !key.startsWith('keys/'),
      (key: string) => key.startsWith('data/') || key.startsWith('holdfast/'),
    ];
    for (const isGone of wiped) {
      const rest = cloneStore(main);
      for (const key of [...rest.objects.keys()].filter(isGone)) rest.objects.delete(key);
      expect(await mirrored(rest, eu)).toMatchObject({ outcome: 'failed' });
      for (const [key, bytes] of Object.entries(before)) expect(contentOf(eu)[key]).toBe(bytes);
    }
    // And a new one in its place is another repository.
    const anew = new MemoryStore();
    await testRepository(anew);
    expect(await mirrored(anew, eu)).toMatchObject({ outcome: 'failed', error: { code: 'mirror-refused' } });
    expect(await errorsOf(await openRepository(eu, PASSWORD))).toEqual([]);
  });

  it('stays when an event names it and an index still needs it', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await twoSnapshots(main, eu);
    const packs = [...main.objects.keys()].filter((key) => key.startsWith('data/'));
    const { ledger } = await mirroredWorkspace({ main }).open('main');
    // A prune that announced and died, and whose packs were found to be needed by the next.
    await ledger.append('prune.removing', {
      repository: 'main',
      packs: packs.map((key) => key.slice(-64)),
      indexes: [...main.objects.keys()].filter((key) => key.startsWith('index/')).map((key) => key.slice(-64)),
    });
    main.objects.delete(packs[0]!);
    expect(await mirrored(main, eu)).toMatchObject({ outcome: 'failed', error: { code: 'mirror-diverged' } });
    expect(eu.objects.has(packs[0]!)).toBe(true);
    await expectWhole(eu);
  });
});

describe.skipIf(!requires('restic'))('stock restic', () => {
  it('finds nothing wrong with a mirror in a directory, and what comes back of it is the same', async () => {
    const second = join(testDirectory(), 'eu');
    const main = new MemoryStore();
    const expected = await readFiles(await lived(main));
    await expectMirrored(main, createLocalStore(second));
    main.objects.clear();
    resticCheck(second);
    const copy = await openRepository(createLocalStore(second), PASSWORD);
    expect(await readFiles(copy)).toEqual(expected);
    expect(await listSnapshots(copy)).toHaveLength(2);
  });
});
