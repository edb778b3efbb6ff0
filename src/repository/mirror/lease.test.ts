import { afterEach, describe, expect, it, vi } from 'vitest';
import { SimulatedTime } from '../../../test/support/simulated-time.ts';
import { newSealingKey, seal } from '../../format/index.ts';
import { noProgress } from '../../foundation/progress.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { MIRROR_LEASE_KEY } from '../layout.ts';
import { MirrorLease } from './lease.ts';

const MINUTE_MS = 60_000;
const key = newSealingKey();

function leaseIn(store: MemoryStore, time = new SimulatedTime()): MirrorLease {
  const { signal } = new AbortController();
  return new MirrorLease(key, store, { clock: time, pause: time.pause, progress: noProgress, signal });
}

/** What a holder writes who is somewhere else, another time each. */
function putOther(store: MemoryStore, change: object = {}): Promise<void> {
  const other = { version: 1, holder: 'other', hostname: 'elsewhere', pid: 1, username: 'somebody', ...change };
  return store.put(MIRROR_LEASE_KEY, seal(key, Buffer.from(JSON.stringify(other))));
}

describe('the lease of a mirror', () => {
  afterEach(() => void vi.useRealTimers());

  it('is taken over from a holder elsewhere who shows for three minutes no sign of life, whatever the clocks say', async () => {
    for (const change of [{}, { version: 2 }]) {
      const [store, time] = [new MemoryStore(), new SimulatedTime()];
      await putOther(store, change);
      const lease = leaseIn(store, time);
      expect(await time.run(lease.take())).toBe(true);
      expect(time.monotonicMs()).toBeGreaterThan(3 * MINUTE_MS);
      expect(time.monotonicMs()).toBeLessThan(3.1 * MINUTE_MS);
      await lease.release();
      expect(store.objects.size).toBe(0);
    }
  });

  it('is waited for as long as its holder shows that it is alive', async () => {
    const [store, time] = [new MemoryStore(), new SimulatedTime()];
    const hold = async () => {
      for (let beats = 0; beats < 20; beats++) {
        await putOther(store);
        await time.pause(MINUTE_MS);
      }
      await store.delete(MIRROR_LEASE_KEY);
    };
    const holding = hold();
    const lease = leaseIn(store, time);
    expect(await time.run(lease.take())).toBe(true);
    await holding;
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(20 * MINUTE_MS);
    await lease.release();
  });

  it('is not waited for when its process was of this machine and is over', async () => {
    const [store, time] = [new MemoryStore(), new SimulatedTime()];
    const before = leaseIn(store, time);
    await before.take();
    const kept = store.objects.get(MIRROR_LEASE_KEY)!;
    await before.release();
    store.objects.set(MIRROR_LEASE_KEY, kept);
    const lease = leaseIn(store, time);
    await time.run(lease.take());
    expect(time.monotonicMs()).toBe(0);
    await lease.release();
  });

  it('is kept by refreshing, and ends the run of who lost it, which leaves that of the other alone', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const store = new MemoryStore();
    const lease = leaseIn(store);
    expect(await lease.take()).toBe(false);
    const first = store.objects.get(MIRROR_LEASE_KEY)!.bytes;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(store.objects.get(MIRROR_LEASE_KEY)!.bytes).not.toEqual(first);
    lease.assertHeld();
    await putOther(store);
    await vi.advanceTimersByTimeAsync(31_000);
    expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ code: 'lock-lost' }));
    await lease.release();
    expect(store.objects.has(MIRROR_LEASE_KEY)).toBe(true);
  });
});
