import { describe, expect, it } from 'vitest';
import { Shelf } from '../../test/support/shelf.ts';
import { systemClock } from '../foundation/clock.ts';
import { ChainWriter } from './chain-writer.ts';
import { Ledger, type LedgerEvent } from './index.ts';

function note(ledger: Ledger, source: string): Promise<void> {
  return ledger.append('backup.failed', { source, code: 'internal', message: 'it failed', durationMs: 1 });
}

function sourcesOf(events: LedgerEvent[]): string[] {
  return events.map((event) => (event.kind === 'backup.failed' ? event.body.source : event.kind));
}

async function filled(...sources: string[]): Promise<{ shelf: Shelf; ledger: Ledger }> {
  const shelf = new Shelf();
  const ledger = new Ledger(shelf, systemClock);
  for (const source of sources) await note(ledger, source);
  return { shelf, ledger };
}

const damaged = { code: 'repository-damaged' };

describe('what a copy of the ledger lacks', () => {
  it('is told with what it builds on, also where a listing passed over that', async () => {
    const { shelf, ledger } = await filled('a', 'b');
    const [first, second] = shelf.names.sort();
    let listings = 0;
    shelf.onList = async () => void listings++;
    expect(await ledger.unknownTo(new Set(), [first!, second!])).toEqual([first, second]);
    expect(listings).toBe(0);
    expect(await ledger.unknownTo(new Set(), [second!])).toEqual([first, second]);
    expect(listings).toBe(1);
    shelf.objects.delete(first!);
    expect(await ledger.unknownTo(new Set(), [second!])).toEqual([]);
  });
});

describe('events that may be there already', () => {
  it('are put once, and over no other event', async () => {
    const { shelf, ledger } = await filled();
    const event = {
      kind: 'backup.failed',
      body: { source: 'a', code: 'internal', message: 'm', durationMs: 1 },
    } as const;
    const chained = new ChainWriter(systemClock).add([event], {});
    for (let time = 0; time < 2; time++) await ledger.putChained(chained);
    const [name] = shelf.names;
    expect(sourcesOf(await ledger.read())).toEqual(['a']);
    shelf.edit(name!, { body: { ...event.body, source: 'forged' } });
    const forged = shelf.objects.get(name!);
    await expect(new Ledger(shelf, systemClock).putChained(chained)).rejects.toMatchObject(damaged);
    expect(shelf.objects.get(name!)).toBe(forged);
  });
});

describe('the ledger', () => {
  it('gives back what was recorded, oldest first', async () => {
    const { ledger, shelf } = await filled('a', 'b', 'c');
    const events = await new Ledger(shelf, systemClock).read();
    expect(sourcesOf(events)).toEqual(['a', 'b', 'c']);
    expect(events[0]).toMatchObject({ version: 2, sequence: 0, previous: null, kind: 'backup.failed' });
    expect(events[0]!.actor).toMatch(/.@./);
    expect(await ledger.read()).toEqual(events);
  });

  it('names what was looked for ahead of an event, unless that was long ago', async () => {
    for (const [passedMs, listedAgain] of [
      [9_999, 0],
      [10_000, 1],
    ] as const) {
      const { shelf, ledger: other } = await filled('a');
      let monotonicMs = 0;
      const ledger = new Ledger(shelf, { nowMs: Date.now, monotonicMs: () => monotonicMs });
      ledger.expectEvent();
      let listings = 0;
      shelf.onList = async () => void listings++;
      monotonicMs = passedMs;
      await note(ledger, 'b');
      expect(listings).toBe(listedAgain);
      const [first, second] = await other.read();
      expect(Object.keys(second!.heads)).toEqual([first!.writer]);
    }
  });

  it('keeps the order in which things happened when the clock is set back', async () => {
    const shelf = new Shelf();
    let nowMs = 1_700_000_000_000;
    const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
    const ledger = new Ledger(shelf, clock);
    await note(ledger, 'a');
    await note(ledger, 'b');
    nowMs -= 3_600_000;
    await note(ledger, 'c');
    await note(new Ledger(shelf, clock), 'd');
    expect(sourcesOf(await ledger.read())).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is empty at first', async () => {
    expect(await new Ledger(new Shelf(), systemClock).read()).toEqual([]);
  });

  it('keeps the order of events that are recorded at the same time', async () => {
    const { shelf, ledger } = await filled();
    await Promise.all(Array.from({ length: 20 }, (_, index) => note(ledger, `${index}`)));
    expect(sourcesOf(await ledger.read())).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`));
    expect(shelf.names.every((name) => /^[0-9a-f]{32}\/[0-9]{10}$/.test(name))).toBe(true);
  });

  it('holds nothing that can be read without the key', async () => {
    const { shelf } = await filled('a secret name');
    for (const bytes of shelf.objects.values()) expect(Buffer.from(bytes).includes('secret')).toBe(false);
  });

  it('names the newest events of others with a chain that begins', async () => {
    const { shelf } = await filled('a', 'b');
    const other = new Ledger(shelf, systemClock);
    await note(other, 'c');
    const [writer] = shelf.names[0]!.split('/');
    expect(Object.keys(shelf.open(shelf.names[2]!).heads)).toEqual([writer]);
    expect(sourcesOf(await other.read())).toEqual(['a', 'b', 'c']);
  });

  it('finds an event that was edited', async () => {
    const { shelf, ledger } = await filled('a', 'b', 'c');
    shelf.edit(shelf.names[1]!, { body: { source: 'forged' } });
    await expect(ledger.read()).rejects.toMatchObject(damaged);
  });

  it('finds the last event edited or removed, once another writer has named it', async () => {
    for (const tamper of [
      (shelf: Shelf, name: string) => shelf.edit(name, { body: { source: 'forged' } }),
      (shelf: Shelf, name: string) => void shelf.objects.delete(name),
    ]) {
      const { shelf, ledger } = await filled('a', 'b');
      await note(new Ledger(shelf, systemClock), 'c');
      tamper(shelf, shelf.names[1]!);
      await expect(ledger.read()).rejects.toThrow(/lacks events of writer/);
    }
  });

  it('finds a whole chain removed that another one names', async () => {
    const { shelf, ledger } = await filled('a');
    await note(new Ledger(shelf, systemClock), 'b');
    shelf.objects.delete(shelf.names[0]!);
    await expect(ledger.read()).rejects.toMatchObject(damaged);
  });

  it('takes one that a listing passes over, and shows what builds on it, for missing, until a listing shows it', async () => {
    const { shelf, ledger } = await filled('a', 'b', 'c');
    const passedOver = shelf.names[1]!;
    const list = shelf.list.bind(shelf);
    let listings = 2;
    shelf.list = async function* () {
      const isTorn = listings-- > 0;
      for await (const each of list()) if (!isTorn || each.key !== passedOver) yield each;
    };
    await expect(ledger.read()).rejects.toMatchObject(damaged);
    expect(sourcesOf(await ledger.read())).toEqual(['a', 'b', 'c']);
  });

  it.each([0, 1])('finds event %d removed', async (removed) => {
    const { shelf, ledger } = await filled('a', 'b', 'c');
    shelf.objects.delete(shelf.names[removed]!);
    await expect(ledger.read()).rejects.toThrow(/changed or cut before event/);
  });

  it("finds an event that was moved, or put in another's place", async () => {
    const { shelf, ledger } = await filled('a', 'b', 'c');
    const [first, second] = shelf.names as [string, string, string];
    const moved = shelf.objects.get(second)!;
    shelf.objects.set(first, moved);
    await expect(ledger.read()).rejects.toThrow(/was moved from another place/);
    shelf.objects.delete(first);
    shelf.objects.set(`${'0'.repeat(32)}/0000000000`, moved);
    await expect(ledger.read()).rejects.toThrow(/was moved from another place/);
  });

  it('names the event that is damaged', async () => {
    for (const damage of [
      (bytes: Uint8Array) => bytes.subarray(0, 10),
      (bytes: Uint8Array) => bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
      () => new Shelf().seal(Buffer.from('{')),
      () => new Shelf().seal(Buffer.from('null')),
      () => new Shelf().seal(Buffer.from('{"version":1}')),
      () => new Shelf().seal(Buffer.from('[]')),
    ]) {
      const { shelf, ledger } = await filled('a', 'b');
      const name = shelf.names[1]!;
      shelf.objects.set(name, damage(shelf.objects.get(name)!));
      const error = await ledger.read().catch((caught: unknown) => caught);
      expect(error).toMatchObject(damaged);
      expect((error as Error).message).toContain(name);
    }
  });

  it('keeps events of a kind that it does not know, and refuses a version that it does not', async () => {
    const { shelf, ledger } = await filled('a');
    await note(ledger, 'b');
    shelf.edit(shelf.names[1]!, { kind: 'tail.sealed', body: { lsn: '0/1' } });
    const events = await ledger.read();
    expect(events[1]).toMatchObject({ kind: 'tail.sealed', body: { lsn: '0/1' } });
    shelf.edit(shelf.names[1]!, { version: 3 });
    await expect(ledger.read()).rejects.toMatchObject({ code: 'repository-unsupported' });
  });

  it.each(['before', 'after'] as const)('goes on after a put that failed %s its effect', async (fault) => {
    const { shelf, ledger } = await filled('a');
    shelf.fault = fault;
    await expect(note(ledger, 'b')).rejects.toMatchObject({ code: 'store-unreachable' });
    await note(ledger, 'c');
    await note(ledger, 'd');
    expect(sourcesOf(await ledger.read())).toEqual(fault === 'before' ? ['a', 'c', 'd'] : ['a', 'b', 'c', 'd']);
  });

  it('is read while others write', async () => {
    const { shelf, ledger } = await filled('a', 'b');
    const other = new Ledger(shelf, systemClock);
    let appended = 0;
    shelf.onList = async () => {
      shelf.onList = undefined;
      await note(ledger, 'c');
      await note(other, 'd');
      // What is listed last is there already, what it names was not when the listing began.
      appended++;
    };
    expect(sourcesOf(await new Ledger(shelf, systemClock).read()).slice(0, 2)).toEqual(['a', 'b']);
    expect(appended).toBe(1);
  });
});
