import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisFailover } from '../../src/source/redis/failover/index.ts';
import { until } from '../support/followed.ts';
import { failure } from '../support/postgres-source.ts';
import { RedisServer } from '../support/redis-server.ts';
import { requires } from '../support/requirements.ts';

const { look, fence, unfence, promote, follow } = redisFailover;
const signal = new AbortController().signal;

describe.skipIf(!requires('redis'))('a failover of Redis', { timeout: 60_000 }, () => {
  let [master, replica]: RedisServer[] = [];
  const told: string[] = [];
  const context = { signal, tell: (line: string) => told.push(line) };
  beforeAll(async () => {
    [master, replica] = await Promise.all([
      RedisServer.start(['--min-replicas-to-write', '0', '--min-replicas-max-lag', '0']),
      RedisServer.start(),
    ]);
    await master.call('SET', 'before', '1');
  });
  afterAll(async () => {
    await Promise.all([master?.stop(), replica?.stop()]);
  });

  it('makes a server a replica, once it has all that its master has', async () => {
    const urls = { url: replica!.url, from: master!.url };
    const { offset, isLasting } = await follow(urls, context);
    expect(await replica!.text('GET', 'before')).toBe('1');
    expect(isLasting).toBe(false);
    expect((await follow(urls, context)).offset).toBeGreaterThanOrEqual(offset);
    expect(told).toHaveLength(1);
    expect(await look(master!.url, signal)).toMatchObject({ isReplica: false, replicas: [{ port: replica!.port }] });
    expect(await look(replica!.url, signal)).toMatchObject({ isReplica: true, isLinked: true, isFenced: false });
  });

  it('fences a master, which refuses writes and goes on sending what it has', async () => {
    const fenced = await fence(master!.url, signal);
    expect(fenced).toMatchObject({ isFenced: true, isReplica: false });
    await expect(master!.call('SET', 'during', '1')).rejects.toThrow('NOREPLICAS');
    await fence(master!.url, signal);
    await until(async () => (await look(replica!.url, signal)).offset >= fenced.offset);
    expect(await unfence(master!.url, signal)).toBe(true);
    await master!.call('SET', 'during', '2');
    expect(await unfence(master!.url, signal)).toBe(false);
    expect(String(await master!.call('CONFIG', 'GET', 'min-replicas-to-write'))).toContain(',0');
  });

  it('promotes a replica, once, and has the old master follow it with nothing of its own', async () => {
    await until(async () => (await replica!.text('GET', 'during')) === '2');
    expect(await promote(replica!.url, signal)).toMatchObject({ wasReplica: true });
    expect(await promote(replica!.url, signal)).toMatchObject({ wasReplica: false });
    await replica!.call('SET', 'after', '1');
    await master!.call('SET', 'divergent', '1');
    await fence(master!.url, signal);
    await follow({ url: master!.url, from: replica!.url }, context);
    await until(async () => (await master!.text('GET', 'after')) === '1');
    expect(await master!.call('EXISTS', 'divergent')).toBe(0);
    await expect(master!.call('SET', 'x', '1')).rejects.toThrow('READONLY');
  });

  it('says what a new master demands that it has not', async () => {
    await master!.call('CONFIG', 'SET', 'min-replicas-to-write', '3', 'min-replicas-max-lag', '10');
    expect(await failure(promote(master!.url, signal))).toMatchObject({
      code: 'source-refused',
      hint: expect.stringContaining('min-replicas-to-write'),
    });
  });
});
