import { beforeAll, describe, expect, it } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { Ledger, type LedgerEvent, removedByFold } from './index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const clock = movableClock(Date.parse('2026-03-01T10:00:00Z'));

const body = (source: string) => ({ source, code: 'internal', message: 'it failed', durationMs: 1 });
/** An event a millisecond after the last: which of two writers' comes first in the same one is nobody's promise. */
const note = (ledger: Ledger, source: string) => {
  clock.advance(1);
  return ledger.append('backup.failed', body(source));
};
const sourcesOf = (events: LedgerEvent[]) =>
  events.flatMap((event) => (event.kind === 'backup.failed' ? event.body.source : []));
const ledgerIn = (shelf: Shelf) => new Ledger(shelf, clock);

/** Two writers over two days, one of them with events that were recorded at once; and a third today. */
const filled = new Shelf();
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

beforeAll(async () => {
  const [first, second] = [ledgerIn(filled), ledgerIn(filled)];
  await note(first, 'a');
  await note(second, 'b');
  clock.advance(1);
  await first.appendAll(['c', 'd'].map((source) => ({ kind: 'backup.failed', body: body(source) })));
  clock.advance(DAY_MS);
  await note(second, 'e');
  await note(first, 'f');
  clock.advance(DAY_MS);
  await note(first, 'g');
  await note(ledgerIn(filled), 'h');
});

describe('events that are recorded at once', () => {
  it('are one object, and refused by who does not know such', async () => {
    expect(filled.objects.size).toBe(7);
    const batch = filled.names.map((name) =>
      JSON.parse(Buffer.from(filled.unseal(filled.objects.get(name)!)).toString()),
    );
    expect(batch.filter(({ events }) => events !== undefined)).toMatchObject([{ version: 2, events: [{}, {}] }]);
  });
});

describe('folding', () => {
  it('puts days that are over together, and leaves today as it is', async () => {
    const shelf = new Shelf(filled.objects);
    const before = await ledgerIn(shelf).read();
    expect(sourcesOf(before)).toEqual(NAMES);
    expect(await ledgerIn(shelf).fold()).toEqual({ days: 2, events: 6, removed: 5 });
    expect(shelf.names.filter((name) => name.startsWith('days/'))).toHaveLength(2);
    expect(shelf.objects.size).toBe(5);
    const after = await ledgerIn(shelf).read();
    expect(after.slice(0, 8)).toEqual(before);
    expect(after.at(-1)).toMatchObject({ kind: 'ledger.folded', version: 2 });
    expect(await ledgerIn(shelf).verify()).toMatchObject({ events: 9, faults: [], left: [] });
  });

  it('has nothing to do a second time, and adds to a day what came late', async () => {
    const shelf = new Shelf(filled.objects);
    await ledgerIn(shelf).fold();
    expect(await ledgerIn(shelf).fold()).toEqual({ days: 0, events: 0, removed: 0 });
    const late = { ...clock, nowMs: () => clock.nowMs() - DAY_MS };
    await note(new Ledger(shelf, late), 'late');
    expect(await ledgerIn(shelf).fold()).toEqual({ days: 1, events: 1, removed: 1 });
    expect(sourcesOf(await ledgerIn(shelf).read()).toSorted()).toEqual([...NAMES, 'late'].toSorted());
  });

  it('loses and doubles nothing, wherever it is stopped, and names what goes before it does', async () => {
    const changes: string[] = [];
    const counting = new Shelf(filled.objects);
    counting.onChange = (method, name) => void changes.push(`${method} ${name}`);
    await ledgerIn(counting).fold();
    expect(changes.findIndex((each) => each.startsWith('delete'))).toBe(3);
    for (let stop = 0; stop <= changes.length; stop++) {
      const shelf = new Shelf(filled.objects);
      let calls = 0;
      shelf.onChange = () => {
        if (calls++ === stop) throw new Error('killed');
      };
      await ledgerIn(shelf)
        .fold()
        .catch((error: Error) => expect(error.message).toBe('killed'));
      shelf.onChange = undefined;
      expect(sourcesOf(await ledgerIn(shelf).read())).toEqual(NAMES);
      const { faults, left } = await ledgerIn(shelf).verify();
      expect(faults).toEqual([]);
      expect(left.length).toBe(stop > 0 && stop < changes.length ? 1 : 0);
      const events = await ledgerIn(shelf).read();
      for (const gone of [...filled.objects.keys()].filter((name) => !shelf.objects.has(name))) {
        expect(events.some((event) => event.kind === 'ledger.folded' && removedByFold(event.body, gone))).toBe(true);
      }
      await ledgerIn(shelf).fold();
      expect(sourcesOf(await ledgerIn(shelf).read())).toEqual(NAMES);
      expect(await ledgerIn(shelf).verify()).toMatchObject({ faults: [], left: [] });
      expect(shelf.names.filter((name) => filled.objects.has(name))).toHaveLength(2);
    }
  });

  it('removes nothing while a listing does not show where it went', async () => {
    const shelf = new Shelf(filled.objects);
    const list = shelf.list.bind(shelf);
    shelf.list = async function* () {
      for await (const each of list()) if (!each.key.startsWith('days/')) yield each;
    };
    expect(await ledgerIn(shelf).fold()).toEqual({ days: 0, events: 0, removed: 0 });
    expect([...filled.objects.keys()].every((name) => shelf.objects.has(name))).toBe(true);
  });

  it('removes nothing that cannot be read where it went', async () => {
    const shelf = new Shelf(filled.objects);
    const put = shelf.putNew.bind(shelf);
    shelf.putNew = (name, sealed) => put(name, name.startsWith('days/') ? sealed.subarray(0, 40) : sealed);
    await expect(ledgerIn(shelf).fold()).rejects.toMatchObject({ code: 'repository-damaged' });
    expect([...filled.objects.keys()].every((name) => shelf.objects.has(name))).toBe(true);
  });

  it('is read while others fold', async () => {
    const shelf = new Shelf(filled.objects);
    shelf.onList = async () => {
      shelf.onList = undefined;
      await ledgerIn(shelf).fold();
    };
    expect(sourcesOf(await ledgerIn(shelf).read())).toEqual(NAMES);
  });
});

describe('a copy of the ledger', () => {
  /** Copies one object after the other, and sees that the copy can be read after each. */
  async function copy(from: Shelf, to: Shelf): Promise<void> {
    for (const key of await ledgerIn(from).unknownTo(new Set(to.names))) {
      to.objects.set(key, from.objects.get(key)!);
      await ledgerIn(to).read();
    }
  }

  it('can be read at every instant, before folding, in the middle and after', async () => {
    const [shelf, mirror, late] = [new Shelf(filled.objects), new Shelf(), new Shelf()];
    await copy(shelf, mirror);
    expect(mirror.objects.size).toBe(7);
    await ledgerIn(shelf).fold();
    await copy(shelf, mirror);
    await copy(shelf, late);
    for (const each of [mirror, late]) expect(sourcesOf(await ledgerIn(each).read())).toEqual(NAMES);
    await note(ledgerIn(shelf), 'after');
    await copy(shelf, late);
    expect(new Set(late.names)).toEqual(new Set(shelf.names));
  });
});
