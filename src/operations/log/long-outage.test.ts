import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noise, testRepository } from '../../../test/support/repository.ts';
import { awaitedLater, settled } from '../../foundation/promises.ts';
import { LogTail } from '../../repository/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { Spool } from './spool.ts';
import { StoredLog } from './stored-log.ts';
import { TailWriter } from './tail-writer.ts';

const OUTAGE_MS = 5 * 60_000;
const LONGEST_PAUSE_MS = 30_000;
const OWNER = { plan: 'shop', source: 'db' };
const CLUSTER = { system: '7391', segmentBytes: 1 << 24 };
const START = 0x300_0000n;
const LOG_BYTES_PER_SECOND = 20_000;
const LOG = noise(LOG_BYTES_PER_SECOND * 360);

/** Time goes on only while somebody waits, and the log comes in as it does. */
const time = vi.hoisted(() => ({ nowMs: 0, passed: (_ms: number): void => {} }));
vi.mock('node:timers/promises', () => ({
  setTimeout: async (ms: number) => {
    time.nowMs += ms;
    time.passed(ms);
    await new Promise((resolve) => setImmediate(resolve));
  },
}));

describe('five minutes without the repository while the log comes in', () => {
  let notes: string[];
  let tries: number;
  let store: FaultyStore;
  let writer: TailWriter;
  let taken: number;
  /** When something counted as durable that cannot have been. */
  let acknowledgedMs: number[];
  const controller = new AbortController();
  const at = (bytes: number) => ({ timeline: 1, lsn: START + BigInt(bytes) });

  beforeEach(() => {
    notes = [];
    tries = 0;
    taken = 0;
    acknowledgedMs = [];
    time.nowMs = 0;
  });
  afterEach(() => settled(writer.close()));

  async function begin(spool?: Spool): Promise<() => Promise<StoredLog>> {
    store = new FaultyStore(new MemoryStore());
    const repository = await testRepository(store);
    writer = new TailWriter(new LogTail(repository, OWNER), {
      clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs },
      signal: controller.signal,
      everyMs: 3_600_000,
      spool,
      positionOf: async () => undefined,
      find: async () => undefined,
      needsBackup: () => {},
      recordGap: async () => {},
      recordLeft: async () => {},
      recordRelease: () => {},
      note: (message) => notes.push(message),
    });
    await writer.begin(CLUSTER);
    store.rule = ({ method, key }) => {
      if (method !== 'put' || !key.startsWith('holdfast/tail/')) return undefined;
      tries++;
      return time.nowMs < OUTAGE_MS ? 'before' : undefined;
    };
    return () => StoredLog.read(repository, OWNER, async () => []);
  }

  /** As much of the log as comes in so long. */
  function receive(ms: number): void {
    if (time.nowMs < OUTAGE_MS && writer.durable !== undefined) acknowledgedMs.push(time.nowMs);
    const bytes = Math.min(Math.round((ms / 1000) * LOG_BYTES_PER_SECOND), LOG.length - taken);
    if (bytes === 0) return;
    writer.take(at(taken), Buffer.from(LOG.subarray(taken, taken + bytes)));
    taken += bytes;
    awaitedLater(writer.drain());
  }

  async function expectAll(stored: StoredLog): Promise<void> {
    const all = { timeline: 1, start: START, end: START + BigInt(taken) };
    expect(acknowledgedMs).toEqual([]);
    expect(writer.durable).toEqual(at(taken));
    expect(stored.ranges('7391')).toEqual([all]);
    expect((await stored.read('7391', all)).equals(LOG.subarray(0, taken))).toBe(true);
  }

  it('are waited through, with pauses that end soon after, and told of once', async () => {
    const stored = await begin();
    time.passed = receive;
    receive(1000);
    await writer.drain();
    expect(time.nowMs).toBeGreaterThanOrEqual(OUTAGE_MS);
    expect(time.nowMs).toBeLessThan(OUTAGE_MS + LONGEST_PAUSE_MS);
    // Half of the longest pause each, on average; fewer than one try in a second even with the short ones before.
    expect(tries).toBeGreaterThan(OUTAGE_MS / LONGEST_PAUSE_MS);
    expect(tries).toBeLessThan(OUTAGE_MS / 1000);
    time.passed = () => {};
    await writer.drain();
    expect(notes).toEqual([expect.stringMatching(/^the repository does not take the log.*trying again$/)]);
    expect(taken).toBeGreaterThan((OUTAGE_MS / 1000) * LOG_BYTES_PER_SECOND * 0.9);
    await expectAll(await stored());
  });

  it('fill the spool up to its limit, and then wait on the server alone, in the order of the log', async () => {
    const limitBytes = 1 << 20;
    const disk = new MemoryStore();
    const spool = await Spool.open(disk, 'holdfast/tail/shop/db/', limitBytes);
    const stored = await begin(spool);
    let mostBytes = 0;
    time.passed = (ms) => {
      mostBytes = Math.max(mostBytes, spool.bytes);
      receive(ms);
    };
    receive(1000);
    await expect.poll(() => time.nowMs).toBeGreaterThanOrEqual(OUTAGE_MS);
    time.passed = () => {};
    await writer.drain();
    expect(mostBytes).toBeGreaterThan(0);
    expect(mostBytes).toBeLessThanOrEqual(limitBytes);
    expect(notes.map((note) => note.replace(/ with .*|: .*/, ''))).toEqual([
      'the repository does not take the log, which is put into the spool',
      'the repository does not take the log',
      'the spool is full',
    ]);
    expect(disk.objects.size).toBe(0);
    await expectAll(await stored());
  });
});
