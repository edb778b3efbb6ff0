import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { settled } from '../../src/foundation/promises.ts';
import { StoredLog } from '../../src/operations/log/stored-log.ts';
import { TailWriter } from '../../src/operations/log/tail-writer.ts';
import { type LogPosition, LogTail, lsnText, type Repository } from '../../src/repository/index.ts';
import type { LogGap } from '../../src/source/index.ts';
import { parseLocation } from '../../src/source/redis/connection/location.ts';
import { followStream } from '../../src/source/redis/stream/follow.ts';
import { StreamSplitter } from '../../src/source/redis/stream/splitter.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { until } from '../support/followed.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const OWNER = { plan: 'shop', source: 'cache' };

/** A follower in this process, which dies without a word when it is killed. */
class Follower {
  readonly gaps: (LogGap & { system: string })[] = [];
  readonly backups: LogPosition[] = [];
  readonly notes: string[] = [];
  readonly writer: TailWriter;
  readonly done: Promise<void>;
  readonly #controller = new AbortController();
  readonly #store: FaultyStore;

  constructor(repository: Repository, server: () => RedisServer) {
    const { signal } = this.#controller;
    const stored = () => StoredLog.read(repository, OWNER, async () => []);
    this.#store = new FaultyStore(repository.store);
    this.writer = new TailWriter(new LogTail(repository.through(this.#store), OWNER), {
      ...{ clock: systemClock, signal, everyMs: 50, recordRelease: () => {} },
      positionOf: async ({ system }) => (await stored()).lastStamp(system),
      find: async (alias) => (await stored()).find(alias),
      needsBackup: (from) => void this.backups.push(from),
      recordGap: async ({ system }, gap) => void this.gaps.push({ ...gap, system }),
      recordLeft: async () => {},
      note: (message) => void this.notes.push(message),
    });
    const limits = { warnRetainedBytes: 1e9, releaseRetainedBytes: 1e9, lookEveryMs: 1000 };
    const told = { note: (message: string) => void this.notes.push(message), observe: () => {} };
    const location = async () => parseLocation(server().url);
    this.done = followStream(location, this.writer, { clock: systemClock, signal, ...limits, ...told });
  }

  /** Ends it; what was taken and is not durable is lost. */
  async kill(): Promise<void> {
    this.#store.rule = () => 'before';
    this.#controller.abort();
    await settled(this.done);
    await settled(this.writer.close());
  }
}

describe.skipIf(!requires('redis'))('a stream that is followed', { timeout: 60_000 }, () => {
  let repository: Repository;
  let server: RedisServer;
  let standby: RedisServer | undefined;
  let follower: Follower;
  beforeEach(async () => {
    repository = await testRepository();
    server = await RedisServer.start(['--repl-backlog-size', '64kb']);
    follower = new Follower(repository, () => server);
    await until(async () => follower.backups.length > 0);
  });
  afterEach(async () => {
    await follower.kill();
    await server.stop();
    await standby?.stop();
    standby = undefined;
  });

  const stored = () => StoredLog.read(repository, OWNER, async () => []);

  /** Pushes numbers one after the other, each in a transaction with another one. */
  async function push(from: number, to: number, filler = 10): Promise<void> {
    for (let number = from; number < to; number++) {
      await server.call('MULTI');
      await server.call('RPUSH', 'list', `#${number}#`);
      await server.call('RPUSH', 'other', 'x'.repeat(filler));
      await server.call('EXEC');
    }
  }

  async function caughtUp(): Promise<LogPosition> {
    const offset = BigInt(/master_repl_offset:(\d+)/.exec(await server.text('INFO', 'replication'))![1]!);
    await until(async () => (follower.writer.durable?.lsn ?? 0n) >= offset);
    return follower.writer.durable!;
  }

  /** The numbers in what is stored behind a position, in its order, over all timelines. */
  async function numbers(system: string, from: LogPosition): Promise<number[]> {
    const log = await stored();
    const parts = await Promise.all(log.pathFrom(system, from).map((range) => log.read(system, range)));
    const text = Buffer.concat(parts).toString('latin1');
    return [...text.matchAll(/#(\d+)#/g)].map(([, number]) => Number(number));
  }

  const upTo = (end: number) => Array.from({ length: end }, (_, index) => index);

  it('has each command once after its follower was killed, whatever was on the way', async () => {
    const system = follower.writer.cluster!.system;
    const [from] = follower.backups as [LogPosition];
    let written = 0;
    for (let round = 0; round < 3; round++) {
      const writing = push(written, written + 60);
      written += 60;
      await sleep(round * 7);
      await follower.kill();
      await writing;
      follower = new Follower(repository, () => server);
    }
    await caughtUp();
    expect(await numbers(system, from)).toEqual(upTo(written));
    expect(follower.gaps).toEqual([]);
  });

  it('may be cut behind transactions alone, at moments in their order', async () => {
    const [from] = follower.backups as [LogPosition];
    const system = follower.writer.cluster!.system;
    const beganMs = Date.now();
    await push(0, 40, 3000);
    await caughtUp();
    const log = await stored();
    let beforeMs = 0;
    let at = from.lsn;
    const splitter = new StreamSplitter();
    for await (const { lsn, ms, timeline } of log.stampsFrom(system, from)) {
      expect(ms).toBeGreaterThanOrEqual(beforeMs);
      const bytes = await log.read(system, { timeline, start: at, end: lsn });
      const ends = splitter.push(bytes);
      expect(ends.at(-1)).toBe(bytes.length);
      // The server's clock is known to half of the shortest round trip, which is long on a machine with much to do.
      if (bytes.includes('#')) expect(ms).toBeGreaterThanOrEqual(beganMs - 100);
      expect(ms).toBeLessThanOrEqual(Date.now() + 100);
      [beforeMs, at] = [ms, lsn];
    }
    expect(beforeMs).toBeGreaterThan(0);
  });

  it('has a gap where the backlog was overrun, which is said, and goes on behind it with another backup', async () => {
    await push(0, 5);
    const before = await caughtUp();
    const system = follower.writer.cluster!.system;
    await follower.kill();
    await push(5, 40, 4000);
    follower = new Follower(repository, () => server);
    await until(async () => follower.backups.length > 0);
    await push(40, 45);
    await caughtUp();
    expect(follower.gaps).toMatchObject([
      { system, timeline: 1, start: before.lsn, reason: expect.stringMatching(/64 KiB/) },
    ]);
    const { end } = follower.gaps[0]!;
    expect(follower.backups).toEqual([{ timeline: 1, lsn: end }]);
    expect((await numbers(system, { timeline: 1, lsn: end })).at(-1)).toBe(44);
    expect((await stored()).ranges(system)).toHaveLength(2);
  });

  it('goes on where it was after a failover, on another timeline', async () => {
    const system = follower.writer.cluster!.system;
    const [from] = follower.backups as [LogPosition];
    await push(0, 10);
    standby = await RedisServer.start();
    await standby.call('REPLICAOF', '127.0.0.1', server.port);
    await until(async () => /master_link_status:up/.test(await standby!.text('INFO', 'replication')));
    await push(10, 20);
    await caughtUp();
    await until(async () => (await standby!.text('LLEN', 'list')) === '20');
    await server.stop();
    await standby.call('REPLICAOF', 'NO', 'ONE');
    [server, standby] = [standby, undefined];
    await until(async () => follower.writer.durable?.timeline === 2);
    await push(20, 30);
    await caughtUp();
    expect(await numbers(system, from)).toEqual(upTo(30));
    expect(follower.gaps).toEqual([]);
    const replid = /master_replid:([0-9a-f]{40})/.exec(await server.text('INFO', 'replication'))![1]!;
    const alias = BigInt(`0x${replid.slice(0, 16)}`).toString();
    expect(await (await stored()).locate({ system: alias, timeline: 1, lsn: 77n })).toEqual({
      system,
      timeline: 2,
      lsn: 77n,
    });
  });

  it('begins anew with a server that lost its data, and goes on with one that saved it', async () => {
    const first = follower.writer.cluster!.system;
    await push(0, 10);
    await caughtUp();
    await server.call('CONFIG', 'SET', 'save', '3600 1');
    await server.stop('SIGTERM');
    await server.run();
    await until(async () => follower.writer.durable?.timeline === 2);
    await push(10, 20);
    const end = await caughtUp();
    expect(follower.writer.cluster!.system).toBe(first);
    await server.stop();
    await server.run();
    await until(async () => follower.writer.cluster!.system !== first);
    const { system } = follower.writer.cluster!;
    await push(20, 22);
    await caughtUp();
    expect(lsnText(end.lsn)).not.toBe('0/0');
    expect(follower.backups.at(-1)).toMatchObject({ timeline: 1 });
    expect((await numbers(system, follower.backups.at(-1)!)).at(-1)).toBe(21);
  });
});
