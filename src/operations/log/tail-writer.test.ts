import { afterEach, describe, expect, it } from 'vitest';
import { noise, testRepository } from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { LogTail, type Repository } from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { Spool } from './spool.ts';
import { StoredLog } from './stored-log.ts';
import { TailWriter, type TailWriterOptions } from './tail-writer.ts';

const CLUSTER = { system: '7391', segmentBytes: 1 << 24 };
const OWNER = { plan: 'shop', source: 'db' };
const START = 0x300_0000n;
const isTail = (key: string) => key.startsWith('holdfast/tail/');

async function begin(store = new FaultyStore(new MemoryStore()), more: Partial<TailWriterOptions> = {}) {
  const repository = await testRepository(store);
  return beginIn(repository, store, more);
}

async function beginIn(repository: Repository, store: FaultyStore, more: Partial<TailWriterOptions> = {}) {
  const controller = new AbortController();
  const notes: string[] = [];
  const gaps: unknown[] = [];
  const writer = new TailWriter(new LogTail(repository, OWNER), {
    clock: systemClock,
    signal: controller.signal,
    everyMs: 3_600_000,
    positionOf: async () => undefined,
    find: async () => undefined,
    needsBackup: () => {},
    recordGap: async (_, gap) => void gaps.push(gap),
    recordLeft: async () => {},
    recordRelease: () => {},
    note: (message) => notes.push(message),
    ...more,
  });
  const stored = () => StoredLog.read(repository, OWNER, async () => []);
  expect(await writer.begin(CLUSTER)).toBeUndefined();
  open.push({ writer, controller });
  return { repository, store, writer, notes, gaps, stored, stop: () => controller.abort() };
}

const open: { writer: TailWriter; controller: AbortController }[] = [];
afterEach(async () => {
  for (const { writer, controller } of open.splice(0)) {
    controller.abort();
    await settled(writer.close());
  }
});

const at = (lsn: bigint) => ({ timeline: 1, lsn });

describe('a tail that is written', () => {
  it('says that nothing is durable before it is stored', async () => {
    const { store, writer, notes, stored } = await begin();
    let isAway = true;
    store.rule = ({ method, key }) => (method === 'put' && isTail(key) && isAway ? 'before' : undefined);
    writer.take(at(START), noise(1000));
    const drained = awaitedLater(writer.drain());
    await expect.poll(() => notes).toEqual([expect.stringContaining('the repository does not take the log')]);
    expect(writer.durable).toBeUndefined();
    expect(writer.taken).toEqual(at(START + 1000n));
    isAway = false;
    await drained;
    expect(writer.durable).toEqual(at(START + 1000n));
    expect((await stored()).ranges('7391')).toEqual([{ timeline: 1, start: START, end: START + 1000n }]);
  });

  it('stores the same object again when nobody knows whether it is there', async () => {
    const { store, writer, stored } = await begin();
    let failures = 2;
    store.rule = ({ method, key }) => (method === 'put' && isTail(key) && failures-- > 0 ? 'after' : undefined);
    writer.take(at(START), noise(1000));
    await writer.drain();
    expect(new Set(store.puts.filter(isTail)).size).toBe(1);
    expect(await (await stored()).read('7391', { timeline: 1, start: START, end: START + 1000n })).toEqual(noise(1000));
  });

  it('holds back who gives more than two objects hold, until one is stored', async () => {
    const { store, writer } = await begin();
    let isAway = true;
    store.rule = ({ method, key }) => (method === 'put' && isTail(key) && isAway ? 'before' : undefined);
    const part = noise(16 << 20);
    const size = BigInt(part.length);
    // Nothing is being stored yet: this one may go, and the next may be taken at once.
    await writer.take(at(START), Buffer.from(part));
    let isReady = false;
    const ready = writer.take(at(START + size), Buffer.from(part))!.then(() => {
      isReady = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isReady).toBe(false);
    isAway = false;
    await ready;
    expect(writer.durable!.lsn).toBeGreaterThanOrEqual(START + size);
  });

  it('gives up when it is interrupted while the repository is away, and claims nothing', async () => {
    const { store, writer, stop } = await begin();
    store.rule = ({ method, key }) => (method === 'put' && isTail(key) ? 'before' : undefined);
    writer.take(at(START), noise(1000));
    const drained = awaitedLater(writer.drain());
    stop();
    await expect(drained).rejects.toMatchObject({ code: 'store-unreachable' });
    expect(writer.durable).toBeUndefined();
    expect(() => writer.take(at(START + 1000n), noise(10))).toThrow('made to fail');
  });

  it('goes on behind a gap, which stays one', async () => {
    const { writer, gaps, stored } = await begin();
    writer.take(at(START), noise(1000));
    const gap = { timeline: 1, start: START + 1000n, end: 0x500_0000n, reason: 'removed' };
    await writer.gap(gap);
    expect(gaps).toEqual([gap]);
    expect(await writer.begin(CLUSTER)).toEqual(at(0x500_0000n));
    expect(writer.durable).toEqual(at(START + 1000n));
    writer.take(at(0x500_0000n), noise(10));
    await writer.drain();
    expect((await stored()).ranges('7391')).toHaveLength(2);
    const across = { timeline: 1, start: START, end: 0x500_000an };
    await expect((await stored()).read('7391', across)).rejects.toMatchObject({ code: 'object-missing' });
  });

  it('says up to which moment it has all', async () => {
    const { writer, stored } = await begin();
    writer.take(at(START), noise(1000));
    const moment = Date.parse('2026-01-31T14:03:06.512Z');
    writer.covers(moment);
    await writer.drain();
    expect(await (await stored()).coveredUntilMs('7391', at(START + 1000n))).toBe(moment);
    expect(await (await stored()).coveredUntilMs('7391', at(START))).toBeUndefined();
  });

  it('goes on to say so while nothing happens, though the clock of this machine was set back', async () => {
    let [nowMs, monotonicMs] = [Date.parse('2026-01-31T14:00:00Z'), 0];
    const clock = { nowMs: () => nowMs, monotonicMs: () => monotonicMs };
    const { writer, stored } = await begin(undefined, { clock, everyMs: 1000 });
    writer.take(at(START), noise(1000));
    await writer.drain();
    nowMs -= 3_600_000;
    monotonicMs += 10_000;
    const moment = Date.parse('2026-01-31T14:00:10Z');
    writer.covers(moment);
    await writer.drain();
    expect(await (await stored()).coveredUntilMs('7391', at(START + 1000n))).toBe(moment);
  });

  it('is found out when an object was damaged or moved', async () => {
    const memory = new MemoryStore();
    const { writer, stored } = await begin(new FaultyStore(memory));
    writer.take(at(START), noise(1000));
    await writer.drain();
    writer.take(at(START + 1000n), noise(1000));
    await writer.drain();
    const [first, second] = (await stored()).entries;
    const range = { timeline: 1, start: START, end: START + 1000n };
    const whole = memory.objects.get(first!.key)!;
    memory.objects.set(first!.key, memory.objects.get(second!.key)!);
    await expect((await stored()).read('7391', range)).rejects.toThrow('it was moved here from another place');
    const bytes = Uint8Array.from(whole.bytes);
    bytes[40]! ^= 1;
    memory.objects.set(first!.key, { ...whole, bytes });
    await expect((await stored()).read('7391', range)).rejects.toMatchObject({ code: 'repository-damaged' });
  });

  it('gives a segment that is not complete yet with zeros behind', async () => {
    const { writer, stored } = await begin();
    writer.take(at(START), noise(1000));
    await writer.drain();
    const segment = await (await stored()).readSegment('7391', 1, START, 1 << 24);
    expect(segment.subarray(0, 1000)).toEqual(noise(1000));
    expect(segment.subarray(1000).every((byte) => byte === 0)).toBe(true);
    await expect((await stored()).readSegment('7391', 1, START + (1n << 24n), 1 << 24)).rejects.toMatchObject({
      code: 'object-missing',
    });
  });
});

describe('a tail with a spool', () => {
  const PREFIX = 'holdfast/tail/shop/db/';
  const all = { timeline: 1, start: START, end: START + 3000n };

  async function withSpool(limitBytes = 1 << 20) {
    const disk = new MemoryStore();
    const spool = await Spool.open(disk, PREFIX, limitBytes);
    const state = { isAway: true };
    const store = new FaultyStore(new MemoryStore(), ({ method, key }) =>
      method === 'put' && isTail(key) && state.isAway ? 'before' : undefined,
    );
    return { disk, state, ...(await begin(store, { spool })) };
  }

  function takeAll(writer: TailWriter): Promise<unknown> {
    const log = noise(3000);
    const turns = [0, 1000, 2000].map((from) => {
      writer.take(at(START + BigInt(from)), Buffer.from(log.subarray(from, from + 1000)));
      return awaitedLater(writer.drain());
    });
    return Promise.all(turns);
  }

  it('goes on while the repository is away, and acknowledges nothing of it', async () => {
    const { disk, state, writer, stored } = await withSpool();
    const drained = takeAll(writer);
    await expect.poll(() => disk.objects.size).toBe(3);
    expect(writer.durable).toBeUndefined();
    state.isAway = false;
    await drained;
    expect(writer.durable).toEqual(at(START + 3000n));
    expect(disk.objects.size).toBe(0);
    expect((await (await stored()).read('7391', all)).equals(noise(3000))).toBe(true);
  });

  it('waits when it is full, and keeps the order', async () => {
    const { disk, state, store, writer, stored } = await withSpool(2000);
    const drained = takeAll(writer);
    await expect.poll(() => disk.objects.size).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(disk.objects.size).toBe(1);
    state.isAway = false;
    await drained;
    expect((await (await stored()).read('7391', all)).equals(noise(3000))).toBe(true);
    const puts = [...new Set(store.puts.filter(isTail))];
    expect(puts).toEqual(puts.toSorted());
  });

  it('stores what an earlier run left there, before anything else', async () => {
    const { disk, state, repository, store, writer, stop } = await withSpool();
    awaitedLater(takeAll(writer));
    await expect.poll(() => disk.objects.size).toBe(3);
    stop();
    await writer.close();
    expect(disk.objects.size).toBe(3);
    state.isAway = false;
    const spool = await Spool.open(disk, PREFIX, 1 << 20);
    const next = await beginIn(repository, store, { spool });
    expect(disk.objects.size).toBe(0);
    expect((await (await next.stored()).read('7391', all)).equals(noise(3000))).toBe(true);
  });

  it('refuses what was not sealed for its repository', async () => {
    const { disk, state, writer } = await withSpool();
    awaitedLater(takeAll(writer));
    await expect.poll(() => disk.objects.size).toBe(3);
    const spool = await Spool.open(disk, PREFIX, 1 << 20);
    await expect(begin(new FaultyStore(new MemoryStore()), { spool })).rejects.toMatchObject({
      code: 'repository-damaged',
    });
    expect(disk.objects.size).toBe(3);
    state.isAway = false;
  });
});
