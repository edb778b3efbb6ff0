import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedTime } from '../../../test/support/simulated-time.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { systemClock } from '../../foundation/clock.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { sideBySide } from '../../foundation/promises.ts';
import { MemoryStore } from '../memory/index.ts';
import { type Slowness, SlowStore } from '../slow/index.ts';
import { AdaptiveStore, BandwidthStore } from './index.ts';

const KIB = 1024;
const real = { clock: systemClock, pause: pauseUntilAborted(new AbortController().signal) };

describeObjectStore('a store with limits', () => {
  const wide = { upload: 1e12, download: 1e12 };
  return new BandwidthStore(new AdaptiveStore(new MemoryStore(), systemClock), wide, real);
});

describe('a limit of bandwidth', () => {
  const amounts = fc.array(fc.record({ bytes: fc.integer({ min: 65 * KIB, max: 4000 * KIB }), idleMs: fc.nat(3000) }), {
    minLength: 5,
    maxLength: 30,
  });

  it.each(['upload', 'download'] as const)('of %s is kept over any time, and is used', async (direction) => {
    await fc.assert(
      fc.asyncProperty(amounts, fc.integer({ min: 100_000, max: 5_000_000 }), async (objects, bytesPerSecond) => {
        const time = new SimulatedTime();
        const passed: { atMs: number; bytes: number }[] = [];
        const inner = new MemoryStore();
        const count = (bytes: number): void => void passed.push({ atMs: time.monotonicMs(), bytes });
        inner.put = async (_key, content) => count((content as Uint8Array).byteLength);
        inner.get = async (_key, range) => {
          count(range!.length);
          return new Uint8Array(0);
        };
        const store = new BandwidthStore(inner, { [direction]: bytesPerSecond }, { clock: time, pause: time.pause });
        await time.run(
          sideBySide(objects, 4, async ({ bytes, idleMs }) => {
            await time.pause(idleMs);
            if (direction === 'upload') await store.put('a', Buffer.alloc(bytes));
            else await store.get('a', { offset: 0, length: bytes });
          }),
        );
        for (let from = 0; from < passed.length; from++) {
          let bytes = 0;
          for (const each of passed.slice(from)) {
            const elapsedMs = each.atMs - passed[from]!.atMs;
            expect(bytes).toBeLessThanOrEqual(((elapsedMs + 1000) / 1000) * bytesPerSecond + 1 + largest(passed));
            bytes += each.bytes;
          }
        }
        const total = objects.reduce((sum, { bytes }) => sum + bytes, 0);
        const idleMs = objects.reduce((sum, each) => sum + each.idleMs, 0);
        expect(time.monotonicMs()).toBeLessThanOrEqual((total / bytesPerSecond) * 1000 + idleMs + 1);
      }),
      { numRuns: 25 },
    );
  });

  it('lets what is small through at once, as a lock must be, and the other direction too', async () => {
    const time = new SimulatedTime();
    const store = new BandwidthStore(new MemoryStore(), { upload: 1000 }, { clock: time, pause: time.pause });
    const large = [1, 2].map((number) => store.put(`large/${number}`, Buffer.alloc(100 * KIB)));
    await store.put('locks/a', Buffer.alloc(500));
    expect((await store.get('locks/a')).byteLength).toBe(500);
    expect(time.monotonicMs()).toBe(0);
    await time.run(Promise.all(large));
    expect(time.monotonicMs()).toBeGreaterThan(100_000);
  });

  it('waits no longer than the work goes on', async () => {
    const controller = new AbortController();
    const time = { clock: systemClock, pause: pauseUntilAborted(controller.signal) };
    const store = new BandwidthStore(new MemoryStore(), { upload: 1000 }, time);
    await store.put('a', Buffer.alloc(100 * KIB));
    const waiting = store.put('b', Buffer.alloc(100 * KIB));
    controller.abort();
    await expect(waiting).rejects.toThrow();
    expect(await store.stat('b')).toBeUndefined();
  });
});

function largest(passed: { bytes: number }[]): number {
  return Math.max(...passed.map(({ bytes }) => bytes));
}

describe('the number of requests at once', () => {
  /** So many callers, each with so many requests, who try again when they are refused. */
  async function load(slowness: Omit<Slowness, 'pause'>, callers: number, requests: number, bytes = 1000) {
    const time = new SimulatedTime();
    const slow = new SlowStore(new MemoryStore(), { ...slowness, pause: time.pause });
    const store = new AdaptiveStore(slow, time);
    const call = async (): Promise<void> => {
      for (let number = 0; number < requests; number++) {
        while (!(await put(store, bytes))) await time.pause(slowness.latencyMs);
      }
    };
    await time.run(Promise.all(Array.from({ length: callers }, call)));
    return { store, slow, time, elapsedMs: time.monotonicMs() };
  }

  async function put(store: AdaptiveStore, bytes: number): Promise<boolean> {
    const [result] = await Promise.allSettled([store.put('a', Buffer.alloc(bytes))]);
    return result.status === 'fulfilled';
  }

  it('grows to what the callers need where the store bears it', async () => {
    const { store, slow, elapsedMs } = await load({ latencyMs: 50 }, 40, 60);
    expect(store.limit).toBeGreaterThanOrEqual(36);
    expect(slow.seen.most).toBeGreaterThanOrEqual(36);
    expect(elapsedMs).toBeLessThan(60 * 50 * 1.5);
  });

  it('is never more than is of any use, and does not grow by what is not asked for', async () => {
    expect((await load({ latencyMs: 20 }, 200, 40)).store.limit).toBe(64);
    expect((await load({ latencyMs: 20 }, 3, 300)).store.limit).toBe(8);
  });

  it('settles where a store begins to refuse, with few refusals and most of what it can do', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 40 }), fc.integer({ min: 5, max: 200 }), async (bears, latencyMs) => {
        const { slow, store, elapsedMs } = await load({ latencyMs, refuseAbove: bears }, 64, 40);
        expect(store.limit).toBeLessThanOrEqual(bears + 1);
        expect(slow.seen.refused / (64 * 40)).toBeLessThan(0.1);
        expect((64 * 40 * latencyMs) / bears / elapsedMs).toBeGreaterThan(0.6);
      }),
      { numRuns: 12 },
    );
  });

  it('shrinks when requests only wait for one another', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), async (parallel) => {
        const { slow, store, elapsedMs } = await load({ latencyMs: 200, parallel }, 64, 25);
        expect(store.limit).toBeLessThanOrEqual(parallel * 6 + 2);
        expect(slow.seen.now).toBe(0);
        expect((64 * 25 * 200) / parallel / elapsedMs).toBeGreaterThan(0.9);
      }),
      { numRuns: 8 },
    );
  });

  it('shrinks when a store becomes slower than it was', async () => {
    const { slow, store, time } = await load({ latencyMs: 100 }, 40, 60);
    expect(store.limit).toBeGreaterThanOrEqual(36);
    slow.slowness = { latencyMs: 100, parallel: 2, pause: time.pause };
    await time.run(sideBySide(Array.from({ length: 800 }), 40, () => put(store, 1000)));
    expect(store.limit).toBeLessThanOrEqual(14);
  });

  it('grows again once the store has recovered', async () => {
    const { slow, store, time } = await load({ latencyMs: 50, refuseAbove: 3 }, 40, 20);
    expect(store.limit).toBeLessThanOrEqual(4);
    slow.slowness = { latencyMs: 50, pause: time.pause };
    await time.run(sideBySide(Array.from({ length: 2500 }), 40, () => put(store, 1000)));
    expect(store.limit).toBeGreaterThanOrEqual(30);
  });

  it('takes what is missing, or there already, for no refusal', async () => {
    const store = new AdaptiveStore(new MemoryStore(), systemClock);
    const before = store.limit;
    for (let number = 0; number < 20; number++) {
      await expect(store.get('nothing')).rejects.toMatchObject({ code: 'object-missing' });
    }
    expect(store.limit).toBe(before);
  });
});
