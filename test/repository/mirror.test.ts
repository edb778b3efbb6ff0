import { hash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { seal } from '../../src/format/index.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { promote, replicate } from '../../src/operations/index.ts';
import { FollowedMirrors } from '../../src/operations/mirrors/followed-mirrors.ts';
import { mirrorStatus } from '../../src/operations/mirrors/mirror-status.ts';
import { LogTail, listSnapshots, measureLag, openRepository } from '../../src/repository/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import type { ByteRange, Content, ObjectStore, PutOptions, Use } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { RetryingStore } from '../../src/store/retrying/index.ts';
import {
  contentOf,
  expectMirrored,
  expectMirroredBy,
  expectWhole,
  lived,
  mirrored,
  OPTIONS,
} from '../support/lived-mirror.ts';
import { CLUSTER, cloneStore, OWNER, segments, writeTail } from '../support/log.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import {
  movableClock,
  noise,
  PASSWORD,
  readFiles,
  testDirectory,
  testRepository,
  writeFiles,
} from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheck } from '../support/restic.ts';
import { RoundTrips } from '../support/round-trips.ts';
import { withoutDeletion } from '../support/without-deletion.ts';

/** Tells of each whole object its MD5, or what is wrong for one. */
class TellingMd5Store extends MemoryStore {
  readonly #isWrong: (count: number) => boolean;
  #count = 0;

  constructor(isWrong: (count: number) => boolean) {
    super();
    this.#isWrong = isWrong;
  }

  override async get(key: string, range?: ByteRange, use?: Use): Promise<Uint8Array> {
    const bytes = await super.get(key, range, use);
    use?.onMd5?.(this.#isWrong(++this.#count) ? '0'.repeat(32) : hash('md5', bytes));
    return bytes;
  }
}

/** Knows what may lie where that costs less. */
class NotingBulkStore extends MemoryStore {
  readonly bulk = new Set<string>();

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    if (options?.bulk) this.bulk.add(key);
    await super.put(key, content, options);
  }
}

/** Refuses what has another MD5 than is said. */
class HoldingAgainstMd5Store extends MemoryStore {
  refused = 0;

  override async put(key: string, content: Content, options?: PutOptions): Promise<void> {
    const { md5 } = options ?? {};
    if (md5 !== undefined && hash('md5', content as Uint8Array) !== md5) {
      this.refused++;
      throw new HoldfastError('store-failed', `${key} is not what its MD5 says`);
    }
    await super.put(key, content, options);
  }
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
    const put = short.put.bind(short);
    short.put = (key, content, options) => put(key, (content as Uint8Array).subarray(1), options);
    const outcome = await mirrored(main, short);
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'store-failed' } });
    expect(outcome.outcome === 'failed' && outcome.error.message).toMatch(/has \d+ bytes after \d+ were written/);
  });

  it.each([
    ['data/', /^(?:index|snapshots|holdfast)\//],
    ['index/', /^(?:snapshots|holdfast)\//],
    ['snapshots/', /^none/],
  ])(
    'looks whether what it was given below %s is there, before it is given what refers to that',
    async (lost, refers) => {
      const [main, eu] = [new MemoryStore(), new MemoryStore()];
      await lived(main);
      const losing = new FaultyStore(eu);
      const put = losing.put.bind(losing);
      losing.put = async (key, ...rest) => {
        if (!key.startsWith(lost)) await put(key, ...rest);
      };
      const outcome = await mirrored(main, losing);
      expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'store-failed' } });
      expect(outcome.outcome === 'failed' && outcome.error.message).toContain(lost);
      const other = (key: string): boolean => key !== 'holdfast/mirror-lease' && refers.test(key);
      expect(losing.puts.filter(other)).toEqual([]);
    },
  );

  it('goes by the MD5 that the primary keeps of a pack once it was right, and by its own where that is wrong', async () => {
    const packs = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`${at}`, noise(70_000, at)]));
    const source = new MemoryStore();
    await writeFiles(await testRepository(source), packs, OPTIONS);
    for (const [wrong, isRefused] of [
      [() => true, false],
      [() => false, false],
      [(count: number) => count > 35, true],
    ] as const) {
      const [main, eu] = [new TellingMd5Store(wrong), new HoldingAgainstMd5Store()];
      for (const [key, object] of cloneStore(source).objects) main.objects.set(key, object);
      await expectMirrored(main, eu);
      expect(contentOf(eu)).toEqual(contentOf(main));
      expect(eu.refused > 0).toBe(isRefused);
    }
  });

  it('takes as many round trips as the order of what refers to what takes, however much there is to be copied', async () => {
    const trips = new RoundTrips();
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const workspace = mirroredWorkspace({ main: trips.to(main), eu: trips.to(eu) });
    await workspace.open('main');
    expect(trips.count).toBe(2);
    await expectMirroredBy(workspace);
    expect(contentOf(eu)).toEqual(contentOf(main));
    // To look: 5, with the lease. To copy: what is read, keys, configuration, index, snapshots, the tail, 2 events, and a look
    // at packs, at the index and at the rest. To record that, and give the lease back: 2. To copy the record: 4. Packs wait for
    // threads.
    const others = trips.asked.slice(2).filter((asked) => !asked.every((call) => call.startsWith('put data/')));
    expect(others).toHaveLength(22);
    trips.count = 0;
    await expectMirroredBy(workspace);
    // To look, whether the configuration is the same, and whether the ledger went on.
    expect(trips.count).toBe(7);
  });

  it('is whole whichever listing of its primary somebody backs up before', async () => {
    const before = new MemoryStore();
    await lived(before);
    const after = cloneStore(before);
    await writeFiles(await openRepository(after, PASSWORD), { late: noise(9000, 'late') }, OPTIONS);
    let isBackedUp = true;
    for (let at = 0; isBackedUp; at++) {
      const [main, eu] = [cloneStore(before), new MemoryStore()];
      let listings = 0;
      isBackedUp = false;
      const busy = new FaultyStore(main, ({ method }) => {
        if (method !== 'list' || listings++ !== at) return undefined;
        isBackedUp = true;
        for (const [key, object] of after.objects) main.objects.set(key, object);
        return undefined;
      });
      await expectMirroredBy(mirroredWorkspace({ main: new RoundTrips().to(busy), eu }));
      await expectWhole(eu);
    }
  });

  it.each([
    ['data/', /^(index|snapshots)\//],
    ['index/', /^snapshots\//],
    ['snapshots/', /^none/],
    ['holdfast/tail/', /^none/],
  ])('is given nothing below %s that is damaged, nor what would refer to it', async (prefix, refers) => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const damaged = [...main.objects.keys()].find((key) => key.startsWith(prefix))!;
    main.objects.get(damaged)!.bytes[7]! ^= 1;
    const outcome = await mirrored(main, eu);
    expect(outcome).toMatchObject({ outcome: 'failed', error: { code: 'repository-damaged' } });
    expect(outcome.outcome === 'failed' && outcome.error.message).toContain(damaged);
    expect([...eu.objects.keys()].filter((key) => refers.test(key) || key === damaged)).toEqual([]);
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

  it('has packs of trees where they are had at once, whatever class the content is to lie on', async () => {
    const [main, eu] = [new NotingBulkStore(), new NotingBulkStore()];
    const repository = await testRepository(main);
    await writeFiles(repository, { large: noise(200_000), small: Buffer.from('x') }, OPTIONS);
    await expectMirrored(main, eu);
    const packs = [...main.objects.keys()].filter((key) => key.startsWith('data/'));
    expect(main.bulk.size).toBeGreaterThan(0);
    expect(packs.length).toBeGreaterThan(main.bulk.size);
    expect([...eu.bulk].sort()).toEqual([...main.bulk].sort());
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

describe('two runs at once', () => {
  it.each([
    ['copy nothing twice', true],
    ['do no harm where the store decides no race', false],
  ])('%s', async (_, conditionalPut) => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const counted = new FaultyStore(eu);
    counted.capabilities = async () => ({ conditionalPut, consistentListing: true });
    const put = counted.put.bind(counted);
    // Whoever comes first is still at it when the other looks.
    counted.put = async (key, ...rest) => {
      if (key.startsWith('keys/')) await setTimeout(100);
      return put(key, ...rest);
    };
    const outcomes = await Promise.all([mirrored(main, counted), mirrored(main, counted)]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['complete', 'complete']);
    const copied = counted.puts.filter((key) => !/^(?:config$|holdfast\/(?:mirror-lease|ledger))/.test(key));
    if (conditionalPut) expect(copied).toHaveLength(new Set(copied).size);
    expect(eu.objects.has('holdfast/mirror-lease')).toBe(false);
    await expectWhole(eu);
    await expectMirrored(main, eu);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });
});

describe('a run that another one took for dead', () => {
  afterEach(() => void vi.useRealTimers());

  it('puts nothing more, and says so', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const { key: sealing } = await lived(main);
    const taken = new FaultyStore(eu);
    const put = taken.put.bind(taken);
    taken.put = async (key, ...rest) => {
      await put(key, ...rest);
      if (!key.startsWith('index/')) return;
      const other = { version: 1, holder: 'other', hostname: 'elsewhere', pid: 1, username: 'somebody' };
      await eu.put('holdfast/mirror-lease', seal(sealing, Buffer.from(JSON.stringify(other))));
      await vi.advanceTimersByTimeAsync(31_000);
    };
    expect(await mirrored(main, taken)).toMatchObject({ outcome: 'failed', error: { code: 'lock-lost' } });
    expect(taken.puts.filter((key) => key.startsWith('snapshots/'))).toEqual([]);
  });
});

describe('a mirror that is down for an hour', () => {
  it('fails each run of that hour without end, is said to be behind by it, and catches up', async () => {
    const clock = movableClock();
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    const repository = await lived(main);
    await expectMirrored(main, eu);
    let isDown = true;
    const down = new FaultyStore(eu, () => (isDown ? 'before' : undefined));
    const { signal } = new AbortController();
    const wait = async (ms: number) => clock.advance(ms);
    /** Each run is a process of its own, which makes its calls again for as long as it likes. */
    const workspace = () => {
      const stores = { main, eu: new RetryingStore(down, { clock, signal, wait }) };
      return mirroredWorkspace(stores, {}, { clock });
    };
    const before = contentOf(eu);
    const startMs = clock.monotonicMs();
    let runs = 0;
    for (; clock.monotonicMs() - startMs < 3_600_000; runs++) {
      await writeFiles(repository, { large: noise(50_000, `hour ${runs}`) }, OPTIONS);
      const began = clock.monotonicMs();
      expect(await mirrored(main, eu, workspace())).toMatchObject({
        outcome: 'failed',
        error: { code: 'store-unreachable' },
      });
      expect(clock.monotonicMs() - began).toBeLessThan(11 * 60_000);
      clock.advance(10 * 60_000);
    }
    expect(contentOf(eu)).toEqual(before);
    isDown = false;
    const at = workspace();
    const opened = await at.open('main');
    const [behind] = await mirrorStatus(at, opened, await opened.ledger.read());
    expect(behind).toMatchObject({ lag: { snapshots: runs }, failure: { code: 'store-unreachable' } });
    expect(behind!.lag!.lagMs).toBeGreaterThan(59 * 60_000);
    const outcome = await mirrored(main, eu, workspace());
    expect(outcome).toMatchObject({ outcome: 'complete' });
    expect(outcome.outcome === 'complete' && outcome.lagMs).toBeGreaterThan(59 * 60_000);
    expect(contentOf(eu)).toEqual(contentOf(main));
    const events = await opened.ledger.read();
    expect(events.filter(({ kind }) => kind === 'mirror.failed')).toHaveLength(runs);
  });
});

describe('while a log is followed', () => {
  const NEVER_MS = 1_000_000;
  const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

  /** A follow into a repository with a mirror that may be away. */
  async function following({ everyMs = NEVER_MS, through = (eu: ObjectStore) => eu } = {}) {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    const away = { is: false };
    const store = new FaultyStore(through(eu), () => (away.is ? 'before' : undefined));
    const aborter = new AbortController();
    const workspace = mirroredWorkspace({ main, eu: store }, {}, { signal: aborter.signal });
    const mirrors = new FollowedMirrors(workspace, everyMs);
    const { repository } = mirrors.through(await workspace.open('main'));
    const write = (from: number, to: number) => writeTail(repository, segments(from, to));
    return { main, eu, away, aborter, mirrors, repository, write };
  }

  it('has each part of the tail as soon as the primary has it, and all else after one last run', async () => {
    const { main, eu, aborter, mirrors, repository, write } = await following();
    await soon(() => [...eu.objects.keys()].some((key) => key.startsWith('holdfast/ledger/'))).toBe(true);
    const part = await write(1.5, 2);
    await new LogTail(repository, OWNER).writeCovered({
      ...{ system: CLUSTER.system, timeline: 1, lsn: '0/20000' },
      coveredUntil: '2026-01-31T15:00:00Z',
    });
    const covered = [...main.objects.keys()].find((key) => key.endsWith('/covered'))!;
    await soon(() => [part, covered].map((key) => eu.objects.has(key))).toEqual([true, true]);
    expect(await measureLag(main, eu, Date.now())).toMatchObject({ logParts: 0, lagMs: 0 });
    await writeFiles(repository, { late: noise(50_000, 'late') }, OPTIONS);
    aborter.abort();
    expect(await mirrors.stop()).toMatchObject([{ mirror: 'eu', outcome: 'complete' }]);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });

  it('waits for no mirror that is away, says so, and has it catch up with a later run', async () => {
    const { main, eu, away, mirrors, write } = await following({ everyMs: 40 });
    const first = await write(1.5, 2);
    await soon(() => eu.objects.has(first)).toBe(true);
    away.is = true;
    const parts = [await write(2, 2.5), await write(2.5, 3)];
    const failures = async () => {
      const events = await (await mirroredWorkspace({ main }).open('main')).ledger.read();
      return events.filter(({ kind }) => kind === 'mirror.failed').length;
    };
    await soon(failures).toBeGreaterThan(0);
    expect(parts.map((key) => eu.objects.has(key))).toEqual([false, false]);
    expect(await measureLag(main, eu, Date.now() + 1000)).toMatchObject({ logParts: 2 });
    away.is = false;
    await soon(() => parts.map((key) => eu.objects.has(key))).toEqual([true, true]);
    const later = await write(3, 3.5);
    await soon(() => eu.objects.has(later)).toBe(true);
    expect(await mirrors.stop()).toMatchObject([{ outcome: 'complete' }]);
    expect(contentOf(eu)).toEqual(contentOf(main));
  });

  it('goes on where nothing there may be replaced, with what was covered before', async () => {
    const { main, eu, mirrors, repository, write } = await following({ through: withoutDeletion });
    const first = await write(1.5, 2);
    await soon(() => eu.objects.has(first)).toBe(true);
    const tail = new LogTail(repository, OWNER);
    for (const minute of [1, 2]) {
      const position = { system: CLUSTER.system, timeline: 1, lsn: '0/20000' };
      await tail.writeCovered({ ...position, coveredUntil: `2026-01-31T15:0${minute}:00Z` });
    }
    const later = await write(2, 2.5);
    await soon(() => eu.objects.has(later)).toBe(true);
    expect(await mirrors.stop()).toMatchObject([{ outcome: 'complete', keptObjects: 1 }]);
    expect(await measureLag(main, eu, Date.now())).toMatchObject({ logParts: 0, lagMs: 0 });
  });

  it('sends nothing to a mirror that somebody has made the primary', async () => {
    const { main, eu, mirrors, write } = await following();
    await soon(() => [...eu.objects.keys()].some((key) => key.startsWith('holdfast/ledger/'))).toBe(true);
    const before = await write(1.5, 2);
    await soon(() => eu.objects.has(before)).toBe(true);
    await promote(mirroredWorkspace({ main, eu }), 'eu');
    const part = await write(2, 2.5);
    // As long as it would take one.
    await setTimeout(50);
    expect(await mirrors.stop()).toMatchObject([{ outcome: 'failed', error: { code: 'mirror-refused' } }]);
    expect(eu.objects.has(part)).toBe(false);
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
