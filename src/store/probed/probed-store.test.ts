import { describe, expect, it } from 'vitest';
import { RoundTrips } from '../../../test/support/round-trips.ts';
import { systemClock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { FaultyStore } from '../faulty/index.ts';
import type { Content, PutOptions, StoredObject } from '../index.ts';
import { MemoryStore } from '../memory/index.ts';
import { ProbedStore } from './probed-store.ts';

const known = (store: MemoryStore) =>
  new ProbedStore(store, { clock: systemClock, recordFile: undefined }).capabilities();

/** Takes a condition, and lets everybody win. */
class LyingStore extends MemoryStore {
  override put(key: string, content: Content): Promise<void> {
    return super.put(key, content);
  }
}

/** Decides between those that come at the same time, or with one who comes late, but not both. */
class HalfDecidingStore extends MemoryStore {
  readonly #decides: 'at-once' | 'late';
  readonly #racing = new Set<string>();

  constructor(decides: 'at-once' | 'late') {
    super();
    this.#decides = decides;
  }

  override async put(key: string, content: Content, { ifAbsent = false }: PutOptions = {}): Promise<void> {
    const isLate = this.objects.has(key);
    const isRace = this.#racing.has(key);
    this.#racing.add(key);
    await new Promise((resolve) => setImmediate(resolve));
    this.#racing.delete(key);
    const isRefused = this.#decides === 'late' ? isLate : isRace;
    if (ifAbsent && isRefused) throw new HoldfastError('object-exists', `${key} is there already`);
    // Who comes second is told that all is well, and changes nothing.
    if (!ifAbsent || !this.objects.has(key)) await super.put(key, content);
  }
}

/** Does not know conditions. */
class UnknowingStore extends MemoryStore {
  override async put(key: string, content: Content, { ifAbsent = false }: PutOptions = {}): Promise<void> {
    if (ifAbsent) throw new HoldfastError('store-failed', 'not implemented');
    await super.put(key, content);
  }
}

/** Lists what was there a while ago: nothing yet, or still what was deleted. */
class LaggingStore extends MemoryStore {
  readonly #listed = new Map<string, StoredObject>();
  readonly #lag: 'puts' | 'deletes';

  constructor(lag: 'puts' | 'deletes') {
    super();
    this.#lag = lag;
  }

  override async *list(prefix: string): AsyncIterable<StoredObject> {
    for await (const object of super.list(prefix)) this.#listed.set(object.key, object);
    if (this.#lag === 'deletes') yield* this.#listed.values();
  }
}

/** Stores and deletes what may be, as credentials that may not delete do. */
class KeepingStore extends MemoryStore {
  override async delete(): Promise<void> {
    throw new HoldfastError('permission-denied', 'not allowed to delete');
  }
}

describe('a probe', () => {
  it.each([
    ['honours all that it claims', new MemoryStore(), { conditionalPut: true, consistentListing: true }],
    ['ignores conditions', new LyingStore(), { conditionalPut: false, consistentListing: true }],
    ['decides no race', new HalfDecidingStore('late'), { conditionalPut: false, consistentListing: true }],
    ['decides races only', new HalfDecidingStore('at-once'), { conditionalPut: false, consistentListing: true }],
    ['refuses conditions', new UnknowingStore(), { conditionalPut: false, consistentListing: true }],
    ['lists late what was put', new LaggingStore('puts'), { conditionalPut: true, consistentListing: false }],
    ['lists still what was deleted', new LaggingStore('deletes'), { conditionalPut: true, consistentListing: false }],
    ['lets nothing be deleted', new KeepingStore(), { conditionalPut: true, consistentListing: true, deletes: false }],
  ])('knows a store that %s', async (_, store, honoured) => {
    expect(await known(store)).toEqual(honoured);
    if (!(store instanceof KeepingStore)) expect([...store.objects.keys()]).toEqual([]);
  });

  it('takes four round trips', async () => {
    const trips = new RoundTrips();
    const store = trips.to(new MemoryStore());
    await new ProbedStore(store, { clock: systemClock, recordFile: undefined }).capabilities();
    expect(trips.count).toBe(4);
  });

  it.each(['raced', 'plain'])('leaves nothing where a step with what is %s fails', async (name) => {
    const inner = new MemoryStore();
    const store = new FaultyStore(inner, ({ method, key }) =>
      (method === 'get' || method === 'list') && (name === 'raced') === key.endsWith('raced') ? 'before' : undefined,
    );
    const probed = new ProbedStore(store, { clock: systemClock, recordFile: undefined });
    await expect(probed.capabilities()).rejects.toMatchObject({ code: 'store-unreachable' });
    expect([...inner.objects.keys()]).toEqual([]);
  });

  it('knows nothing where it may not write, and is tried again when it is asked again', async () => {
    const store = new MemoryStore();
    const refusal = new HoldfastError('permission-denied', 'not allowed to write');
    const put = store.put.bind(store);
    store.put = () => Promise.reject(refusal);
    const probed = new ProbedStore(store, { clock: systemClock, recordFile: undefined });
    await expect(probed.capabilities()).rejects.toBe(refusal);
    store.put = put;
    expect(await probed.capabilities()).toMatchObject({ conditionalPut: true });
  });
});
