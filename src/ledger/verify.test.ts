import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { movableClock } from '../../test/support/repository.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { newSigningKey, parsePublicKey, parseSigningKey } from '../evidence/index.ts';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { Ledger, type VerifiedLedger } from './index.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const clock = movableClock(Date.parse('2026-03-01T10:00:00Z'));
const body = (source: string) => ({ source, code: 'internal', message: 'it failed', durationMs: 1 });
const ledgerIn = (shelf: Shelf) => new Ledger(shelf, clock);

/** Four writers over two days, the first folded; one of the events lies with another in one object. */
const whole = new Shelf();
let state: VerifiedLedger;

beforeAll(async () => {
  const [first, second] = [ledgerIn(whole), ledgerIn(whole)];
  for (const source of ['a', 'b', 'c']) await first.append('backup.failed', body(source));
  await second.append('backup.failed', body('d'));
  clock.advance(DAY_MS);
  await second.fold();
  for (const source of ['e', 'f', 'g']) await first.append('backup.failed', body(source));
  await second.appendAll(['h', 'i'].map((source) => ({ kind: 'backup.failed', body: body(source) })));
  for (const source of ['j', 'k']) await ledgerIn(whole).append('backup.failed', body(source));
  state = await ledgerIn(whole).verify();
});

function checkpointOf({ heads, events, digest }: VerifiedLedger) {
  return {
    version: 1 as const,
    plan: 'test',
    repository: 'id',
    time: new Date(clock.nowMs()).toISOString(),
    events,
    heads: Object.fromEntries(heads.map(({ writer, sequence, hash }) => [writer, { sequence, hash }])),
    digest,
  };
}

describe('verifying the ledger', () => {
  it('finds nothing wrong with what nobody touched, and vouches for it only by a checkpoint', async () => {
    expect(state).toMatchObject({ events: 12, writers: 4, objects: 8, faults: [], left: [], unbound: 12 });
    expect(state.untamperedUpTo).toBeUndefined();
    const checkpoint = checkpointOf(state);
    const bound = await ledgerIn(whole).verify(checkpoint);
    expect(bound).toMatchObject({ faults: [], unbound: 0, untamperedUpTo: checkpoint.time });
  });

  it('says of what came behind a checkpoint that it binds it not', async () => {
    const shelf = new Shelf(whole.objects);
    const checkpoint = checkpointOf(state);
    await ledgerIn(shelf).append('backup.failed', body('later'));
    expect(await ledgerIn(shelf).verify(checkpoint)).toMatchObject({ faults: [], unbound: 1 });
  });

  it('says of what bears a time before a checkpoint that it binds it not', async () => {
    const shelf = new Shelf(whole.objects);
    const checkpoint = checkpointOf(state);
    const past = { ...clock, nowMs: () => clock.nowMs() - DAY_MS };
    await new Ledger(shelf, past).append('backup.failed', body('written back'));
    clock.advance(1);
    await ledgerIn(shelf).append('backup.failed', body('later'));
    expect(await ledgerIn(shelf).verify(checkpoint)).toMatchObject({ faults: [], unbound: 2, unboundBefore: 1 });
  });

  it('finds without a checkpoint that the end of a chain went with the object of its day', async () => {
    const shelf = new Shelf();
    const folder = new Ledger(shelf, { ...clock, nowMs: () => clock.nowMs() + DAY_MS });
    await folder.append('backup.failed', body('before the others, which it does not name'));
    const ends = ledgerIn(shelf);
    for (const source of ['a', 'b']) await ends.append('backup.failed', body(source));
    await folder.fold();
    expect(await ledgerIn(shelf).verify()).toMatchObject({ events: 4, faults: [] });
    const day = shelf.names.find((name) => name.startsWith('days/'))!;
    shelf.objects.delete(day);
    const { faults } = await ledgerIn(shelf).verify();
    expect(faults).toEqual([expect.objectContaining({ what: 'cut', sequence: 0 })]);
    await expect(ledgerIn(shelf).read()).rejects.toMatchObject({ code: 'repository-damaged' });
  });

  it('names what is no event as damaged, whatever it has in its place', async () => {
    const forgeries = [
      { heads: { other: 5 } },
      { previous: {} },
      { time: '../../elsewhere' },
      { time: '2026-99-99T00:00:00Z' },
      { body: null },
      { actor: 7 },
    ];
    for (const forgery of forgeries) {
      const shelf = new Shelf();
      await ledgerIn(shelf).append('backup.failed', body('a'));
      shelf.edit(shelf.names[0]!, forgery);
      const { faults } = await ledgerIn(shelf).verify();
      expect(faults).toMatchObject([
        { what: 'damaged', object: shelf.names[0], message: expect.stringContaining('is malformed') },
      ]);
    }
  });

  it('finds any bit that is flipped, and names the object', async () => {
    const places = fc.tuple(fc.nat(whole.objects.size - 1), fc.nat(), fc.nat(7));
    await fc.assert(
      fc.asyncProperty(places, async ([index, at, bit]) => {
        const shelf = new Shelf(whole.objects);
        const name = shelf.names[index]!;
        const bytes = Uint8Array.from(shelf.objects.get(name)!);
        bytes[at % bytes.length]! ^= 1 << bit;
        shelf.objects.set(name, bytes);
        const { faults } = await ledgerIn(shelf).verify();
        expect(faults).toContainEqual(expect.objectContaining({ what: 'damaged', object: name }));
      }),
      { numRuns: 60 },
    );
  });

  it('finds any object edited, removed, swapped or cut by one who has the password, with a checkpoint', async () => {
    const checkpoint = checkpointOf(state);
    const events = (shelf: Shelf, name: string) => shelf.open(name) as { body?: object };
    const tampered = fc.tuple(
      fc.constantFrom('edit', 'remove', 'swap', 'cut', 'rewrite'),
      fc.nat(whole.objects.size - 1),
      fc.nat(whole.objects.size - 1),
    );
    await fc.assert(
      fc.asyncProperty(tampered, async ([how, index, other]) => {
        const shelf = new Shelf(whole.objects);
        const [name, second] = [shelf.names[index]!, shelf.names[other]!];
        const isSingle = !name.startsWith('days/') && events(shelf, name).body !== undefined;
        if (how === 'edit' && isSingle) shelf.edit(name, { body: body('forged') });
        else if (how === 'rewrite' && isSingle) {
          // All that follows in its chain is forged to fit.
          let previous = shelf.open(name).previous;
          const writer = name.slice(0, 32);
          for (const each of shelf.names.filter((key) => key.startsWith(writer) && key >= name).sort()) {
            if (events(shelf, each).body === undefined) shelf.objects.delete(each);
            else shelf.edit(each, { previous, body: body('forged') });
            previous = createHash('sha256')
              .update(shelf.unseal(shelf.objects.get(each) ?? shelf.seal(Buffer.of())))
              .digest('hex');
          }
        } else if (how === 'swap' && name !== second) {
          const [a, b] = [shelf.objects.get(name)!, shelf.objects.get(second)!];
          shelf.objects.set(name, b).set(second, a);
        } else if (how === 'cut') {
          const writer = name.slice(0, 32);
          for (const each of shelf.names) if (each.startsWith(writer) && each >= name) shelf.objects.delete(each);
        } else shelf.objects.delete(name);
        const { faults, untamperedUpTo } = await ledgerIn(shelf).verify(checkpoint);
        expect(faults).not.toEqual([]);
        expect(untamperedUpTo).toBeUndefined();
        for (const { message } of faults) expect(message).toMatch(/[0-9a-f]{32}|days\/|checkpoint of/);
      }),
      { numRuns: 80 },
    );
  });

  it('finds without a checkpoint whatever another event builds on', async () => {
    const found: string[] = [];
    for (const name of whole.names) {
      const shelf = new Shelf(whole.objects);
      shelf.objects.delete(name);
      if ((await ledgerIn(shelf).verify()).faults.length > 0) found.push(name);
    }
    const ends = new Set(state.heads.map(({ writer }) => writer));
    const lastOf = (writer: string) =>
      whole.names
        .filter((name) => name.startsWith(writer))
        .sort()
        .at(-1)!;
    expect(new Set(whole.names).difference(new Set(found))).toEqual(new Set([...ends].map(lastOf)));
  });

  it('holds what is there against each figure of a checkpoint', async () => {
    const checkpoint = checkpointOf(state);
    const [[writer, head]] = Object.entries(checkpoint.heads) as [[string, { sequence: number; hash: string }]];
    const heads = { ...checkpoint.heads, [writer]: { ...head, hash: 'ab'.repeat(32) } };
    for (const [forged, what, says] of [
      [{ events: checkpoint.events + 1 }, 'cut', /is of 13 events, and 12 of them are there/],
      [{ digest: 'ab'.repeat(32) }, 'cut', /is of 12 events/],
      [{ heads }, 'edited', /is another one: the checkpoint/],
    ] as const) {
      const { faults, untamperedUpTo } = await ledgerIn(whole).verify({ ...checkpoint, ...forged });
      expect([faults, untamperedUpTo]).toEqual([
        [expect.objectContaining({ what, message: expect.stringMatching(says) })],
        undefined,
      ]);
    }
  });

  it('misses the end of a chain that is listed and is not there', async () => {
    const shelf = new Shelf(whole.objects);
    const last = whole.names.at(-1)!;
    const list = shelf.list.bind(shelf);
    shelf.list = async function* () {
      yield* list();
      yield { key: last, sizeBytes: 100, modifiedMs: 0 };
    };
    shelf.objects.delete(last);
    const { faults } = await ledgerIn(shelf).verify();
    expect(faults).toEqual([expect.objectContaining({ what: 'missing', object: last })]);
  });

  it('tells what a crash left from what somebody did', async () => {
    const last = whole.names.at(-1)!;
    const torn = new Shelf(whole.objects);
    torn.objects.set(last, new Uint8Array());
    expect(await ledgerIn(torn).verify()).toMatchObject({ faults: [], left: [expect.stringContaining(last)] });
    const emptied = new Shelf(whole.objects);
    const named = whole.names.find((name) =>
      whole.names.some((each) => each.startsWith(name.slice(0, 32)) && each > name),
    )!;
    emptied.objects.set(named, new Uint8Array());
    const { faults } = await ledgerIn(emptied).verify();
    expect(faults).toContainEqual(expect.objectContaining({ what: 'damaged', object: named }));
    expect((await ledgerIn(torn).verify(checkpointOf(state))).faults[0]).toMatchObject({ what: 'cut' });
  });
});

describe('a checkpoint', () => {
  const [pem, other] = [newSigningKey(), newSigningKey()];

  it('is believed with the key that signed it alone, and only as it was signed', () => {
    const text = signCheckpoint(checkpointOf(state), parseSigningKey(pem));
    expect(openCheckpoint(text, parsePublicKey(pem))).toEqual(checkpointOf(state));
    expect(() => openCheckpoint(text, parsePublicKey(other))).toThrow(/signed with another key/);
    const forged = text.replace(/\\"events\\":\d+/, '\\"events\\":1');
    expect(forged).not.toBe(text);
    expect(() => openCheckpoint(forged, parsePublicKey(pem))).toThrow(/changed since it was signed/);
    expect(() => openCheckpoint('{}', parsePublicKey(pem))).toThrow(/no checkpoint/);
  });

  it('is signed with no other kind of key', () => {
    expect(() => parseSigningKey('secret words')).toThrow(expect.objectContaining({ code: 'secret-unavailable' }));
    expect(() => parseSigningKey('secret words')).not.toThrow(/secret words/);
  });
});
