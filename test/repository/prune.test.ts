import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import {
  listSnapshots,
  loadIndex,
  lockRepository,
  openRepository,
  Reader,
  type Repository,
  removeSnapshot,
  WriteSession,
} from '../../src/repository/index.ts';
import { packKey } from '../../src/repository/layout.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { betweenCalls } from '../support/between-calls.ts';
import {
  check,
  errorsOf,
  extract,
  movableClock,
  noise,
  PASSWORD,
  prune,
  readFiles,
  snapshotOf,
  testDirectory,
  testRepository,
  writeFile,
  writeFiles,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic, resticCheck } from '../support/restic.ts';

type Files = Record<string, Buffer>;

/** A backup comes in between at every so many steps of a prune; at each by hand: HOLDFAST_TEST_KILLS=200. */
const STRIDE = Number(process.env['HOLDFAST_TEST_KILLS'] ?? 5) > 5 ? 1 : 16;
const OPTIONS = { packSizeBytes: 1 << 20 };
/** A file of one blob, which is the same for the same name: the names tell what snapshots share. */
const blob = (name: string): Buffer => noise(300_000, name);
const files = (...names: string[]): Files => Object.fromEntries(names.map((name) => [name, blob(name)]));
const OLD = files('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
/** Whichever thread took what, some packs hold both what is of these and what is not. */
const KEPT = files('a', 'b', 'g', 'x', 'y');

/** A repository of which a part is used: a snapshot that is gone shares some files with one that is kept. */
async function partlyUsed(
  store: ObjectStore = new MemoryStore(),
  version: 1 | 2 = 2,
): Promise<{ repository: Repository; kept: string }> {
  const repository = await testRepository(store, version);
  const { id: old } = await writeFiles(repository, OLD, OPTIONS);
  const { id: kept } = await writeFiles(repository, KEPT, OPTIONS);
  await removeSnapshot(repository, old);
  return { repository, kept };
}

async function expectFiles(repository: Repository, id: string, expected: Files): Promise<void> {
  const read = await readFiles(repository, id);
  expect([...read.keys()].sort()).toEqual(Object.keys(expected).sort());
  for (const [name, content] of Object.entries(expected)) expect(read.get(name)!.equals(content), name).toBe(true);
}

async function bytesIn(repository: Repository, prefix = 'data/'): Promise<number> {
  let bytes = 0;
  for await (const { sizeBytes } of repository.store.list(prefix)) bytes += sizeBytes;
  return bytes;
}

async function unlockByHand({ store }: Repository): Promise<void> {
  for await (const { key } of store.list('locks/')) await store.delete(key);
}

/** Nothing is wrong, nothing is left over, and nobody holds anything. */
async function expectTidy(repository: Repository): Promise<void> {
  expect((await check(repository)).findings).toEqual([]);
  expect(await repository.documentKeys('holdfast/prune/')).toEqual([]);
  expect(await repository.documentKeys('locks/')).toEqual([]);
}

/** A write that has begun, and is finished by hand. */
class OpenWrite {
  readonly #repository: Repository;
  readonly #lock: Awaited<ReturnType<typeof lockRepository>>;
  readonly #session: WriteSession;

  private constructor(repository: Repository, lock: OpenWrite['lock'], session: WriteSession) {
    this.#repository = repository;
    this.#lock = lock;
    this.#session = session;
  }

  get lock(): Awaited<ReturnType<typeof lockRepository>> {
    return this.#lock;
  }

  get repository(): Repository {
    return this.#repository;
  }

  static async begin(repository: Repository): Promise<OpenWrite> {
    const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
    const session = await WriteSession.begin(await loadIndex(repository), { lock, clock: systemClock, ...OPTIONS });
    return new OpenWrite(repository, lock, session);
  }

  async finish(content: Files): Promise<{ id: string; dataBlobs: number }> {
    const nodes = [];
    for (const [name, bytes] of Object.entries(content)) nodes.push(await writeFile(this.#session.writer, name, bytes));
    const tree = await this.#session.writer.saveTree(nodes);
    const id = await this.#session.commit(() => snapshotOf(tree));
    await this.#lock.release();
    return { id, dataBlobs: this.#session.statistics.dataBlobs };
  }
}

describe('a prune', () => {
  it('frees what no snapshot needs, and keeps what is needed', async () => {
    const { repository, kept } = await partlyUsed();
    const before = await bytesIn(repository);
    const report = await prune(repository);
    expect(report.waitingFor).toBeUndefined();
    expect(report.swept.packs).toBe(report.marked.packs);
    const after = await bytesIn(repository);
    expect(after).toBeLessThan(before * 0.7);
    // Five blobs of 300,000 bytes are used, and no more than 5% beside them may be left.
    expect(after).toBeLessThan((5 * 300_000 + 10_000) / 0.95);
    await expectFiles(repository, kept, KEPT);
    await expectTidy(repository);
  });

  it('has nothing to do the second time, and then changes nothing', async () => {
    const store = new FaultyStore(new MemoryStore());
    const { repository } = await partlyUsed(store);
    await prune(repository);
    store.calls.length = 0;
    const report = await prune(repository);
    expect(report).toMatchObject({ marked: { packs: 0, bytes: 0 }, swept: { packs: 0 } });
    expect(
      store.calls.filter(({ method, key }) => (method === 'put' || method === 'delete') && !key.startsWith('locks/')),
    ).toEqual([]);
  });

  it('only says what it would do on a dry run', async () => {
    const store = new MemoryStore();
    const { repository } = await partlyUsed(store);
    const before = [...store.objects.keys()].sort();
    const report = await prune(repository, { dryRun: true });
    expect(report.marked.packs).toBeGreaterThan(0);
    expect(report.swept.packs).toBe(0);
    expect([...store.objects.keys()].sort()).toEqual(before);
    expect((await prune(repository)).marked).toEqual(report.marked);
  });

  it('empties a repository without snapshots', async () => {
    const repository = await testRepository();
    const { id } = await writeFiles(repository, OLD, OPTIONS);
    await removeSnapshot(repository, id);
    await prune(repository);
    expect(await bytesIn(repository)).toBe(0);
    await expectTidy(repository);
  });

  it('keeps a repository of format 1 as one', async () => {
    const { repository, kept } = await partlyUsed(new MemoryStore(), 1);
    expect((await prune(repository)).swept.packs).toBeGreaterThan(0);
    await expectFiles(repository, kept, KEPT);
    await expectTidy(repository);
  });

  it('removes packs that a run which died left behind', async () => {
    const { repository } = await partlyUsed();
    await prune(repository);
    const store = new FaultyStore(repository.store);
    const failing = await openRepository(store, PASSWORD);
    store.rule = ({ method, key }) => (method === 'put' && key.startsWith('index/') ? 'before' : undefined);
    await expect(writeFiles(failing, files('lost'), OPTIONS)).rejects.toMatchObject({ code: 'store-unreachable' });
    expect((await check(repository)).findings).not.toEqual([]);
    expect((await prune(repository)).swept.packs).toBeGreaterThan(0);
    await expectTidy(repository);
  });

  it('makes one of many small index files', async () => {
    const repository = await testRepository();
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) ids.push((await writeFiles(repository, files(name), OPTIONS)).id);
    expect((await repository.documentKeys('index/')).length).toBe(3);
    await removeSnapshot(repository, ids[0]!);
    await prune(repository);
    expect((await repository.documentKeys('index/')).length).toBe(1);
    await expectFiles(repository, ids[2]!, files('c'));
    await expectTidy(repository);
  });

  it('keeps what rustic says of the packs that stay, and removes those that rustic is about to', async () => {
    interface Index {
      packs: { id: string; time?: string }[];
      packs_to_delete?: Index['packs'];
    }
    const indexes = async (): Promise<[string, Index][]> =>
      Promise.all(
        (await repository.documentKeys('index/')).map(async (key) => [
          key,
          (await repository.getDocument(key)) as Index,
        ]),
      );
    const { repository, kept } = await partlyUsed();
    await prune(repository);
    const before = await repository.documentKeys('index/');
    await removeSnapshot(repository, (await writeFiles(repository, files('z'), OPTIONS)).id);
    const time = '2024-01-01T00:00:00.123456789+02:00';
    const marked: string[] = [];
    for (const [key, { packs }] of await indexes()) {
      const said = packs.map((pack) => ({ ...pack, time }));
      const stays = before.includes(key);
      if (!stays) marked.push(...packs.map(({ id }) => packKey(id)));
      await repository.putDocument('index/', stays ? { packs: said } : { packs: [], packs_to_delete: said });
      await repository.store.delete(key);
    }
    const { findings } = await check(repository);
    expect(findings.map(({ where }) => where).sort()).toEqual(marked.sort());
    expect(findings[0]).toMatchObject({ severity: 'note', message: expect.stringContaining('rustic is about to') });
    await prune(repository);
    for (const [, file] of await indexes()) {
      expect(file.packs_to_delete).toBeUndefined();
      for (const pack of file.packs) expect(pack.time).toBe(time);
    }
    expect((await repository.documentKeys('data/')).filter((key) => marked.includes(key))).toEqual([]);
    await expectFiles(repository, kept, KEPT);
    await expectTidy(repository);
  });

  it('names what it removes before it removes it', async () => {
    const store = new FaultyStore(new MemoryStore());
    const { repository } = await partlyUsed(store);
    let announced: string[] = [];
    let before = 0;
    const announce = async ({ packs, indexes }: { packs: string[]; indexes: string[] }) => {
      announced = [...packs.map(packKey), ...indexes.map((id) => `index/${id}`)];
      before = store.calls.length;
    };
    await prune(repository, { announce });
    const deleted = store.calls.flatMap(({ method, key }, at) =>
      method === 'delete' && /^(data|index)/.test(key) ? [{ key, at }] : [],
    );
    expect(deleted.map(({ key }) => key).sort()).toEqual(announced.sort());
    expect(deleted.every(({ at }) => at >= before)).toBe(true);
  });

  it('removes nothing when that cannot be recorded', async () => {
    const { repository, kept } = await partlyUsed();
    const announce = () => Promise.reject(new Error('no ledger'));
    const before = await repository.documentKeys('data/');
    await expect(prune(repository, { announce })).rejects.toThrow('no ledger');
    expect(await repository.documentKeys('data/')).toEqual(expect.arrayContaining(before));
    await prune(repository);
    await expectFiles(repository, kept, KEPT);
    await expectTidy(repository);
  });

  it.each(['data', 'index', 'snapshots'])(
    'refuses a repository whose %s are damaged, and changes nothing',
    async (kind) => {
      const store = new MemoryStore();
      const { repository, kept } = await partlyUsed(store);
      const indexed = await loadIndex(repository);
      const [node] = await new Reader(indexed, (await listSnapshots(repository))[0]!).entries(
        (await listSnapshots(repository))[0]!.tree,
      );
      const { pack } = indexed.locate(node!.content![0]!, 'data');
      if (kind === 'data') store.objects.delete(packKey(pack));
      else if (kind === 'snapshots') store.objects.get(`snapshots/${kept}`)!.bytes[50]! ^= 1;
      else for (const key of await repository.documentKeys('index/')) store.objects.get(key)!.bytes[50]! ^= 1;
      const before = [...store.objects.keys()].sort();
      await expect(prune(repository)).rejects.toMatchObject({ code: 'repository-damaged' });
      expect([...store.objects.keys()].sort()).toEqual(before);
    },
  );

  it('copies no blob that is damaged', async () => {
    const store = new MemoryStore();
    const { repository } = await partlyUsed(store);
    const indexed = await loadIndex(repository);
    const snapshot = (await listSnapshots(repository))[0]!;
    const nodes = await new Reader(indexed, snapshot).entries(snapshot.tree);
    const { pack, offset } = indexed.locate(nodes.find(({ name }) => name === 'b')!.content![0]!, 'data');
    store.objects.get(packKey(pack))!.bytes[offset + 100]! ^= 1;
    await expect(prune(repository)).rejects.toThrow(new RegExp(`pack ${pack} is damaged`));
    expect(store.objects.has(packKey(pack))).toBe(true);
    expect(await repository.documentKeys('holdfast/prune/')).toEqual([]);
  });
});

describe('a prune beside our own', () => {
  it('waits for a backup that began before, and keeps what that took for there', async () => {
    const { repository, kept } = await partlyUsed();
    const backup = await OpenWrite.begin(repository);
    const waiting = await prune(repository);
    expect(waiting.waitingFor).toContain('is locked');
    expect(waiting.swept.packs).toBe(0);
    // It builds on blobs that no snapshot needed when they were marked.
    const { id, dataBlobs } = await backup.finish(OLD);
    expect(dataBlobs).toBe(0);
    await expectFiles(repository, id, OLD);
    const later = await prune(repository);
    expect(later.waitingFor).toBeUndefined();
    expect(later.swept.rescued).toBeGreaterThan(0);
    await expectFiles(repository, id, OLD);
    await expectFiles(repository, kept, KEPT);
    await prune(repository);
    await expectFiles(repository, id, OLD);
    await expectTidy(repository);
  });

  it('keeps what is marked where the copy that was made of it is cut short since', async () => {
    const store = new MemoryStore();
    const { repository, kept } = await partlyUsed(store);
    const backup = await OpenWrite.begin(repository);
    const before = new Set(await repository.documentKeys('data/'));
    expect((await prune(repository)).waitingFor).toBeDefined();
    const [copy] = (await repository.documentKeys('data/')).filter((key) => !before.has(key));
    const { bytes, modifiedMs } = store.objects.get(copy!)!;
    store.objects.set(copy!, { bytes: bytes.subarray(1), modifiedMs });
    await backup.lock.release();
    expect((await prune(repository)).swept.rescued).toBeGreaterThan(0);
    await expectFiles(repository, kept, KEPT);
  });

  it('lets a backup that begins after the mark build on nothing that is marked, nor be waited for', async () => {
    const { repository, kept } = await partlyUsed();
    const older = await OpenWrite.begin(repository);
    expect((await prune(repository)).waitingFor).toBeDefined();
    const newer = await OpenWrite.begin(repository);
    await older.finish(files('other'));
    const report = await prune(repository);
    expect(report.waitingFor).toBeUndefined();
    expect(report.swept.packs).toBeGreaterThan(0);
    const { id, dataBlobs } = await newer.finish(OLD);
    // All that was marked is stored anew.
    expect(dataBlobs).toBeGreaterThanOrEqual(5);
    await expectFiles(repository, id, OLD);
    await expectFiles(repository, kept, KEPT);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('lets a backup begin and end while packs are removed', async () => {
    const { repository, kept } = await partlyUsed();
    const store = new FaultyStore(repository.store);
    const pruned = await openRepository(store, PASSWORD);
    const backups: { id: string; content: Files }[] = [];
    let begun = 0;
    const del = store.delete.bind(store);
    store.delete = async (key) => {
      // Before the first index file goes, between index and packs, and after the first pack.
      if (begun < 3 && (key.startsWith('index/') || key.startsWith('data/'))) {
        const content = { ...OLD, [`new ${begun++}`]: blob('n') };
        backups.push({ content, id: (await writeFiles(repository, content, OPTIONS)).id });
      }
      return del(key);
    };
    const report = await prune(pruned);
    expect(report.swept.packs).toBeGreaterThan(0);
    expect(backups).toHaveLength(3);
    for (const { id, content } of backups) await expectFiles(repository, id, content);
    await expectFiles(repository, kept, KEPT);
    expect(await errorsOf(repository)).toEqual([]);
  });

  it('lets a backup come between any two of its steps', { timeout: 240_000 }, async () => {
    const original = new MemoryStore();
    const { kept } = await partlyUsed(original);
    for (let step = 0, steps = 1; step < steps; step += STRIDE) {
      const inner = new MemoryStore();
      for (const [key, object] of original.objects) inner.objects.set(key, object);
      const repository = await openRepository(inner, PASSWORD);
      let backup: Promise<{ id: string }> | undefined;
      let calls = 0;
      const between = async (): Promise<void> => {
        if (calls++ === step) backup = writeFiles(repository, OLD, OPTIONS);
        await backup;
      };
      const pruned = await openRepository(betweenCalls(inner, between), PASSWORD);
      calls = 0;
      await prune(pruned);
      steps = calls;
      // Not every prune of the same takes as many.
      if (backup === undefined) break;
      const { id } = await backup;
      expect(await errorsOf(repository), `step ${step}`).toEqual([]);
      await expectFiles(repository, id, OLD);
      await expectFiles(repository, kept, KEPT);
    }
  });

  it('is told what is being removed by its lock, when the mark was not there a moment before', async () => {
    const { repository } = await partlyUsed();
    const older = await OpenWrite.begin(repository);
    await prune(repository);
    await older.finish(files('other'));
    const [mark] = (await repository.documentKeys('holdfast/prune/')).map((key) => key.slice('holdfast/prune/'.length));
    const store = new FaultyStore(repository.store);
    const late = await openRepository(store, PASSWORD);
    let sweeper: Awaited<ReturnType<typeof lockRepository>> | undefined;
    const put = store.put.bind(store);
    const list = store.list.bind(store);
    let listed = 0;
    // The marks are listed as if there were none yet; the sweep takes its lock before the backup's is there.
    store.list = (prefix) => (prefix === 'holdfast/prune/' && listed++ === 0 ? list('holdfast/none/') : list(prefix));
    store.put = async (key, ...rest) => {
      sweeper ??= await lockRepository(repository, { exclusive: true, besideOurs: [mark!], clock: systemClock });
      return put(key, ...rest);
    };
    const lock = await lockRepository(late, { exclusive: false, clock: systemClock });
    // One that begins to sweep now must see that this backup knows the mark.
    await sweeper!.release();
    const again = await lockRepository(repository, { exclusive: true, besideOurs: [mark!], clock: systemClock });
    await expect(
      lockRepository(repository, { exclusive: true, besideOurs: ['0'.repeat(64)], clock: systemClock }),
    ).rejects.toMatchObject({
      code: 'repository-locked',
    });
    await again.release();
    await lock.release();
  });

  it('waits for a check, which looks at everything', async () => {
    const { repository } = await partlyUsed();
    const lock = await lockRepository(repository, { exclusive: false, whole: true, clock: systemClock });
    expect((await prune(repository)).waitingFor).toBeDefined();
    await lock.release();
    expect((await prune(repository)).waitingFor).toBeUndefined();
    await expectTidy(repository);
  });

  it('leaves a restore that began after the mark all that it reads', async () => {
    const { repository } = await partlyUsed();
    const older = await OpenWrite.begin(repository);
    await prune(repository);
    const { id } = await older.finish(OLD);
    const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
    const snapshot = (await listSnapshots(repository)).find((each) => each.id === id)!;
    const reader = new Reader(await loadIndex(repository), snapshot);
    // What it reads was marked, and is rescued; the rest goes.
    expect((await prune(repository)).swept).toMatchObject({ rescued: expect.toSatisfy((count: number) => count > 0) });
    const target = join(testDirectory(), 'target');
    await reader.extract(target, { progress: noProgress, signal: new AbortController().signal });
    await reader.close();
    await lock.release();
  });
});

describe('a prune whose lock is lost', () => {
  it('removes nothing any more', async () => {
    const { repository, kept } = await partlyUsed();
    const clock = movableClock();
    const announce = async () => clock.advance(23 * 60_000);
    const before = await repository.documentKeys('data/');
    await expect(prune(repository, { announce, clock })).rejects.toMatchObject({ code: 'lock-lost' });
    expect(await repository.documentKeys('data/')).toEqual(expect.arrayContaining(before));
    await expectFiles(repository, kept, KEPT);
  });

  it('removes nothing when somebody removed it by hand just before', async () => {
    const { repository, kept } = await partlyUsed();
    const before = await repository.documentKeys('data/');
    const announce = () => unlockByHand(repository);
    await expect(prune(repository, { announce })).rejects.toMatchObject({ code: 'lock-lost' });
    expect(await repository.documentKeys('data/')).toEqual(expect.arrayContaining(before));
    await expectFiles(repository, kept, KEPT);
  });

  it('removes no more than what half a minute takes when somebody removes it meanwhile', async () => {
    const { repository } = await partlyUsed();
    await writeFiles(repository, files(...Array.from({ length: 80 }, (_, number) => `many${number}`)), OPTIONS);
    for (const { id } of await listSnapshots(repository)) await removeSnapshot(repository, id);
    const clock = movableClock();
    const { store } = repository;
    const remove = store.delete.bind(store);
    let removedSince = -1;
    store.delete = async (key) => {
      if (key.startsWith('data/')) {
        if (removedSince < 0) await unlockByHand(repository);
        clock.advance(5000);
        removedSince++;
      }
      return remove(key);
    };
    await expect(prune(repository, { clock })).rejects.toMatchObject({ code: 'lock-lost' });
    // What was begun side by side may come on top.
    expect(removedSince).toBeLessThan(6 + 8);
    expect((await repository.documentKeys('data/')).length).toBeGreaterThan(3);
  });

  it('can be harmed by no backup that lost its own: such a one names no pack in an index any more', async () => {
    const repository = await testRepository();
    const clock = movableClock();
    const { store } = repository;
    const put = store.put.bind(store);
    store.put = async (key, ...rest) => {
      if (key.startsWith('data/')) clock.advance(23 * 60_000);
      return put(key, ...rest);
    };
    await expect(writeFiles(repository, files('a'), { clock })).rejects.toMatchObject({ code: 'lock-lost' });
    expect(await repository.documentKeys('index/')).toEqual([]);
  });
});

describe.skipIf(!requires('restic'))('a prune and stock restic', () => {
  let directory: string;
  let repository: Repository;
  let kept: string;
  beforeAll(async () => {
    directory = testDirectory();
    ({ repository, kept } = await partlyUsed(createLocalStore(directory)));
  });

  it('agree on what is left', async () => {
    await prune(repository);
    resticCheck(directory);
    restic(directory, ['restore', kept, '--target', join(testDirectory(), 'back')]);
    expect(restic(directory, ['prune']).output).toMatch(/total prune: +0 blobs/);
    await expectFiles(repository, kept, KEPT);
  });

  it("wait for each other: a lock of restic's keeps packs from being removed", async () => {
    const { id } = await writeFiles(repository, files('p', 'q', 'r'), OPTIONS);
    await removeSnapshot(repository, id);
    const lock = { time: new Date().toISOString(), exclusive: false, hostname: 'another', username: 'restic', pid: 1 };
    const key = await repository.putDocument('locks/', lock);
    const report = await prune(repository);
    expect(report).toMatchObject({ swept: { packs: 0 }, waitingFor: expect.stringContaining('restic on another') });
    expect(report.marked.packs).toBeGreaterThan(0);
    restic(directory, ['check', '--read-data', '--no-lock']);
    await repository.store.delete(`locks/${key}`);
    expect((await prune(repository)).swept.packs).toBe(report.marked.packs);
    resticCheck(directory);
    await expectTidy(repository);
  });

  it('lose nothing when restic prunes, or backs up the same again, between mark and sweep', async () => {
    const { id: gone } = await writeFiles(repository, OLD, OPTIONS);
    const { id: used } = await writeFiles(repository, files('b', 'd', 'f', 'new'), OPTIONS);
    await removeSnapshot(repository, gone);
    const other = await OpenWrite.begin(repository);
    expect((await prune(repository)).waitingFor).toBeDefined();
    await other.finish(files('a'));
    // What was copied is there twice now: restic keeps whichever it likes, perhaps what is marked.
    restic(directory, ['prune', '--max-unused', '0']);
    const back = join(testDirectory(), 'back');
    await extract(repository, back, used);
    restic(directory, ['backup', back]);
    await prune(repository);
    await prune(repository);
    resticCheck(directory);
    await expectFiles(repository, used, files('b', 'd', 'f', 'new'));
    await expectFiles(repository, kept, KEPT);
    await expectTidy(repository);
  });
});
