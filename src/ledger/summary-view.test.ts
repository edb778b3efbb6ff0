import { existsSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { ChainWriter } from './chain-writer.ts';
import { Ledger, type LedgerEvent, type Summary } from './index.ts';
import { decodeLedgerObject, encodeDay } from './objects.ts';
import { SummaryView } from './summary-view.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const START_MS = Date.parse('2026-03-01T10:00:00Z');
const failure = (source: string) => ({
  kind: 'backup.failed' as const,
  body: { source, code: 'internal', message: 'it failed', durationMs: 1 },
});

/** All that there is to tell of events: which ones, in which order. */
const everything: Summary<{ seen: string[] }> = {
  name: 'everything',
  initial: () => ({ seen: [] }),
  add: ({ seen }, event) => void seen.push(JSON.stringify(event)),
  copy: ({ seen }) => ({ seen: [...seen] }),
};

/** Undefined where the ledger is not whole. */
async function unlessDamaged<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error, 'repository-damaged')) throw error;
    return undefined;
  }
}

/** What reading all of it comes to. */
async function whole(shelf: Shelf): Promise<string[] | undefined> {
  const ledger = new Ledger(new Shelf(shelf.objects), movableClock(START_MS));
  const events = await unlessDamaged(() => ledger.read());
  return events?.map((event) => JSON.stringify(event));
}

function viewOf(shelf: Shelf, options: { file?: string; newest?: number } = {}): SummaryView<{ seen: string[] }> {
  const assertWhole = async () => void (await new Ledger(shelf, movableClock(START_MS)).read());
  return new SummaryView(shelf, everything, { assertWhole, ...options });
}

async function seenBy(view: SummaryView<{ seen: string[] }>): Promise<string[] | undefined> {
  const read = await unlessDamaged(() => view.read());
  return read && [...read.state.seen];
}

type Step =
  | { do: 'append'; by: number; at: number }
  | { do: 'batch' | 'late'; by: number }
  | { do: 'wait' | 'back' | 'begin' | 'fold' | 'half-fold' | 'part' | 'merge' | 'restart' }
  | { do: 'lose' | 'edit' | 'double' | 'cut'; at: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('append' as const), by: fc.nat(3), at: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('batch' as const, 'late' as const), by: fc.nat(3) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['wait', 'back', 'begin', 'fold', 'half-fold', 'part', 'merge', 'restart'] as const)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom(...(['lose', 'edit', 'double', 'cut'] as const)), at: fc.nat(50) }),
  },
);

/** Two copies of a ledger that several processes write, the one that is looked at and another one. */
class World {
  readonly clock = movableClock(START_MS);
  readonly shelves = [new Shelf(), new Shelf()] as const;
  readonly #writers = new Map<string, Ledger>();

  async apply(step: Step): Promise<void> {
    const [own, other] = this.shelves;
    switch (step.do) {
      case 'append':
        this.clock.advance(1000);
        return this.#writer(step.by, step.at === 0 ? own : other).append(...pairOf(`source${step.by}`));
      case 'batch':
        return this.#writer(step.by, own).appendAll(['a', 'b', 'c'].map(failure));
      case 'late': {
        // What waited on another machine while the repository was away.
        const before = { ...this.clock, nowMs: () => this.clock.nowMs() - 5 * 60_000 };
        return new Ledger(own, before).putChained(new ChainWriter(before).add([failure('late')], {}));
      }
      case 'wait':
        return this.clock.advance(DAY_MS);
      case 'back':
        return this.clock.advance(-DAY_MS / 2);
      case 'begin':
        return this.#writers.clear();
      case 'fold':
      case 'half-fold':
        return this.#fold(own, step.do === 'fold');
      case 'part':
        for (const [name, content] of own.objects) if (!other.objects.has(name)) other.objects.set(name, content);
        return;
      case 'merge':
        for (const [name, content] of other.objects) if (!own.objects.has(name)) own.objects.set(name, content);
        return;
      case 'lose':
        own.objects.delete(own.names[step.at % own.names.length] ?? '');
        return;
      case 'edit': {
        const name = own.names.filter((each) => eventsIn(own, each).length === 1).at(-1 - (step.at % 3));
        if (name !== undefined && !name.startsWith('days/')) own.edit(name, { time: '2026-03-01T00:00:00.000Z' });
        return;
      }
      case 'double': {
        // Another event in the place of one that is there.
        const [event] = eventsIn(own, own.names[step.at % own.names.length]);
        if (event === undefined) return;
        const { key, content } = encodeDay('2026-03-01', [Buffer.from(JSON.stringify({ ...event, actor: 'forged' }))]);
        own.objects.set(key, own.seal(content));
        return;
      }
      case 'cut': {
        const batches = own.names.filter((name) => !name.startsWith('days/') && eventsIn(own, name).length > 1);
        const name = batches[step.at % batches.length];
        if (name === undefined) return;
        own.objects.set(name, own.seal(Buffer.from(JSON.stringify(eventsIn(own, name)[0]))));
        return;
      }
      default:
    }
  }

  #writer(by: number, shelf: Shelf): Ledger {
    const name = `${by} ${this.shelves.indexOf(shelf)}`;
    const ledger = this.#writers.get(name) ?? new Ledger(shelf, this.clock);
    this.#writers.set(name, ledger);
    return ledger;
  }

  async #fold(shelf: Shelf, isWhole: boolean): Promise<void> {
    let deletes = 0;
    shelf.onChange = (method) => {
      if (!isWhole && method === 'delete' && ++deletes > 1) throw new HoldfastError('repository-damaged', 'killed');
    };
    await unlessDamaged(() => new Ledger(shelf, this.clock).fold());
    shelf.onChange = undefined;
  }
}

function eventsIn(shelf: Shelf, name: string | undefined): LedgerEvent[] {
  if (name === undefined) return [];
  const content = Buffer.from(shelf.unseal(shelf.objects.get(name)!));
  return decodeLedgerObject(name, content).map(({ event }) => event);
}

const pairOf = (source: string) => [failure(source).kind, failure(source).body] as const;

describe('what a ledger comes to as it grows', () => {
  it('is what reading all of it comes to, whatever happens to it', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'view-')), 'kept');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), async (steps, newest) => {
        const world = new World();
        const [shelf] = world.shelves;
        let view = viewOf(shelf, { newest });
        for (const each of steps) {
          await world.apply(each);
          if (each.do === 'restart') view = viewOf(shelf, { newest, file });
          expect(await seenBy(view)).toEqual(await whole(shelf));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a view of a ledger', () => {
  it('does not take what builds on an event that is not there', async () => {
    const [shelf, other] = [new Shelf(), new Shelf()];
    await new Ledger(shelf, movableClock(START_MS)).append(...pairOf('own'));
    await new Ledger(other, movableClock(START_MS)).append(...pairOf('lost'));
    await new Ledger(other, movableClock(START_MS + 1000)).append(...pairOf('builds on it'));
    const view = viewOf(shelf);
    await view.read();
    const [, orphan] = other.names;
    shelf.objects.set(orphan!, other.objects.get(orphan!)!);
    await expect(view.read()).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});

describe('a view of a large ledger', () => {
  const clock = movableClock(START_MS);
  const newFile = () => join(mkdtempSync(join(tmpdir(), 'view-')), 'ledger', 'id-everything');

  async function large(): Promise<{ shelf: Shelf; writer: Ledger }> {
    const shelf = new Shelf();
    const writer = new Ledger(shelf, clock);
    for (let index = 0; index < 300; index++) {
      await writer.append(...pairOf(`source${index}`));
      clock.advance(1000);
    }
    return { shelf, writer };
  }

  it('reads what is new alone: of this process, of the one before it, and when days are put together', async () => {
    const [{ shelf, writer }, file] = [await large(), newFile()];
    const first = viewOf(shelf, { file, newest: 100 });
    await first.read();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, '..'))).toHaveLength(1);
    shelf.gets = 0;
    await writer.append(...pairOf('another'));
    expect(await seenBy(first)).toEqual(await whole(shelf));
    expect(shelf.gets).toBe(1);
    shelf.gets = 0;
    const second = viewOf(shelf, { file, newest: 100 });
    expect(await seenBy(second)).toEqual(await whole(shelf));
    expect(shelf.gets).toBe(1);
    clock.advance(DAY_MS);
    await writer.fold();
    shelf.gets = 0;
    for (const view of [first, second]) expect(await seenBy(view)).toEqual(await whole(shelf));
    // Of each the object of the day and the event that names what went.
    expect(shelf.gets).toBe(4);
    expect(await first.read()).toMatchObject({ version: (await first.read()).version });
  });

  it('does without what was kept where it is damaged, of another ledger, or cannot be kept', async () => {
    const [{ shelf }, file] = [await large(), newFile()];
    await viewOf(shelf, { file }).read();
    writeFileSync(file, 'what nobody sealed');
    expect(await seenBy(viewOf(shelf, { file }))).toEqual(await whole(shelf));
    const other = (await large()).shelf;
    expect(await seenBy(viewOf(other, { file }))).toEqual(await whole(other));
    const nowhere = join(file, 'below-a-file');
    expect(await seenBy(viewOf(shelf, { file: nowhere }))).toEqual(await whole(shelf));
    expect(existsSync(nowhere)).toBe(false);
  });

  it('finds a cut that is behind what was kept', async () => {
    const [{ shelf }, file] = [await large(), newFile()];
    await viewOf(shelf, { file }).read();
    shelf.objects.delete(shelf.names[7]!);
    await expect(viewOf(shelf, { file }).read()).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});
