import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { HoldfastError } from '../foundation/errors.ts';
import { buildsOnNothing, Journal, Ledger, type LedgerEvent, Recorder } from './index.ts';

const MINUTE_MS = 60_000;
const body = (source: string) => ({ source, code: 'internal', message: 'it failed', durationMs: 1 });
const sourcesOf = (events: LedgerEvent[]) =>
  events.flatMap((event) => (event.kind === 'backup.failed' ? event.body.source : event.kind));

/** A machine with a journal, and repositories that may be away. */
class Machine {
  readonly clock = movableClock(Date.parse('2026-03-01T10:00:00Z'));
  readonly directory = join(mkdtempSync(join(tmpdir(), 'journal-')), 'events');
  readonly shelves: Record<string, Shelf> = { main: new Shelf(), other: new Shelf() };
  readonly away = new Set<string>();

  /** What a new process has. */
  recorder({ homes = ['main'], journal = true, conditionalPut = true } = {}): Recorder {
    const places = homes.map((name) => ({
      name,
      open: async () => {
        if (this.away.has(name)) throw new HoldfastError('store-unreachable', `${name} is away`);
        return { ledger: new Ledger(this.shelves[name]!, this.clock), conditionalPut };
      },
      ...(journal && { journal: new Journal(`${this.directory}-${name}`) }),
    }));
    return new Recorder(places, this.clock);
  }

  async events(name = 'main'): Promise<string[]> {
    return sourcesOf(await new Ledger(this.shelves[name]!, this.clock).read());
  }
}

const note = (recorder: Recorder, source: string) => recorder.record('backup.failed', body(source));

describe('a recorder', () => {
  it('records in the repository while that is there', async () => {
    const machine = new Machine();
    expect(await note(machine.recorder(), 'a')).toMatchObject({ repository: 'main', where: 'repository', sequence: 0 });
    expect(await machine.events()).toEqual(['a']);
    expect(await machine.recorder().flush()).toEqual({ flushed: 0, waiting: 0, errors: [] });
  });

  it('keeps events of an outage with their times, for this user alone, and puts them before the next', async () => {
    const machine = new Machine();
    const recorder = machine.recorder();
    await note(recorder, 'a');
    machine.away.add('main');
    machine.clock.advance(MINUTE_MS);
    for (const source of ['b', 'c']) {
      const { where, because } = await note(recorder, source);
      expect({ where, code: because?.code }).toEqual({ where: 'journal', code: 'store-unreachable' });
    }
    expect(statSync(`${machine.directory}-main`).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(`${machine.directory}-main`)) {
      expect(statSync(join(`${machine.directory}-main`, name)).mode & 0o777).toBe(0o600);
    }
    expect(sourcesOf(await recorder.waiting())).toEqual(['b', 'c']);
    expect(await machine.events()).toEqual(['a']);
    machine.away.clear();
    machine.clock.advance(60 * MINUTE_MS);
    await note(recorder, 'd');
    const events = await new Ledger(machine.shelves['main']!, machine.clock).read();
    expect(sourcesOf(events)).toEqual(['a', 'b', 'c', 'd']);
    expect(events.map(({ time }) => time.slice(11, 16))).toEqual(['10:00', '10:01', '10:01', '11:01']);
    expect(new Set(events.map(({ writer }) => writer)).size).toBe(1);
    expect(await recorder.waiting()).toEqual([]);
  });

  it('brings to another repository what builds on nothing of the one that is lost, and no gap', async () => {
    const machine = new Machine();
    const before = machine.recorder();
    await note(before, 'a');
    machine.away.add('main');
    await note(before, 'b');
    await note(machine.recorder(), 'c');
    const journal = new Journal(`${machine.directory}-main`);
    const open = async () => ({
      ledger: new Ledger(machine.shelves['other']!, machine.clock),
      conditionalPut: true,
    });
    const next = new Recorder([{ name: 'other', journal, open }], machine.clock);
    expect(await next.flush(buildsOnNothing)).toEqual({ flushed: 1, waiting: 1, errors: [] });
    expect([await machine.events('other'), sourcesOf(await before.waiting())]).toEqual([['c'], ['b']]);
  });

  it('asks a repository that was away no more than every half minute', async () => {
    const machine = new Machine();
    const recorder = machine.recorder();
    machine.away.add('main');
    await note(recorder, 'a');
    machine.away.clear();
    expect(await note(recorder, 'b')).toMatchObject({ where: 'journal' });
    machine.clock.advance(MINUTE_MS);
    expect(await note(recorder, 'c')).toMatchObject({ where: 'repository' });
    expect(await machine.events()).toEqual(['a', 'b', 'c']);
  });

  it('goes to another repository that is there, each with a chain of its own', async () => {
    const machine = new Machine();
    const recorder = machine.recorder({ homes: ['main', 'other'] });
    await note(recorder, 'a');
    machine.away.add('main');
    machine.clock.advance(MINUTE_MS);
    expect(await note(recorder, 'b')).toMatchObject({ repository: 'other', where: 'repository' });
    machine.away.clear();
    machine.clock.advance(MINUTE_MS);
    await note(recorder, 'c');
    expect([await machine.events(), await machine.events('other')]).toEqual([['a', 'c'], ['b']]);
  });

  it('has an event once whose put failed after its effect, and does not put it elsewhere', async () => {
    for (const fault of ['before', 'after'] as const) {
      const machine = new Machine();
      const recorder = machine.recorder({ homes: ['main', 'other'] });
      machine.shelves['main']!.fault = fault;
      expect(await note(recorder, 'a')).toMatchObject({ repository: 'main', where: 'journal' });
      machine.clock.advance(MINUTE_MS);
      await note(recorder, 'b');
      expect([await machine.events(), await machine.events('other')]).toEqual([['a', 'b'], []]);
    }
  });

  it.each([true, false])(
    'loses and doubles nothing, wherever a flush dies (conditional puts: %s)',
    async (conditionalPut) => {
      const sources = ['a', 'b', 'c', 'd'];
      for (let stop = 0; stop < 6; stop++) {
        const machine = new Machine();
        machine.away.add('main');
        const first = machine.recorder({ conditionalPut });
        for (const source of sources) await note(first, source);
        machine.away.clear();
        const shelf = machine.shelves['main']!;
        let calls = 0;
        shelf.onChange = () => {
          if (calls++ === stop) throw new HoldfastError('store-unreachable', 'gone');
        };
        const { waiting, flushed } = await machine.recorder({ conditionalPut }).flush();
        expect(waiting + flushed).toBe(4);
        expect(sources.slice(0, (await machine.events()).length)).toEqual(await machine.events());
        shelf.onChange = undefined;
        // What was put and not forgotten is given again.
        const [kept] = await new Journal(`${machine.directory}-main`).waiting();
        await machine.recorder({ conditionalPut }).flush();
        if (kept !== undefined) {
          const { writer, events } = kept;
          const plains = events.map(({ plain }) => plain);
          await new Journal(`${machine.directory}-main`).add({
            key: '',
            writer,
            sequence: events[0]!.event.sequence,
            plains,
          });
        }
        expect(await machine.recorder({ conditionalPut }).flush()).toMatchObject({ waiting: 0, errors: [] });
        expect(await machine.events()).toEqual(sources);
      }
    },
  );

  it('puts what two processes flush at the same time once', async () => {
    const machine = new Machine();
    machine.away.add('main');
    const first = machine.recorder();
    for (const source of ['a', 'b']) await note(first, source);
    machine.away.clear();
    machine.clock.advance(MINUTE_MS);
    await Promise.all([machine.recorder().flush(), machine.recorder().flush(), note(first, 'c')]);
    expect(await machine.events()).toEqual(['a', 'b', 'c']);
  });

  it('passes over what a killed process had not finished writing, and names what is damaged', async () => {
    const machine = new Machine();
    machine.away.add('main');
    for (const source of ['a', 'b']) await note(machine.recorder(), source);
    const directory = `${machine.directory}-main`;
    writeFileSync(join(directory, `${'1'.repeat(32)}-0000000000.json.abc.partial`), '{"version":');
    const [damaged, whole] = readdirSync(directory).filter((name) => name.endsWith('.json'));
    writeFileSync(join(directory, damaged!), readFileSync(join(directory, damaged!)).subarray(0, 20));
    machine.away.clear();
    const { flushed, errors } = await machine.recorder().flush();
    expect({ flushed, codes: errors.map(({ code }) => code) }).toEqual({ flushed: 1, codes: ['repository-damaged'] });
    expect(errors[0]!.message).toContain(damaged);
    expect(readdirSync(directory)).toContain(damaged);
    expect(readdirSync(directory)).not.toContain(whole);
    await expect(machine.recorder().waiting()).rejects.toThrow(damaged);
    expect(await note(machine.recorder(), 'c')).toMatchObject({ where: 'repository' });
  });

  it('fails with why where it can keep an event nowhere, and goes on in a new chain', async () => {
    const machine = new Machine();
    machine.away.add('main');
    const bare = machine.recorder({ journal: false });
    await expect(note(bare, 'a')).rejects.toMatchObject({ code: 'store-unreachable' });
    machine.away.clear();
    machine.clock.advance(MINUTE_MS);
    expect(await note(bare, 'b')).toMatchObject({ where: 'repository', sequence: 0 });
    mkdirSync(`${machine.directory}-other`, { mode: 0o777, recursive: true });
    machine.away.add('other');
    const shared = machine.recorder({ homes: ['other'] });
    const error = await note(shared, 'a').catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'store-unreachable',
      message: expect.stringContaining('not a directory of this user alone'),
    });
  });
});
