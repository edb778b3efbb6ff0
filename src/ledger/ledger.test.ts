import { describe, expect, it } from 'vitest';
import { newSealingKey, seal, unseal } from '../format/index.ts';
import { HoldfastError } from '../foundation/errors.ts';
import type { LedgerEvent } from './events.ts';
import { Ledger, type LedgerStorage } from './ledger.ts';

const key = newSealingKey();

/** A storage in memory, whose objects a test may tamper with. */
function memoryStorage(): LedgerStorage & { objects: Map<string, Uint8Array> } {
  const objects = new Map<string, Uint8Array>();
  return {
    objects,
    seal: (plain) => seal(key, plain),
    unseal: (sealed) => unseal(key, sealed),
    async putNew(name, sealed) {
      if (objects.has(name)) throw new HoldfastError('object-exists', `${name} is there`);
      objects.set(name, sealed);
    },
    async get(name) {
      const sealed = objects.get(name);
      if (sealed === undefined) throw new HoldfastError('object-missing', `${name} is not there`);
      return sealed;
    },
    async *list() {
      let modifiedMs = 0;
      for (const name of objects.keys()) yield { key: name, modifiedMs: modifiedMs++ };
    },
  };
}

let nowMs = Date.parse('2026-01-01T00:00:00Z');
const clock = { nowMs: () => (nowMs += 1000), monotonicMs: () => 0 };
const created = (repository: string) => ({ repository, store: '/somewhere' });

async function threeEvents(): Promise<ReturnType<typeof memoryStorage>> {
  const storage = memoryStorage();
  const ledger = new Ledger(storage, clock);
  for (const name of ['a', 'b', 'c']) await ledger.append('repository.created', created(name));
  return storage;
}

function edit(storage: ReturnType<typeof memoryStorage>, name: string, change: (event: LedgerEvent) => unknown): void {
  const event = JSON.parse(Buffer.from(unseal(key, storage.objects.get(name)!)).toString()) as LedgerEvent;
  storage.objects.set(name, seal(key, Buffer.from(JSON.stringify(change(event)))));
}

const names = (storage: ReturnType<typeof memoryStorage>): string[] => [...storage.objects.keys()];
const reading = (storage: LedgerStorage): Promise<LedgerEvent[]> => new Ledger(storage, clock).read();

describe('the ledger', () => {
  it('gives back what was appended, in order, each event naming the one before it', async () => {
    const events = await reading(await threeEvents());
    expect(
      events.map(({ kind, body, sequence }) => [kind, (body as { repository: string }).repository, sequence]),
    ).toEqual([
      ['repository.created', 'a', 0],
      ['repository.created', 'b', 1],
      ['repository.created', 'c', 2],
    ]);
    expect(events[0]?.previous).toBeNull();
    expect(events[1]?.previous).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(events.map(({ writer }) => writer)).size).toBe(1);
  });

  it('keeps the order of events that are appended at once', async () => {
    const storage = memoryStorage();
    const ledger = new Ledger(storage, clock);
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => ledger.append('repository.created', created(name))));
    const events = await reading(storage);
    expect(events.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3]);
  });

  it('goes on after an event that could not be stored', async () => {
    const storage = memoryStorage();
    const failing = { ...storage, failures: 1 };
    failing.putNew = async (name, sealed) => {
      if (failing.failures-- > 0) throw new HoldfastError('disk-full', 'no space is left');
      await storage.putNew(name, sealed);
    };
    const ledger = new Ledger(failing, clock);
    await expect(ledger.append('repository.created', created('a'))).rejects.toMatchObject({ code: 'disk-full' });
    await ledger.append('repository.created', created('b'));
    expect(await reading(storage)).toMatchObject([{ sequence: 0, body: { repository: 'b' } }]);
  });

  it('has a chain for each writer, and an event names the newest of the others', async () => {
    const storage = await threeEvents();
    const [first] = await reading(storage);
    const second = new Ledger(storage, clock);
    await second.append('repository.created', created('d'));
    const events = await reading(storage);
    const last = events.at(-1)!;
    expect(last.writer).not.toBe(first?.writer);
    expect(last).toMatchObject({ sequence: 0, previous: null });
    expect(Object.keys(last.heads)).toEqual([first?.writer]);
    expect(last.heads[first!.writer]).not.toBe(events[1]?.previous);
  });

  it('keeps events of kinds that it does not know', async () => {
    const storage = await threeEvents();
    edit(storage, names(storage)[2]!, (event) => ({ ...event, kind: 'something.new', body: { any: 'thing' } }));
    expect((await reading(storage)).at(-1)).toMatchObject({ kind: 'something.new', body: { any: 'thing' } });
  });

  it.each([
    ['edited', (storage) => edit(storage, names(storage)[0]!, (event) => ({ ...event, body: created('forged') }))],
    ['removed', (storage) => storage.objects.delete(names(storage)[1]!)],
    ['cut off at the start', (storage) => storage.objects.delete(names(storage)[0]!)],
    [
      'swapped with another',
      (storage) => {
        const [one = '', other = ''] = names(storage);
        const kept = storage.objects.get(one)!;
        storage.objects.set(one, storage.objects.get(other)!);
        storage.objects.set(other, kept);
      },
    ],
    [
      'copied to another writer',
      (storage) => storage.objects.set(`${'0'.repeat(32)}/0000000000`, storage.objects.get(names(storage)[0]!)!),
    ],
    [
      'flipped in one bit',
      (storage) => {
        const sealed = Buffer.from(storage.objects.get(names(storage)[1]!)!);
        sealed[20]! ^= 1;
        storage.objects.set(names(storage)[1]!, sealed);
      },
    ],
  ] satisfies [string, (storage: ReturnType<typeof memoryStorage>) => unknown][])(
    'finds an event that was %s',
    async (_how, tamper) => {
      const storage = await threeEvents();
      tamper(storage);
      await expect(reading(storage)).rejects.toMatchObject({ code: 'repository-damaged' });
    },
  );

  it('refuses to go on from events of a version that it does not know', async () => {
    const storage = await threeEvents();
    edit(storage, names(storage)[2]!, (event) => ({ ...event, version: 2 }));
    await expect(reading(storage)).rejects.toMatchObject({ code: 'repository-unsupported' });
    const other = new Ledger(storage, clock);
    await expect(other.append('repository.created', created('d'))).rejects.toMatchObject({
      code: 'repository-unsupported',
    });
  });

  it('passes over objects that are none of its own', async () => {
    const storage = await threeEvents();
    storage.objects.set('README', Buffer.from('hello'));
    expect(await reading(storage)).toHaveLength(3);
  });
});
