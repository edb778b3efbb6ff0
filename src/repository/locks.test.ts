import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { movableClock, testRepository, writeFiles } from '../../test/support/repository.ts';
import type { LockFile } from '../format/index.ts';
import { systemClock } from '../foundation/clock.ts';
import { FaultyStore } from '../store/faulty/index.ts';
import { MemoryStore } from '../store/memory/index.ts';
import { lockRepository } from './locks.ts';
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
    const repository = await testRepository();
    await put(repository, lock());
    const owner = await lockRepository(repository, exclusive);
    expect(await locksIn(repository)).toHaveLength(1);
    await owner.release();
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

  it('is given up when the machine slept, which only the wall clock knows', async () => {
    const repository = await testRepository();
    let nowMs = Date.now();
    const lock = await lockRepository(repository, {
      exclusive: false,
      clock: { nowMs: () => nowMs, monotonicMs: () => 0 },
    });
    nowMs += 23 * MINUTE_MS;
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
