import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import { systemClock } from '../../foundation/clock.ts';
import { FaultyStore } from '../faulty/index.ts';
import { MemoryStore } from '../memory/index.ts';
import { RetryingStore } from './retrying-store.ts';

/** What it does about each kind of failure is tested on buckets, in `test/support/store-faults.ts`. */
describeObjectStore('a store of which every other call fails, before or after its effect, retried', () => {
  const faulty = new FaultyStore(new MemoryStore(), (_, index) =>
    index % 2 === 1 ? undefined : index % 4 === 0 ? 'after' : 'before',
  );
  return new RetryingStore(faulty, { clock: systemClock, signal: new AbortController().signal, wait: async () => {} });
});
