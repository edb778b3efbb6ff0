import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorsOf, movableClock, testRepository, writeFiles } from '../../test/support/repository.ts';
import { withUnreapedProcess } from '../../test/support/unreaped.ts';
import { withoutDeletion } from '../../test/support/without-deletion.ts';
import type { LockFile } from '../format/index.ts';
import { systemClock } from '../foundation/clock.ts';
import { EventualStore } from '../store/eventual/index.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import { DecoratedStore, type StoredObject } from '../store/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import { lockRepository } from './locks.ts';
import { writeMark } from './prune/marks.ts';
import type { Repository } from './repository.ts';
import { removeLocks } from './standing-locks.ts';

const shared = { exclusive: false, clock: systemClock };
const exclusive = { exclusive: true, clock: systemClock };
const MINUTE_MS = 60_000;

function locksIn(repository: Repository): Promise<string[]> {
  return repository.documentKeys('locks/');
}

function put(repository: Repository, lock: Partial<LockFile>): Promise<string> {
  return repository.putDocument('locks/', {
    time: new Date().toISOString(),
    exclusive: true,
    hostname: 'another-host',
    username: 'somebody',
    pid: 1,
    ...lock,
  });
}

function deadPid(): number {
  return spawnSync('true').pid;
}

async function bindsNobody(lock: Partial<LockFile>): Promise<void> {
  const repository = await testRepository();
  await put(repository, lock);
  const owner = await lockRepository(repository, exclusive);
  expect(await locksIn(repository)).toHaveLength(1);
  await owner.release();
}

describe('a lock', () => {
  it('is shared by any number, and gone when it is released', async () => {
    const repository = await testRepository();
    const held = [await lockRepository(repository, shared), await lockRepository(repository, shared)];
    expect(await locksIn(repository)).toHaveLength(2);
    for (const lock of held) await lock.release();
    expect(await locksIn(repository)).toEqual([]);
  });

  it('that is exclusive stands alone', async () => {
    const repository = await testRepository();
    const reader = await lockRepository(repository, shared);
    await expect(lockRepository(repository, exclusive)).rejects.toMatchObject({ code: 'repository-locked' });
    await reader.release();
    const owner = await lockRepository(repository, exclusive);
    await expect(lockRepository(repository, shared)).rejects.toMatchObject({ code: 'repository-locked' });
    await expect(lockRepository(repository, exclusive)).rejects.toMatchObject({ code: 'repository-locked' });
    expect(await locksIn(repository)).toHaveLength(1);
    await owner.release();
    await (await lockRepository(repository, shared)).release();
  });

  it('that is exclusive goes to one at most of those who try at the same time', async () => {
    const repository = await testRepository();
    const results = await Promise.allSettled([1, 2, 3].map(() => lockRepository(repository, exclusive)));
    const held = results.filter((result) => result.status === 'fulfilled');
    expect(held.length).toBeLessThanOrEqual(1);
    expect(await locksIn(repository)).toHaveLength(held.length);
  });

  it('that is exclusive is refused where listings lag, and shared ones are not', async () => {
    const store = new MemoryStore();
    store.capabilities = async () => ({ conditionalPut: true, consistentListing: false });
    const repository = await testRepository(store);
    for (const options of [{}, { besideOurs: [] }]) {
      const refused = lockRepository(repository, { exclusive: true, clock: systemClock, ...options });
      await expect(refused).rejects.toMatchObject({ code: 'store-unsuitable' });
    }
    expect(await repository.documentKeys('locks/')).toEqual([]);
    await (await lockRepository(repository, { exclusive: false, clock: systemClock })).release();
  });

  it('of another host says who it is', async () => {
    const repository = await testRepository();
    await put(repository, { pid: 4711 });
    await expect(lockRepository(repository, shared)).rejects.toThrow(
      /locked exclusively by somebody on another-host \(process 4711\)/,
    );
  });

  it.each([
    ['a process that is dead on this machine', () => ({ hostname: hostname(), pid: deadPid() })],
    ['half an hour ago', () => ({ time: new Date(Date.now() - 31 * MINUTE_MS).toISOString() })],
  ])('of %s binds nobody, and is removed', async (_, lock) => {
    await bindsNobody(lock());
  });

  it.runIf(existsSync('/proc/self/stat'))('of a process whose end nobody asked about binds nobody', async () => {
    await withUnreapedProcess((pid) => bindsNobody({ hostname: hostname(), pid }));
  });

  it.each([
    ['a process of the same number on another host', () => ({ pid: deadPid() })],
    ['a process that is alive', () => ({ hostname: hostname(), pid: process.pid })],
    ['29 minutes ago', () => ({ time: new Date(Date.now() - 29 * MINUTE_MS).toISOString() })],
  ])('of %s binds', async (_, lock) => {
    const repository = await testRepository();
    await put(repository, lock());
    await expect(lockRepository(repository, shared)).rejects.toMatchObject({ code: 'repository-locked' });
  });

  it('that cannot be read binds for half an hour', async () => {
    const store = new MemoryStore();
    const repository = await testRepository(store);
    const key = `locks/${'ab'.repeat(32)}`;
    await store.put(key, Buffer.from('torn'));
    await expect(lockRepository(repository, shared)).rejects.toThrow(key);
    store.objects.get(key)!.modifiedMs -= 31 * MINUTE_MS;
    await (await lockRepository(repository, shared)).release();
    expect(await locksIn(repository)).toEqual([]);
  });

  it('that is empty, or no lock by its name, binds nobody', async () => {
    const store = new MemoryStore();
    await store.put(`locks/${'ab'.repeat(32)}`, Buffer.alloc(0));
    await store.put('locks/README', Buffer.from('x'));
    await (await lockRepository(await testRepository(store), exclusive)).release();
  });

  it('is not left behind when it is refused, or when the check after it fails', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const listings = { count: 0 };
    store.rule = ({ method, key }) =>
      method === 'list' && key === 'locks/' && ++listings.count === 2 ? 'before' : undefined;
    await expect(lockRepository(repository, shared)).rejects.toMatchObject({ code: 'store-unreachable' });
    store.rule = () => undefined;
    expect(await locksIn(repository)).toEqual([]);
  });
});

describe('locks of ours', () => {
  const KINDS = {
    shared,
    'a check': { exclusive: false, whole: true, clock: systemClock },
    upkeep: { exclusive: true, besideOurs: [], clock: systemClock },
    exclusive,
  };
  type Kind = keyof typeof KINDS;
  const BESIDE: readonly string[] = ['shared shared', 'shared a check', 'a check a check', 'shared upkeep'];
  const kinds = Object.keys(KINDS) as Kind[];
  const pairs = kinds.flatMap((first) => kinds.map((second) => [first, second] as const));

  it.each(pairs)('let %s and then %s in side by side where that does no harm', async (first, second) => {
    const repository = await testRepository();
    const held = await lockRepository(repository, KINDS[first]);
    const attempt = lockRepository(repository, KINDS[second]);
    if (BESIDE.includes(`${first} ${second}`) || BESIDE.includes(`${second} ${first}`)) await (await attempt).release();
    else await expect(attempt).rejects.toMatchObject({ code: 'repository-locked' });
    expect(await locksIn(repository)).toHaveLength(1);
    await held.release();
  });

  it.each(kinds)("stand beside somebody else's as restic's do: %s", async (kind) => {
    const repository = await testRepository();
    const key = await put(repository, { exclusive: false });
    const attempt = lockRepository(repository, KINDS[kind]);
    if (kind === 'shared' || kind === 'a check') await (await attempt).release();
    else await expect(attempt).rejects.toMatchObject({ code: 'repository-locked' });
    await repository.store.delete(`locks/${key}`);
    await put(repository, { exclusive: true });
    await expect(lockRepository(repository, KINDS[kind])).rejects.toMatchObject({ code: 'repository-locked' });
  });

  it("are taken for somebody else's when what they say of themselves is not understood", async () => {
    const repository = await testRepository();
    await put(repository, { exclusive: false, holdfast: { access: 'newer' as never, marks: [] } });
    await expect(lockRepository(repository, KINDS.upkeep)).rejects.toMatchObject({ code: 'repository-locked' });
    await (await lockRepository(repository, shared)).release();
  });

  it('keep upkeep out while a holder does not know its marks, and learn them when they come later', async () => {
    const repository = await testRepository();
    const before = await lockRepository(repository, shared);
    const mark = await writeMark(repository, []);
    const sweep = { exclusive: true, besideOurs: [mark], clock: systemClock };
    await expect(lockRepository(repository, sweep)).rejects.toMatchObject({ code: 'repository-locked' });
    await before.release();
    const sweeper = await lockRepository(repository, sweep);
    const after = await lockRepository(repository, shared);
    await sweeper.release();
    await (await lockRepository(repository, sweep)).release();
    await after.release();
  });

  it('learn a mark that is gone already from who removed it', async () => {
    const repository = await testRepository();
    const sweeper = await lockRepository(repository, {
      exclusive: true,
      besideOurs: ['ab'.repeat(32)],
      clock: systemClock,
    });
    await (await lockRepository(repository, shared)).release();
    await sweeper.release();
  });

  it('say nothing of a mark that cannot be read, and wait for who removes it', async () => {
    const repository = await testRepository();
    const newer = await repository.putDocument('holdfast/prune/', { version: 2, packs: [] });
    const sweeper = await lockRepository(repository, { exclusive: true, besideOurs: [newer], clock: systemClock });
    await expect(lockRepository(repository, shared)).rejects.toMatchObject({ code: 'repository-locked' });
    await sweeper.release();
    await (await lockRepository(repository, shared)).release();
  });
});

describe('who cannot delete', () => {
  /** Two views of one place: that of who can delete, and that of who cannot. */
  async function twoViews() {
    const full = new MemoryStore();
    const repository = await testRepository(full);
    return { full, repository, writer: repository.through(withoutDeletion(full)) };
  }
  async function writersIn({ store }: Repository): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of store.list('holdfast/writers/')) keys.push(key);
    return keys;
  }
  afterEach(() => void vi.useRealTimers());

  it('is known as a writer while it works, beside others, and keeps away who wants to be alone', async () => {
    const { repository, writer } = await twoViews();
    const held = await lockRepository(writer, shared);
    await held.confirm();
    expect([await locksIn(repository), (await writersIn(repository)).length]).toEqual([[], 1]);
    await (await lockRepository(repository, shared)).release();
    for (const options of [exclusive, { ...exclusive, besideOurs: [await writeMark(repository, [])] }]) {
      await expect(lockRepository(repository, options)).rejects.toMatchObject({ code: 'repository-locked' });
    }
    await held.release();
    expect(await writersIn(repository)).toHaveLength(2);
    await (await lockRepository(repository, exclusive)).release();
    expect(await writersIn(repository)).toEqual([]);
  });

  it('counts by the newest of its entries, which go oldest first', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { full, repository, writer } = await twoViews();
    const clock = movableClock();
    const held = await lockRepository(writer, { exclusive: false, clock });
    for (let refresh = 1; refresh <= 11; refresh++) {
      clock.advance(5 * MINUTE_MS);
      await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
      await vi.waitUntil(async () => (await writersIn(repository)).length > refresh, { interval: 1, timeout: 30_000 });
    }
    held.assertHeld();
    await expect(lockRepository(repository, { exclusive: true, clock })).rejects.toMatchObject({
      ...{ code: 'repository-locked', context: { lock: expect.stringMatching(/-12$/) } },
    });
    await held.release();
    const removed = vi.spyOn(full, 'delete');
    const { removed: locks } = await removeLocks(repository, { clock, all: false, dryRun: false });
    expect(locks).toHaveLength(1);
    const counts = removed.mock.calls.map(([key]) => Number(key.slice(key.lastIndexOf('-') + 1)));
    expect(counts).toEqual(Array.from({ length: 13 }, (_, index) => index + 1));
    expect(await writersIn(repository)).toEqual([]);
  });

  it('binds nobody any more when it was not refreshed for half an hour, and finds that out', async () => {
    const { repository, writer } = await twoViews();
    const clock = movableClock();
    const held = await lockRepository(writer, { exclusive: false, clock });
    clock.advance(31 * MINUTE_MS);
    await (await lockRepository(repository, { exclusive: true, clock })).release();
    expect(() => held.assertHeld()).toThrow('could not be refreshed');
    expect(await writersIn(repository)).toEqual([]);
  });

  it('passes by a lock that binds nobody, learns marks, and is refused what it could not let go of', async () => {
    const { repository, writer } = await twoViews();
    await put(repository, { time: new Date(Date.now() - 31 * MINUTE_MS).toISOString() });
    const mark = await writeMark(repository, []);
    const held = await lockRepository(writer, shared);
    expect(await locksIn(repository)).toHaveLength(1);
    await (await lockRepository(repository, { ...exclusive, besideOurs: [mark] })).release();
    await held.release();
    await expect(lockRepository(writer, exclusive)).rejects.toMatchObject({ code: 'permission-denied' });
    expect([await locksIn(repository), (await writersIn(repository)).length]).toEqual([[], 2]);
  });
});

describe('removing locks', () => {
  it('takes those that bind nobody, all when asked to, and none when only looking', async () => {
    const repository = await testRepository();
    const held = await lockRepository(repository, shared);
    const dead = await put(repository, { hostname: hostname(), pid: deadPid() });
    const old = await put(repository, { time: new Date(Date.now() - 31 * MINUTE_MS).toISOString() });
    const stale = [`locks/${dead}`, `locks/${old}`].sort();
    for (const dryRun of [true, false]) {
      const { removed, left } = await removeLocks(repository, { clock: systemClock, all: false, dryRun });
      expect(removed.map(({ key }) => key).sort()).toEqual(stale);
      expect(left).toHaveLength(1);
      expect(await locksIn(repository)).toHaveLength(dryRun ? 3 : 1);
    }
    expect((await removeLocks(repository, { clock: systemClock, all: true, dryRun: false })).removed).toHaveLength(1);
    expect(await locksIn(repository)).toEqual([]);
    await held.release();
  });
});

describe('a lock that is held', () => {
  afterEach(() => void vi.useRealTimers());

  /** Time passes for the lock's timer and for its clock. */
  async function pass(clock: ReturnType<typeof movableClock>, minutes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      clock.advance(MINUTE_MS);
      await vi.advanceTimersByTimeAsync(MINUTE_MS);
    }
  }

  it('is refreshed, so that it never gets old', async () => {
    vi.useFakeTimers();
    const repository = await testRepository();
    const clock = movableClock();
    const lock = await lockRepository(repository, { exclusive: false, clock });
    const [first] = await locksIn(repository);
    await pass(clock, 120);
    lock.assertHeld();
    const now = await locksIn(repository);
    expect(now).toHaveLength(1);
    expect(now).not.toEqual([first]);
    await expect(lockRepository(repository, { exclusive: true, clock })).rejects.toMatchObject({
      code: 'repository-locked',
    });
    await lock.release();
    expect(await locksIn(repository)).toEqual([]);
  });

  it('says the same of the marks that it knows when it is refreshed', async () => {
    vi.useFakeTimers();
    const repository = await testRepository();
    const mark = await writeMark(repository, []);
    const clock = movableClock();
    const lock = await lockRepository(repository, { exclusive: false, clock });
    // Of what is marked later its holder knows nothing.
    await writeMark(repository, ['cd'.repeat(32)]);
    await pass(clock, 11);
    const [key] = await locksIn(repository);
    expect(await repository.getDocument(key!)).toMatchObject({ holdfast: { access: 'shared', marks: [mark] } });
    await lock.release();
  });

  it('is given up after 22 minutes without a refresh, and stays so', async () => {
    vi.useFakeTimers();
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const clock = movableClock();
    const lock = await lockRepository(repository, { exclusive: false, clock });
    store.rule = ({ method }) => (method === 'put' ? 'before' : undefined);
    await pass(clock, 21);
    lock.assertHeld();
    await pass(clock, 2);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    store.rule = () => undefined;
    await pass(clock, 20);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await lock.release();
  });

  it('is given up when somebody removed it, though it could be refreshed', async () => {
    vi.useFakeTimers();
    const repository = await testRepository();
    const clock = movableClock();
    const lock = await lockRepository(repository, { exclusive: false, clock });
    await removeLocks(repository, { clock, all: true, dryRun: false });
    await pass(clock, 6);
    expect(() => lock.assertHeld()).toThrow(/somebody removed the lock/);
    expect(await locksIn(repository)).toEqual([]);
    await lock.release();
  });

  it('is looked for in the repository by who is about to build on it, and not taken for removed while it is refreshed', async () => {
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
    await lock.confirm();
    // Refreshed between being asked for and being answered: it stands by another key.
    vi.useFakeTimers();
    const clock = movableClock();
    const refreshed = await lockRepository(repository, { exclusive: false, clock });
    const [stat, keys] = [store.stat.bind(store), await locksIn(repository)];
    let asked = 0;
    store.stat = async (key) => {
      if (asked++ === 0) await pass(clock, 6);
      return stat(key);
    };
    await refreshed.confirm();
    expect((await locksIn(repository)).filter((key) => !keys.includes(key))).toHaveLength(1);
    vi.useRealTimers();
    await removeLocks(repository, { clock: systemClock, all: true, dryRun: false });
    await expect(lock.confirm()).rejects.toThrow(/somebody removed the lock/);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await lock.release();
    await refreshed.release();
  });

  it.each([
    { what: 'the machine slept, which only the wall clock knows', wall: true },
    { what: 'the wall clock was set back, and another one went on', wall: false },
  ])('is given up when $what', async ({ wall }) => {
    const repository = await testRepository();
    const startMs = Date.now();
    let passedMs = 0;
    const clock = { nowMs: () => startMs + (wall ? passedMs : 0), monotonicMs: () => (wall ? 0 : passedMs) };
    const lock = await lockRepository(repository, { exclusive: false, clock });
    passedMs = 23 * MINUTE_MS;
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await lock.release();
  });

  it('removes the locks before it, at the next turn when it could not at once', async () => {
    vi.useFakeTimers();
    const store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    const clock = movableClock();
    const lock = await lockRepository(repository, { exclusive: false, clock });
    store.rule = ({ method }) => (method === 'delete' ? 'before' : undefined);
    await pass(clock, 11);
    expect((await locksIn(repository)).length).toBeGreaterThan(1);
    store.rule = () => undefined;
    await pass(clock, 5);
    expect(await locksIn(repository)).toHaveLength(1);
    await lock.release();
    expect(await locksIn(repository)).toEqual([]);
  });

  it.each(['index/', 'snapshots/'])('that somebody removed keeps its writer from writing %s', async (prefix) => {
    const repository = await testRepository();
    const before = prefix === 'index/' ? 'data/' : 'index/';
    const store = repository.store as MemoryStore;
    const put = store.put.bind(store);
    store.put = async (key, ...rest) => {
      await put(key, ...rest);
      if (!key.startsWith(before)) return;
      await removeLocks(repository, { clock: systemClock, all: true, dryRun: false });
    };
    await expect(writeFiles(repository, { a: Buffer.from('a') })).rejects.toMatchObject({ code: 'lock-lost' });
    expect(await repository.documentKeys(prefix)).toEqual([]);
    expect(await repository.documentKeys(before)).not.toEqual([]);
  });

  it('that was lost keeps its writer from making a snapshot visible', async () => {
    const repository = await testRepository();
    let nowMs = Date.now();
    const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
    const store = repository.store as MemoryStore;
    const put = store.put.bind(store);
    store.put = async (key, ...rest) => {
      if (key.startsWith('index/')) nowMs += 23 * MINUTE_MS;
      return put(key, ...rest);
    };
    await expect(writeFiles(repository, { a: Buffer.from('a') }, { clock })).rejects.toMatchObject({
      code: 'lock-lost',
    });
    expect(await repository.documentKeys('snapshots/')).toEqual([]);
  });
});

describe('a lock of a machine whose clock is an hour wrong', () => {
  const clockOff = (ms: number) => ({ nowMs: () => Date.now() + ms, monotonicMs: () => performance.now() });

  it.each([
    ['its holder', -60 * MINUTE_MS, 0],
    ['who comes', 0, 60 * MINUTE_MS],
  ])('is taken for stale, of %s, and then its writer makes nothing visible', async (_, holderMs, otherMs) => {
    const repository = await testRepository();
    const store = repository.store as MemoryStore;
    const stored = await writeFiles(repository, { before: Buffer.from('before') });
    const put = store.put.bind(store);
    let others = 0;
    store.put = async (key, ...rest) => {
      if (key.startsWith('index/') && others++ === 0) {
        await (await lockRepository(repository, { exclusive: true, clock: clockOff(otherMs) })).release();
      }
      return put(key, ...rest);
    };
    const writing = writeFiles(repository, { a: Buffer.from('a') }, { clock: clockOff(holderMs) });
    await expect(writing).rejects.toMatchObject({ code: 'lock-lost' });
    expect(others).toBe(1);
    expect(await repository.documentKeys('snapshots/')).toEqual([`snapshots/${stored.id}`]);
    expect(await locksIn(repository)).toEqual([]);
    expect(await errorsOf(repository)).toEqual([]);
  });
});

describe('locks on a store whose listings lag', () => {
  const LAG_MS = 400;

  it('are exclusive all the same, however those who take them come', async () => {
    const races = Array.from({ length: 12 }, async (_, race) => {
      const store = new EventualStore(new MemoryStore(), { lagMs: LAG_MS, clock: systemClock });
      const repository = await testRepository(store);
      const holders: boolean[] = [];
      const racers = [true, race % 3 === 0, race % 3 !== 2].map(async (isExclusive, racer) => {
        await new Promise((resolve) => setTimeout(resolve, ((race * 37 + racer * 211 * (race % 4)) % 700) + racer));
        const lock = await lockRepository(repository, isExclusive ? exclusive : shared);
        holders.push(isExclusive);
        expect(holders.length === 1 || !holders.includes(true)).toBe(true);
        await new Promise((resolve) => setTimeout(resolve, LAG_MS * 2));
        holders.splice(holders.indexOf(isExclusive), 1);
        await lock.release();
      });
      for (const result of await Promise.allSettled(racers)) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'repository-locked' });
      }
    });
    await Promise.all(races);
  });

  it('are refused, with the reason, where nobody can tell who holds one', async () => {
    let passedMs = 0;
    const clock = { nowMs: () => Date.now(), monotonicMs: () => (passedMs += 5000) };
    const inner = new MemoryStore();
    const repository = await testRepository(inner);
    const lagging = new EventualStore(inner, { lagMs: Number.POSITIVE_INFINITY, clock });
    await expect(lockRepository(repository.through(lagging), { ...shared, clock })).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('does not list what was put a minute ago'),
    });
    expect(await locksIn(repository)).toEqual([]);
  });

  it('look again when a listing shows one that is gone: its holder may have a newer one', async () => {
    const inner = new MemoryStore();
    const repository = await testRepository(inner);
    const old: StoredObject = { key: `locks/${'ab'.repeat(32)}`, sizeBytes: 100, modifiedMs: Date.now() };
    const fresh = `locks/${await put(repository, { exclusive: false })}`;
    /** As a listing in pages may be: begun before the holder renewed its lock, and ended after. */
    class Paged extends DecoratedStore {
      listings = 0;
      override async *list(prefix: string): AsyncIterable<StoredObject> {
        const isTorn = prefix === 'locks/' && this.listings++ < 2;
        if (isTorn) yield old;
        for await (const object of super.list(prefix)) if (!isTorn || object.key !== fresh) yield object;
      }
    }
    await expect(lockRepository(repository.through(new Paged(inner)), exclusive)).rejects.toMatchObject({
      code: 'repository-locked',
    });
  });
});
