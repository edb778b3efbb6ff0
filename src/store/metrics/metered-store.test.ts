import { describe, expect, it } from 'vitest';
import { SimulatedTime } from '../../../test/support/simulated-time.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { systemClock } from '../../foundation/clock.ts';
import { FaultyStore } from '../faulty/index.ts';
import { DEFAULT_PRICES, estimatedCost, StoreMetrics } from '../index.ts';
import { MemoryStore } from '../memory/index.ts';
import { SlowStore } from '../slow/index.ts';
import { MeteredStore } from './index.ts';

describeObjectStore('a store that is metered', () => {
  return new MeteredStore(new MemoryStore(), new StoreMetrics(), systemClock);
});

async function all(store: MeteredStore, prefix: string): Promise<number> {
  let count = 0;
  for await (const _ of store.list(prefix)) count++;
  return count;
}

describe('metrics of a store', () => {
  it('are calls, bytes, failures and latency by method, and pages of listings', async () => {
    const time = new SimulatedTime();
    const inner = new FaultyStore(new MemoryStore());
    const metrics = new StoreMetrics();
    const slow = new SlowStore(inner, { latencyMs: 20, pause: time.pause });
    const store = new MeteredStore(slow, metrics, time);
    for (let index = 0; index < 2500; index++) await inner.put(`many/${index}`, Buffer.from('x'));
    await time.run(
      (async () => {
        await store.put('a', Buffer.alloc(300));
        await store.get('a');
        slow.slowness.latencyMs = 50;
        await store.get('a', { offset: 10, length: 30 });
        await store.stat('a');
        await expect(store.get('missing')).rejects.toMatchObject({ code: 'object-missing' });
        expect(await all(store, 'many/')).toBe(2500);
        expect(await all(store, 'nothing/')).toBe(0);
        inner.rule = ({ method }) => (method === 'get' || method === 'put' ? 'before' : undefined);
        await expect(store.get('a')).rejects.toMatchObject({ code: 'store-unreachable' });
        await expect(store.put('b', Buffer.alloc(10))).rejects.toMatchObject({ code: 'store-unreachable' });
        await store.delete('a');
      })(),
    );
    expect(metrics.methods).toEqual({
      put: { calls: 2, failures: 1, bytes: 300, totalMs: 70, longestMs: 50 },
      get: { calls: 4, failures: 1, bytes: 330, totalMs: 170, longestMs: 50 },
      list: { calls: 4, failures: 0, bytes: 0, totalMs: 100, longestMs: 50 },
      stat: { calls: 1, failures: 0, bytes: 0, totalMs: 50, longestMs: 50 },
      delete: { calls: 1, failures: 0, bytes: 0, totalMs: 50, longestMs: 50 },
    });
    expect(metrics.calls).toBe(12);
  });

  it('say what requests and what was read cost', () => {
    const metrics = new StoreMetrics();
    const done = { tookMs: 0, failed: false };
    metrics.record('put', { ...done, calls: 900, bytes: 16e9 });
    metrics.record('list', { ...done, calls: 100, bytes: 0 });
    metrics.record('get', { ...done, calls: 4000, bytes: 10e9 });
    metrics.record('stat', { ...done, calls: 1000, bytes: 0 });
    metrics.record('delete', { ...done, calls: 1_000_000, bytes: 0 });
    expect(estimatedCost(metrics, DEFAULT_PRICES)).toBeCloseTo(0.005 + 0.002 + 0.9, 10);
    expect(estimatedCost(metrics, { writes: 1, reads: 10, download: 0 })).toBeCloseTo(1 + 50, 10);
  });
});
