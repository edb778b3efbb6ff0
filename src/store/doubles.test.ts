import { describe, expect, it } from 'vitest';
import { describeObjectLock } from '../../test/support/lock-conformance.ts';
import { movableClock } from '../../test/support/repository.ts';
import { describeObjectStore } from '../../test/support/store-conformance.ts';
import { systemClock } from '../foundation/clock.ts';
import { EventualStore } from './eventual/index.ts';
import { StoreMetrics } from './index.ts';
import { AdaptiveStore, BandwidthStore } from './limits/index.ts';
import { LockingStore } from './locking/index.ts';
import { LyingStore } from './lying/index.ts';
import { MemoryStore } from './memory/index.ts';
import { MeteredStore } from './metrics/index.ts';
import { ProbedStore } from './probed/index.ts';
import { RetryingStore } from './retrying/index.ts';
import { SlowStore } from './slow/index.ts';

describeObjectStore('a slow store', () => new SlowStore(new MemoryStore(), { latencyMs: 0, pause: async () => {} }));
describeObjectStore('a store with versions and locks', () => new LockingStore(new MemoryStore(), systemClock));
describeObjectStore('a store whose listings do not lag', () => {
  return new EventualStore(new MemoryStore(), { lagMs: 0, clock: systemClock });
});
describeObjectStore(
  'a store whose listings lag',
  () => new EventualStore(new MemoryStore(), { lagMs: 60_000, clock: systemClock }),
  {
    fails: [
      'lists what lies below a prefix, at any depth, with sizes and times',
      'is what a map would be, whatever is done to it',
    ],
  },
);
describeObjectStore('a store that lies about conditional puts', () => new LyingStore(new MemoryStore()), {
  fails: ['decides a race of conditional puts, where it says that it can'],
});

describeObjectLock(
  'a store with versions and locks',
  () => {
    const clock = movableClock();
    return { store: new LockingStore(new MemoryStore(), clock), advance: clock.advance };
  },
  { movesTime: true },
);
describeObjectLock(
  'a store with versions and locks, counted, limited and retried',
  () => {
    const clock = movableClock();
    const counted = new MeteredStore(new LockingStore(new MemoryStore(), clock), new StoreMetrics(), clock);
    const limits = { upload: 1e9, download: 1e9 };
    const paced = new BandwidthStore(new AdaptiveStore(counted, clock), limits, { clock, pause: async () => {} });
    const retrying = new RetryingStore(paced, { clock, signal: new AbortController().signal });
    return { store: new ProbedStore(retrying, { clock, recordFile: undefined }), advance: clock.advance };
  },
  { movesTime: true },
);

describe('a store whose listings lag', () => {
  it('shows what was put and deleted later, in that order, and gives it at once', async () => {
    const clock = movableClock();
    const store = new EventualStore(new MemoryStore(), { lagMs: 100, clock });
    const keys = async () => {
      const listed: string[] = [];
      for await (const { key } of store.list('a/')) listed.push(key);
      return listed;
    };
    await store.put('a/1', Buffer.from('x'));
    clock.advance(60);
    await store.put('a/2', Buffer.from('x'));
    await store.delete('a/1');
    expect([await keys(), (await store.get('a/2')).byteLength, await store.stat('a/1')]).toEqual([[], 1, undefined]);
    clock.advance(40);
    expect(await keys()).toEqual(['a/1']);
    clock.advance(60);
    expect(await keys()).toEqual(['a/2']);
  });
});
